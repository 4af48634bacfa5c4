// The backward passes of the ragged losses: from logit gradients to sparse gradients of the class
// table.
#ifndef TF_CANDSAMP_CC_LIB_LOSSES_RAGGED_BACKWARD_H_
#define TF_CANDSAMP_CC_LIB_LOSSES_RAGGED_BACKWARD_H_

#include <cstdint>

#include "cc/lib/classes/class_groups.h"
#include "cc/lib/classes/ragged_ids.h"
#include "cc/lib/core/half.h"
#include "cc/lib/core/runtime.h"
#include "cc/lib/rows/row_table.h"

namespace candsamp {

// One occurrence of a class: its logit's gradient, and the row of `inputs` it was multiplied with.
template <typename A>
struct Occurrence {
  uint32_t key;  // see ClassGroups
  A gradient;
  int64_t row;
};

// The occurrences of each class of a batch. `label_gradient` and `candidate_gradient` hold one
// value for each label and candidate, multiplied by row_factor[row] unless that is nullptr;
// label_gradient may be nullptr: labels are left out.
template <typename A>
ClassGroups<Occurrence<A>> GroupOccurrences(Runtime& runtime, const RaggedBatch& batch,
                                            int64_t num_classes, const A* label_gradient,
                                            const A* candidate_gradient, const A* row_factor);

// Gradients of consecutive distinct classes, the groups [first, last): out row g - first is the
// sum over the occurrences of class g of gradient * inputs[row]; out value likewise without inputs.
template <typename W>
void SumClassRows(Runtime& runtime, const ClassGroups<Occurrence<Accumulator<W>>>& groups,
                  int64_t first, int64_t last, const Accumulator<W>* inputs, int64_t depth, W* out);
template <typename W>
void SumClassBiases(Runtime& runtime, const ClassGroups<Occurrence<Accumulator<W>>>& groups,
                    int64_t first, int64_t last, W* out);

// out[i] = sum over the candidates k of row i of gradient[k] * table row row_ids[k].
template <typename W>
void SumCandidateRows(Runtime& runtime, const RaggedIds& row_ids, int64_t rows,
                      const Accumulator<W>* gradient, const RowTable<W>& table,
                      Accumulator<W>* out);

// The distinct candidates and, for each candidate, its position among them.
struct Ranked {
  uint32_t key;  // see ClassGroups
  int64_t position;
};
ClassGroups<Ranked> RankCandidates(Runtime& runtime, const int64_t* candidates, int64_t count,
                                   int64_t num_classes, int64_t* ranks);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_LOSSES_RAGGED_BACKWARD_H_
