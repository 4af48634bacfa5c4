// SPDX-License-Identifier: Apache-2.0
// Defines the launchers that launchers.h declares, on one kind of launcher: CubLauncher in .cu
// files, HostLauncher in the tests.
#ifndef TF_CANDSAMP_CC_CUDA_EXACT_DEFINE_LAUNCHERS_H_
#define TF_CANDSAMP_CC_CUDA_EXACT_DEFINE_LAUNCHERS_H_

#include "cc/cuda/exact/launchers.h"

#define CANDSAMP_DEFINE_EXACT_LAUNCHERS(Launcher, T, W)                                    \
  template <>                                                                              \
  int LaunchFullSoftmax(DeviceRuntime& runtime, MatrixProducts& products,                  \
                        const DeviceFullSoftmax<T, W>& forward) {                          \
    return FullSoftmaxOn(Launcher(runtime.stream()), runtime, products, forward);          \
  }                                                                                        \
  template <>                                                                              \
  int LaunchFullSoftmaxBackward(DeviceRuntime& runtime, MatrixProducts& products,          \
                                const DeviceFullSoftmaxBackward<T, W>& backward) {         \
    return FullSoftmaxBackwardOn(Launcher(runtime.stream()), runtime, products, backward); \
  }                                                                                        \
  template <>                                                                              \
  int LaunchLabelRanks(DeviceRuntime& runtime, MatrixProducts& products,                   \
                       const DeviceRanking<T, W>& ranking) {                               \
    return LabelRanksOn(Launcher(runtime.stream()), runtime, products, ranking);           \
  }                                                                                        \
  template <>                                                                              \
  int LaunchTopClasses(DeviceRuntime& runtime, MatrixProducts& products,                   \
                       const DeviceTopClasses<T, W>& top) {                                \
    return TopClassesOn(Launcher(runtime.stream()), runtime, products, top);               \
  }

#endif  // TF_CANDSAMP_CC_CUDA_EXACT_DEFINE_LAUNCHERS_H_
