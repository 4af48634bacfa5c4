// SPDX-License-Identifier: Apache-2.0
// The forward pass of the ragged losses, whose rows have labels and candidates of their own.
#ifndef TF_CANDSAMP_CC_LIB_LOSSES_RAGGED_FORWARD_H_
#define TF_CANDSAMP_CC_LIB_LOSSES_RAGGED_FORWARD_H_

#include <cstdint>

#include "cc/lib/classes/ragged_ids.h"
#include "cc/lib/core/half.h"
#include "cc/lib/core/runtime.h"
#include "cc/lib/losses/loss_kind.h"
#include "cc/lib/rows/row_table.h"

namespace candsamp {

// The results of the forward pass, and all that the backward pass needs. The gradients are those of
// the row's own loss.
template <typename A>
struct RaggedLossOutput {
  A* loss;                  // [rows]
  A* label_logit_grad;      // one for each label
  A* candidate_logit_grad;  // one for each candidate; 0 if it was dropped (NaN if the loss is)
  A* unscaled_inputs_grad;  // [rows, depth]
  // With options.stats, else not written; [rows].
  A* log_sum_exp = nullptr;      // of all logits
  bool* label_is_top = nullptr;  // whether no logit is above that of one of the labels
};

// Reads the class row of each candidate once. With `remove_accidental_hits`, drops a candidate that
// is one of its row's labels. REQUIRES: splits and ids have been checked. Biases have depth 1 and
// as many rows as weights, or are empty. For softmax every row has a label. Of the options those of
// logits and `stats` count.
template <typename W>
void RaggedLossForward(Runtime& runtime, LossKind kind, const RaggedBatch& batch,
                       const Accumulator<W>* inputs, const RowTable<W>& weights,
                       const RowTable<W>& biases, bool remove_accidental_hits,
                       const RaggedLossOutput<Accumulator<W>>& output,
                       const LossOptions& options = {});

// logits[k] = <w_c, x_i> + b_c, or what the options make of it, for each candidate c of each row i.
// With a softcap slopes[k] is its derivative. Ignores labels. REQUIRES: as above.
template <typename W>
void RaggedLogits(Runtime& runtime, const RaggedBatch& batch, const Accumulator<W>* inputs,
                  const RowTable<W>& weights, const RowTable<W>& biases, Accumulator<W>* logits,
                  const LogitOptions& options = {}, Accumulator<W>* slopes = nullptr);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_LOSSES_RAGGED_FORWARD_H_
