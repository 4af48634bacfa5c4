// Candidates of their own for each row.
#ifndef TF_CANDSAMP_CC_LIB_SAMPLERS_DRAW_ROWS_H_
#define TF_CANDSAMP_CC_LIB_SAMPLERS_DRAW_ROWS_H_

#include <cstdint>
#include <string>

#include "cc/lib/core/runtime.h"
#include "cc/lib/samplers/distribution.h"

namespace candsamp {

struct RaggedDraws {
  int64_t rows;
  const int64_t* splits;  // [rows + 1]: row i's candidates lie at [splits[i], splits[i + 1])
  bool unique;
  bool exact_counts;
  // With true_splits, row i's candidates are none of true_classes[true_splits[i] ..
  // true_splits[i + 1]), and expected counts are those of the distribution without them.
  const int64_t* true_splits;  // [rows + 1] or nullptr
  const int64_t* true_classes;
};

// Draws all rows independently: row i depends on the stream, i, its number of candidates and its
// excluded classes alone. Returns what is wrong with a row's number of candidates, or nothing.
std::string DrawRaggedCandidates(Runtime& runtime, const Distribution& distribution,
                                 const PhiloxStream& stream, const RaggedDraws& draws,
                                 int64_t* candidates, float* expected_count);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_SAMPLERS_DRAW_ROWS_H_
