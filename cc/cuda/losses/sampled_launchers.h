// SPDX-License-Identifier: Apache-2.0
// Entry points of the dense losses on a device. See launch.h for errors, device_runtime.h for
// memory.
#ifndef TF_CANDSAMP_CC_CUDA_LOSSES_SAMPLED_LAUNCHERS_H_
#define TF_CANDSAMP_CC_CUDA_LOSSES_SAMPLED_LAUNCHERS_H_

#include "cc/cuda/losses/expected_counts.h"
#include "cc/cuda/losses/sampled_backward.h"
#include "cc/cuda/losses/sampled_forward.h"

namespace candsamp {

// Write the logs of counts, for float and double, and the offsets of candidates, for all types.
template <typename A>
int LaunchLogCounts(DeviceRuntime& runtime, const DeviceCounts<A>& counts, A* logs);
template <typename W>
int LaunchOffsets(DeviceRuntime& runtime, const DeviceOffsets<W>& offsets);

// For the pairs of types that the CPU's kernels have. The first waits for the numbers of columns
// and classes, counts[2]; the other two do not wait.
template <typename T, typename W>
int LaunchSampledClasses(DeviceRuntime& runtime, const DeviceSampledForward<T, W>& forward,
                         int64_t* counts);
template <typename T, typename W>
int LaunchSampledForward(DeviceRuntime& runtime, MatrixProducts& products,
                         const DeviceSampledForward<T, W>& forward);
template <typename T, typename W>
int LaunchSampledBackward(DeviceRuntime& runtime, MatrixProducts& products,
                          const DeviceSampledBackward<T, W>& backward);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_LOSSES_SAMPLED_LAUNCHERS_H_
