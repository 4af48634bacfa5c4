// Losses over true classes of each row and candidates that all rows share: sampled softmax and NCE.
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

// What the forward pass computes, and keeps for the backward pass.
template <typename W>
struct SampledLossOutput {
  using A = Accumulator<W>;
  A* loss;              // [rows]
  W* class_rows;        // [classes, depth]
  A* label_logit_grad;  // [rows, num_true]: the derivative of the row's loss
  // [column blocks, rows]: times these, a block's slopes are the derivatives of the row's loss.
  A* scales;
  // [rows, columns], block by block (BlockBegin): see SampledLogits::Reduce. nullptr: not kept.
  A* slopes;
};

// class_ids: [classes], by number. label_log_q: [rows, num_true]. One matrix product, whose blocks
// become terms of the loss while they are in the cache. REQUIRES: ids are rows of weights, and of
// biases, of one column, unless those are empty; for softmax a label in every row.
template <typename W>
void SampledLossForward(Runtime& runtime, const SampledLogits<Accumulator<W>>& logits,
                        const MatrixLoops<Accumulator<W>>& matrices, const int64_t* class_ids,
                        const Accumulator<W>* label_log_q, const Accumulator<W>* inputs,
                        const RowTable<W>& weights, const RowTable<W>& biases,
                        const SampledLossOutput<W>& output);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_LOSSES_SAMPLED_FORWARD_H_
