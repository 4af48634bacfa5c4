// SPDX-License-Identifier: Apache-2.0
// Defines the launchers that ragged_launchers.h declares, on one kind of launcher: CubLauncher in
// .cu files, HostLauncher in the tests.
#ifndef TF_CANDSAMP_CC_CUDA_LOSSES_DEFINE_RAGGED_LAUNCHERS_H_
#define TF_CANDSAMP_CC_CUDA_LOSSES_DEFINE_RAGGED_LAUNCHERS_H_

#include "cc/cuda/losses/ragged_launchers.h"

#define CANDSAMP_DEFINE_RAGGED_LAUNCHERS(Launcher, T, W)                                          \
  template <>                                                                                     \
  int LaunchRaggedForward(DeviceRuntime& runtime, const DeviceRaggedForward<T, W>& forward) {     \
    return RaggedForwardOn(Launcher(runtime.stream()), runtime, forward);                         \
  }                                                                                               \
  template <>                                                                                     \
  int LaunchRaggedLogits(DeviceRuntime& runtime, const DeviceRaggedLogits<T, W>& logits) {        \
    return RaggedLogitsOn(Launcher(runtime.stream()), logits);                                    \
  }                                                                                               \
  template <>                                                                                     \
  int LaunchRaggedScoresBackward(DeviceRuntime& runtime,                                          \
                                 const DeviceRaggedScoresBackward<T, W>& backward) {              \
    return RaggedScoresBackwardOn(Launcher(runtime.stream()), runtime, backward);                 \
  }                                                                                               \
  template <>                                                                                     \
  int LaunchSumRaggedClasses<T, W>(                                                               \
      DeviceRuntime & runtime, const DeviceRaggedGradient<T, Accumulator<W>>& gradient,           \
      const RaggedClasses<Accumulator<W>>& classes, const RaggedClassGradients<W>& out) {         \
    return SumRaggedClassesOn<T, W>(Launcher(runtime.stream()), runtime, gradient, classes, out); \
  }

#define CANDSAMP_DEFINE_RAGGED_INPUT_LAUNCHERS(Launcher, T)                                     \
  template <>                                                                                   \
  int LaunchGroupRaggedClasses(                                                                 \
      DeviceRuntime& runtime, const DeviceRaggedGradient<T, Accumulator<T>>& gradient,          \
      int64_t num_classes, RaggedClasses<Accumulator<T>>* classes, int64_t* distinct) {         \
    return GroupRaggedClassesOn(Launcher(runtime.stream()), runtime, gradient, num_classes,     \
                                classes, distinct);                                             \
  }                                                                                             \
  template <>                                                                                   \
  int LaunchScaleByRow(DeviceRuntime& runtime, const Accumulator<T>* unscaled,                  \
                       const Accumulator<T>* row_factor, int64_t rows, int64_t depth, T* out) { \
    Launcher launcher(runtime.stream());                                                        \
    launcher.ForEachLaneGroup(                                                                  \
        rows, ScaleByRowKernel<T, Accumulator<T>>{unscaled, row_factor, rows, depth, out});     \
    return launcher.error();                                                                    \
  }

#endif  // TF_CANDSAMP_CC_CUDA_LOSSES_DEFINE_RAGGED_LAUNCHERS_H_
