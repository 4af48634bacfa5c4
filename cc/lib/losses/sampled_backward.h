// SPDX-License-Identifier: Apache-2.0
// The backward pass of the dense losses.
#ifndef TF_CANDSAMP_CC_LIB_LOSSES_SAMPLED_BACKWARD_H_
#define TF_CANDSAMP_CC_LIB_LOSSES_SAMPLED_BACKWARD_H_

#include <cstdint>

#include "cc/lib/core/half.h"
#include "cc/lib/core/runtime.h"
#include "cc/lib/losses/sampled_batch.h"
#include "cc/lib/losses/sampled_logits.h"
#include "cc/lib/matrix/matrix_loops.h"

namespace candsamp {

// The gradient of the losses, and what the forward pass kept: see SampledLossOutput.
template <typename W>
struct SampledLossKept {
  using A = Accumulator<W>;
  const A* grad;    // [rows]
  const A* inputs;  // [rows, depth]
  int64_t depth;
  const W* class_rows;        // [classes, depth]
  const A* label_logit_grad;  // [rows, num_true]
  const A* scales;            // [column blocks, rows]
  const A* slopes;            // [rows, columns], block by block; nullptr: computed again
};

template <typename W>
struct SampledLossGradients {
  Accumulator<W>* inputs;  // [rows, depth]
  // By number of class. class_rows may be the kept class_rows, which are overwritten then.
  W* class_rows;    // [classes, depth]
  W* class_biases;  // [classes], or nullptr
};

template <typename W>
void SampledLossBackward(Runtime& runtime, const SampledLogits<Accumulator<W>>& logits,
                         const MatrixLoops<Accumulator<W>>& matrices,
                         const SampledLossKept<W>& kept, const SampledLossGradients<W>& gradients);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_LOSSES_SAMPLED_BACKWARD_H_
