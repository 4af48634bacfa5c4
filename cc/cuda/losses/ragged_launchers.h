// SPDX-License-Identifier: Apache-2.0
// Entry points of the ragged losses on a device. See launch.h for errors, device_runtime.h for
// memory.
#ifndef TF_CANDSAMP_CC_CUDA_LOSSES_RAGGED_LAUNCHERS_H_
#define TF_CANDSAMP_CC_CUDA_LOSSES_RAGGED_LAUNCHERS_H_

#include "cc/cuda/losses/ragged_backward.h"
#include "cc/cuda/losses/ragged_forward.h"

namespace candsamp {

// For the pairs of types that the CPU's kernels have. Only LaunchGroupRaggedClasses waits.
template <typename T, typename W>
int LaunchRaggedForward(DeviceRuntime& runtime, const DeviceRaggedForward<T, W>& forward);
template <typename T, typename W>
int LaunchRaggedLogits(DeviceRuntime& runtime, const DeviceRaggedLogits<T, W>& logits);
template <typename T, typename W>
int LaunchRaggedScoresBackward(DeviceRuntime& runtime,
                               const DeviceRaggedScoresBackward<T, W>& backward);
template <typename T, typename W>
int LaunchSumRaggedClasses(DeviceRuntime& runtime,
                           const DeviceRaggedGradient<T, Accumulator<W>>& gradient,
                           const RaggedClasses<Accumulator<W>>& classes,
                           const RaggedClassGradients<W>& out);

// For the types of inputs, with sums in float or, of double, in double.
template <typename T, typename A>
int LaunchGroupRaggedClasses(DeviceRuntime& runtime, const DeviceRaggedGradient<T, A>& gradient,
                             int64_t num_classes, RaggedClasses<A>* classes, int64_t* distinct);
template <typename T, typename A>
int LaunchScaleByRow(DeviceRuntime& runtime, const A* unscaled, const A* row_factor, int64_t rows,
                     int64_t depth, T* out);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_LOSSES_RAGGED_LAUNCHERS_H_
