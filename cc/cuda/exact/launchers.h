// SPDX-License-Identifier: Apache-2.0
// Entry points of the ops that score all classes on a device. See launch.h for errors,
// device_runtime.h for memory.
#ifndef TF_CANDSAMP_CC_CUDA_EXACT_LAUNCHERS_H_
#define TF_CANDSAMP_CC_CUDA_EXACT_LAUNCHERS_H_

#include "cc/cuda/exact/full_softmax.h"
#include "cc/cuda/exact/ranking.h"

namespace candsamp {

// For the pairs of types that the CPU's kernels have. None waits.
template <typename T, typename W>
int LaunchFullSoftmax(DeviceRuntime& runtime, MatrixProducts& products,
                      const DeviceFullSoftmax<T, W>& forward);
template <typename T, typename W>
int LaunchFullSoftmaxBackward(DeviceRuntime& runtime, MatrixProducts& products,
                              const DeviceFullSoftmaxBackward<T, W>& backward);
template <typename T, typename W>
int LaunchLabelRanks(DeviceRuntime& runtime, MatrixProducts& products,
                     const DeviceRanking<T, W>& ranking);
template <typename T, typename W>
int LaunchTopClasses(DeviceRuntime& runtime, MatrixProducts& products,
                     const DeviceTopClasses<T, W>& top);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_EXACT_LAUNCHERS_H_
