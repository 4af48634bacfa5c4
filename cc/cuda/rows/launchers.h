// SPDX-License-Identifier: Apache-2.0
// Entry points of the kernels over rows. See launch.h for errors, device_runtime.h for memory.
#ifndef TF_CANDSAMP_CC_CUDA_ROWS_LAUNCHERS_H_
#define TF_CANDSAMP_CC_CUDA_ROWS_LAUNCHERS_H_

#include "cc/cuda/classes/id_groups.h"
#include "cc/cuda/core/device_runtime.h"
#include "cc/cuda/rows/row_table.h"

namespace candsamp {

// Writes the rows of ids, [count, depth]; zeros for ids without a row.
template <typename W>
int LaunchGatherRows(DeviceRuntime& runtime, const DeviceRowTable<W>& table, const int64_t* ids,
                     int64_t count, W* out);

// Writes the ids of groups, in ascending order, and to `ranks`, if there are any, the number of the
// group of each position.
int LaunchRankIds(DeviceRuntime& runtime, const IdGroups& groups, int64_t* ids, int64_t* ranks);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_ROWS_LAUNCHERS_H_
