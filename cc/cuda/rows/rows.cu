// SPDX-License-Identifier: Apache-2.0
// Kernels over rows on a CUDA device.
#include "cc/cuda/core/cuda_launcher.cu.h"
#include "cc/cuda/rows/gather_rows.h"
#include "cc/cuda/rows/launchers.h"

namespace candsamp {

#define CANDSAMP_DEFINE(W)                                                                         \
  template <>                                                                                      \
  int LaunchGatherRows(DeviceRuntime& runtime, const DeviceRowTable<W>& table, const int64_t* ids, \
                       int64_t count, W* out) {                                                    \
    CudaLauncher launcher(runtime.stream());                                                       \
    GatherRows(launcher, table, ids, count, out);                                                  \
    return launcher.error();                                                                       \
  }

CANDSAMP_FOR_EACH_STORED_TYPE(CANDSAMP_DEFINE)

int LaunchRankIds(DeviceRuntime& runtime, const IdGroups& groups, int64_t* ids, int64_t* ranks) {
  CudaLauncher launcher(runtime.stream());
  WriteGroupIds(launcher, groups, ids);
  if (ranks != nullptr) launcher.ForEach(groups.size, WriteRanksKernel{groups, ranks});
  return launcher.error();
}

}  // namespace candsamp
