// Losses over the classes that each row brings along, its labels and its candidates.
#ifndef TF_CANDSAMP_CC_LIB_LOSSES_RAGGED_FORWARD_H_
#define TF_CANDSAMP_CC_LIB_LOSSES_RAGGED_FORWARD_H_

#include <cstdint>

#include "cc/lib/classes/ragged_ids.h"
#include "cc/lib/core/half.h"
#include "cc/lib/core/runtime.h"
#include "cc/lib/losses/loss_kind.h"
#include "cc/lib/rows/row_table.h"

namespace candsamp {

// What the forward pass computes, and all that the backward pass needs: the gradients are those of
// the row's own loss.
template <typename A>
struct RaggedLossOutput {
  A* loss;                  // [rows]
  A* label_logit_grad;      // one for each label
  A* candidate_logit_grad;  // one for each candidate; 0 where it was dropped, or NaN with the loss
  A* unscaled_inputs_grad;  // [rows, depth]
};

// Reads the row of each candidate once. With `remove_accidental_hits` a candidate that equals one
// of its row's labels is dropped. REQUIRES: splits and ids checked; biases empty or of one column
// and as many rows as weights; for softmax, a label in every row.
template <typename W>
void RaggedLossForward(Runtime& runtime, LossKind kind, const RaggedBatch& batch,
                       const Accumulator<W>* inputs, const RowTable<W>& weights,
                       const RowTable<W>& biases, bool remove_accidental_hits,
                       const RaggedLossOutput<Accumulator<W>>& output);

// logits[k] = <w_c, x_i> + b_c for each candidate c of each row i. Labels are not looked at.
// REQUIRES: as above.
template <typename W>
void RaggedLogits(Runtime& runtime, const RaggedBatch& batch, const Accumulator<W>* inputs,
                  const RowTable<W>& weights, const RowTable<W>& biases, Accumulator<W>* logits);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_LOSSES_RAGGED_FORWARD_H_
