// SPDX-License-Identifier: Apache-2.0
// The backward pass of the ragged losses: from the gradients of logits to sparse gradients of the
// class table.
#ifndef TF_CANDSAMP_CC_LIB_LOSSES_RAGGED_BACKWARD_H_
#define TF_CANDSAMP_CC_LIB_LOSSES_RAGGED_BACKWARD_H_

#include <cstdint>

#include "cc/lib/classes/class_gradients.h"
#include "cc/lib/classes/class_groups.h"
#include "cc/lib/classes/ragged_ids.h"
#include "cc/lib/core/half.h"
#include "cc/lib/core/runtime.h"
#include "cc/lib/rows/row_table.h"

namespace candsamp {

// Groups a batch's labels and candidates by class. `label_gradient` and `candidate_gradient` hold
// one value for each label and candidate. An occurrence's gradient is that value times
// row_factor[row], or the value itself if row_factor is nullptr. If label_gradient is nullptr,
// labels are left out.
template <typename A>
ClassGroups<Occurrence<A>> GroupOccurrences(Runtime& runtime, const RaggedBatch& batch,
                                            int64_t num_classes, const A* label_gradient,
                                            const A* candidate_gradient, const A* row_factor);

// out[i] = the sum over the candidates k of row i of gradient[k] * the row row_ids[k] of `table`.
template <typename W>
void SumCandidateRows(Runtime& runtime, const RaggedIds& row_ids, int64_t rows,
                      const Accumulator<W>* gradient, const RowTable<W>& table,
                      Accumulator<W>* out);

// One occurrence of a candidate.
struct Ranked {
  uint32_t key;  // see ClassGroups
  int64_t position;
};
// Groups the candidates by class. ranks[k] = the position of candidate k among the distinct ones.
ClassGroups<Ranked> RankCandidates(Runtime& runtime, const int64_t* candidates, int64_t count,
                                   int64_t num_classes, int64_t* ranks);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_LOSSES_RAGGED_BACKWARD_H_
