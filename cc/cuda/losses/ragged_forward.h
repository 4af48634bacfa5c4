// SPDX-License-Identifier: Apache-2.0
// The forward pass of the ragged losses on a device: the twin of cc/lib/losses/ragged_forward.h.
//
//  1. Reduce each chunk of a row (ragged_chunks.h).
//  2. Merge the chunks of a row, in order, into the loss and the gradient of the input.
//  3. Turn logits into their gradients (ragged_merge.h).
#ifndef TF_CANDSAMP_CC_CUDA_LOSSES_RAGGED_FORWARD_H_
#define TF_CANDSAMP_CC_CUDA_LOSSES_RAGGED_FORWARD_H_

#include "cc/cuda/losses/ragged_merge.h"

namespace candsamp {

template <typename T, typename W, typename Launcher>
int RaggedForwardOn(Launcher launcher, DeviceRuntime& runtime, const DeviceRaggedForward<T, W>& f) {
  using A = Accumulator<W>;
  const DeviceRaggedBatch& batch = f.batch;
  if (batch.rows == 0) return 0;
  int64_t* const chunk_rows = runtime.Allocate<int64_t>(batch.num_chunks);
  RaggedPart<A>* const parts = runtime.Allocate<RaggedPart<A>>(batch.num_chunks);
  A* const sums = runtime.Allocate<A>(batch.num_chunks * f.depth);
  A* const maxima = runtime.Allocate<A>(batch.rows);
  A* const divisors = runtime.Allocate<A>(batch.rows);
  A* const cap_slopes = f.options.logit.softcap == 0
                            ? nullptr
                            : runtime.Allocate<A>(batch.num_labels + batch.num_candidates);
  if (runtime.error() != 0) return runtime.error();
  const RaggedLogitsOfRow<T, W> logits = {
      f.options.logit, f.depth, f.inputs, f.weights, f.biases, RaggedInPacks(f.inputs, f.weights)};
  launcher.ForEach(batch.num_chunks, RowsOfChunksKernel{batch, chunk_rows});
  LaunchRaggedChunks(launcher, RaggedChunks<T, W>{f, logits, chunk_rows, parts, sums, cap_slopes});
  launcher.ForEachLaneGroup(
      batch.rows, RaggedMergeKernel<T, W>{f, parts, sums, cap_slopes,
                                          InPacks<kPackOf<A>>(f.unscaled_inputs_grad, f.depth),
                                          maxima, divisors});
  launcher.ForEachLaneGroup(
      batch.num_chunks, RaggedLogitGradsKernel<T, W>{f, chunk_rows, maxima, divisors, cap_slopes});
  if (f.options.logit.normalize || f.options.logit.temperature != 1) {
    GradientsOfRows(launcher, f.inputs, f.unscaled_inputs_grad, batch.rows, f.depth,
                    f.options.logit.normalize, static_cast<A>(1 / f.options.logit.temperature),
                    f.unscaled_inputs_grad);
  }
  return launcher.error();
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_LOSSES_RAGGED_FORWARD_H_
