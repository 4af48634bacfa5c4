// SPDX-License-Identifier: Apache-2.0
// Defines the launchers that launchers.h declares, on one kind of launcher: CudaLauncher in .cu
// files, HostLauncher in the tests.
#ifndef TF_CANDSAMP_CC_CUDA_ROWS_DEFINE_LAUNCHERS_H_
#define TF_CANDSAMP_CC_CUDA_ROWS_DEFINE_LAUNCHERS_H_

#include "cc/cuda/rows/gather_rows.h"
#include "cc/cuda/rows/launchers.h"

#define CANDSAMP_DEFINE_GATHER(Launcher, W)                                                        \
  template <>                                                                                      \
  int LaunchGatherRows(DeviceRuntime& runtime, const DeviceRowTable<W>& table, const int64_t* ids, \
                       int64_t count, W* out) {                                                    \
    Launcher launcher(runtime.stream());                                                           \
    GatherRows(launcher, table, ids, count, out);                                                  \
    return launcher.error();                                                                       \
  }

#define CANDSAMP_DEFINE_ROW_LAUNCHERS(Launcher)                                           \
  CANDSAMP_DEFINE_GATHER(Launcher, float)                                                 \
  CANDSAMP_DEFINE_GATHER(Launcher, double)                                                \
  CANDSAMP_DEFINE_GATHER(Launcher, Bfloat16)                                              \
  CANDSAMP_DEFINE_GATHER(Launcher, Half)                                                  \
  int LaunchRankIds(DeviceRuntime& runtime, const IdGroups& groups, int64_t* ids,         \
                    int64_t* ranks) {                                                     \
    Launcher launcher(runtime.stream());                                                  \
    WriteGroupIds(launcher, groups, ids);                                                 \
    if (ranks != nullptr) launcher.ForEach(groups.size, WriteRanksKernel{groups, ranks}); \
    return launcher.error();                                                              \
  }

#endif  // TF_CANDSAMP_CC_CUDA_ROWS_DEFINE_LAUNCHERS_H_
