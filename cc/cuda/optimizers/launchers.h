// SPDX-License-Identifier: Apache-2.0
// Entry points of the row optimizers on a device. See launch.h for errors, device_runtime.h for
// memory.
#ifndef TF_CANDSAMP_CC_CUDA_OPTIMIZERS_LAUNCHERS_H_
#define TF_CANDSAMP_CC_CUDA_OPTIMIZERS_LAUNCHERS_H_

#include "cc/cuda/optimizers/update_rows.h"

namespace candsamp {

// For each stored type W and formula of cc/lib/optimizers/row_formulas.h. Does not wait.
template <typename W, typename Formula>
int LaunchUpdateRows(DeviceRuntime& runtime, const Formula& formula,
                     const DeviceRowUpdate<W>& rows);

// Groups rows and waits for how many distinct ones there are; ids that are not in [0, limit) are
// one row, `limit`. LaunchSumRows then writes those and the sums of their slices.
int LaunchGroupRows(DeviceRuntime& runtime, const int64_t* ids, int64_t count, int64_t limit,
                    IdGroups* groups, int64_t* distinct);
template <typename T>
int LaunchSumRows(DeviceRuntime& runtime, const IdGroups& groups, const T* slices, int64_t depth,
                  int64_t* ids, T* sums);

// Writes halves, [rows, depth], as floats.
template <typename H>
int LaunchWiden(DeviceRuntime& runtime, const H* halves, int64_t rows, int64_t depth, float* out);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_OPTIMIZERS_LAUNCHERS_H_
