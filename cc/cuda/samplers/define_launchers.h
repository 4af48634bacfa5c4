// SPDX-License-Identifier: Apache-2.0
// Defines the launchers that launchers.h declares.
#ifndef TF_CANDSAMP_CC_CUDA_SAMPLERS_DEFINE_LAUNCHERS_H_
#define TF_CANDSAMP_CC_CUDA_SAMPLERS_DEFINE_LAUNCHERS_H_

#include "cc/cuda/samplers/draw_batch.h"
#include "cc/cuda/samplers/draw_rows.h"
#include "cc/cuda/samplers/launchers.h"

// For one View, on one kind of launcher: CudaLauncher in the .cu files, HostLauncher in the tests.
#define CANDSAMP_DEFINE_LAUNCHERS(Launcher, View)                                                  \
  template <>                                                                                      \
  LaunchPlan PlanBatch(const View& view, const DeviceBatchRequest& request) {                      \
    return PlanBatchOn(Launcher(nullptr), view, request);                                          \
  }                                                                                                \
  template <>                                                                                      \
  int LaunchBatch(CudaStream cuda_stream, const LaunchPlan& plan, const View& view,                \
                  const DeviceBatchRequest& request, void* scratch) {                              \
    return LaunchBatchOn(Launcher(cuda_stream), plan, view, request, scratch);                     \
  }                                                                                                \
  template <>                                                                                      \
  LaunchPlan PlanRows(const View& view, const DeviceRowsRequest& request, int64_t most_sampled,    \
                      int64_t total) {                                                             \
    return PlanRowsOn(Launcher(nullptr), view, request, most_sampled, total);                      \
  }                                                                                                \
  template <>                                                                                      \
  int LaunchRows(CudaStream cuda_stream, const LaunchPlan& plan, const View& view,                 \
                 const DeviceRowsRequest& request, int64_t most_sampled, int64_t total,            \
                 void* scratch) {                                                                  \
    return LaunchRowsOn(Launcher(cuda_stream), plan, view, request, most_sampled, total, scratch); \
  }                                                                                                \
  template <>                                                                                      \
  int LaunchProbabilities(CudaStream cuda_stream, const View& view, const int64_t* ids,            \
                          int64_t count, float* out) {                                             \
    return LaunchProbabilitiesOn(Launcher(cuda_stream), view, ids, count, out);                    \
  }

#endif  // TF_CANDSAMP_CC_CUDA_SAMPLERS_DEFINE_LAUNCHERS_H_
