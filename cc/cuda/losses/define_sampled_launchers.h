// SPDX-License-Identifier: Apache-2.0
// Defines the launchers that sampled_launchers.h declares, on one kind of launcher: CubLauncher in
// .cu files, HostLauncher in the tests.
#ifndef TF_CANDSAMP_CC_CUDA_LOSSES_DEFINE_SAMPLED_LAUNCHERS_H_
#define TF_CANDSAMP_CC_CUDA_LOSSES_DEFINE_SAMPLED_LAUNCHERS_H_

#include "cc/cuda/losses/sampled_launchers.h"

#define CANDSAMP_DEFINE_SAMPLED_LAUNCHERS(Launcher, T, W)                                     \
  template <>                                                                                 \
  int LaunchSampledClasses(DeviceRuntime& runtime, const DeviceSampledForward<T, W>& forward, \
                           int64_t* counts) {                                                 \
    return SampledClassesOn(Launcher(runtime.stream()), runtime, forward, counts);            \
  }                                                                                           \
  template <>                                                                                 \
  int LaunchSampledForward(DeviceRuntime& runtime, MatrixProducts& products,                  \
                           const DeviceSampledForward<T, W>& forward) {                       \
    return SampledForwardOn(Launcher(runtime.stream()), runtime, products, forward);          \
  }                                                                                           \
  template <>                                                                                 \
  int LaunchSampledBackward(DeviceRuntime& runtime, MatrixProducts& products,                 \
                            const DeviceSampledBackward<T, W>& backward) {                    \
    Launcher launcher(runtime.stream());                                                      \
    return SampledBackwardOn<T, W, Launcher>(launcher, runtime, products, backward).Run();    \
  }

#define CANDSAMP_DEFINE_LOG_COUNTS(Launcher, A)                                         \
  template <>                                                                           \
  int LaunchLogCounts(DeviceRuntime& runtime, const DeviceCounts<A>& counts, A* logs) { \
    Launcher launcher(runtime.stream());                                                \
    launcher.ForEach(counts.size, LogCountsKernel<A>{counts, logs});                    \
    return launcher.error();                                                            \
  }

#define CANDSAMP_DEFINE_OFFSETS(Launcher, W)                                   \
  template <>                                                                  \
  int LaunchOffsets(DeviceRuntime& runtime, const DeviceOffsets<W>& offsets) { \
    Launcher launcher(runtime.stream());                                       \
    launcher.ForEach(offsets.counts.size, OffsetsKernel<W>{offsets});          \
    return launcher.error();                                                   \
  }

#endif  // TF_CANDSAMP_CC_CUDA_LOSSES_DEFINE_SAMPLED_LAUNCHERS_H_
