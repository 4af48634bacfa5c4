// SPDX-License-Identifier: Apache-2.0
// The forward pass of the dense losses, whose rows share their candidates: sampled softmax and NCE.
#ifndef TF_CANDSAMP_CC_LIB_LOSSES_SAMPLED_FORWARD_H_
#define TF_CANDSAMP_CC_LIB_LOSSES_SAMPLED_FORWARD_H_

#include <cstdint>

#include "cc/lib/core/half.h"
#include "cc/lib/core/runtime.h"
#include "cc/lib/losses/sampled_batch.h"
#include "cc/lib/losses/sampled_logits.h"
#include "cc/lib/matrix/matrix_loops.h"
#include "cc/lib/rows/row_table.h"

namespace candsamp {

// The results of the forward pass, and what the backward pass needs of it.
template <typename W>
struct SampledLossOutput {
  using A = Accumulator<W>;
  A* loss;              // [rows]
  W* class_rows;        // [classes, depth]
  A* label_logit_grad;  // [rows, num_true]: the derivative of the row's loss
  A* scales;            // [column blocks, rows]: the factors of slopes, see SampledLogits::Reduce
  A* slopes;            // [rows, columns], block by block (BlockBegin); nullptr: not kept
  // With options.stats, else not written; [rows].
  A* log_sum_exp =
      nullptr;  // of all logits; of the label and the estimate that corrected_log_q has
  bool* label_is_top = nullptr;  // whether no logit is above that of one of the labels
};

// class_ids: [classes], by number. label_log_q: [rows, num_true].
// REQUIRES: every id is a row of weights and of biases. Biases have depth 1, or are empty. For
// softmax every row has a label, with corrected_log_q one; then accidental hits are removed.
template <typename W>
void SampledLossForward(Runtime& runtime, const SampledLogits<Accumulator<W>>& logits,
                        const MatrixLoops<Accumulator<W>>& matrices, const int64_t* class_ids,
                        const Accumulator<W>* label_log_q, const Accumulator<W>* inputs,
                        const RowTable<W>& weights, const RowTable<W>& biases,
                        const SampledLossOutput<W>& output);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_LOSSES_SAMPLED_FORWARD_H_
