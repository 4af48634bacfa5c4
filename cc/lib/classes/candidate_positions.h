// SPDX-License-Identifier: Apache-2.0
// Where a class stands among the candidates: how the op compute_accidental_hits finds its hits.
#ifndef TF_CANDSAMP_CC_LIB_CLASSES_CANDIDATE_POSITIONS_H_
#define TF_CANDSAMP_CC_LIB_CLASSES_CANDIDATE_POSITIONS_H_

#include <cstdint>

#include "cc/lib/classes/distinct_classes.h"
#include "cc/lib/core/runtime.h"

namespace candsamp {

// The positions of each class among the candidates. O(1) expected a lookup.
class CandidatePositions {
 public:
  CandidatePositions(Runtime& runtime, const int64_t* candidates, int64_t count);

  // Calls use(position) for each position of `id` among the candidates, in ascending order.
  template <typename Use>
  void ForEach(int64_t id, Use use) const {
    const int64_t number = classes_.Find(id);
    if (number < 0) return;
    for (int64_t position = first_[number]; position >= 0; position = next_[position]) {
      use(position);
    }
  }

 private:
  DistinctClasses classes_;
  int64_t* first_;  // the first position of each class
  int64_t* next_;   // [count]: the next position of the same class, or -1
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_CLASSES_CANDIDATE_POSITIONS_H_
