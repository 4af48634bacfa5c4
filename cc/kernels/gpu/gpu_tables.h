// SPDX-License-Identifier: Apache-2.0
// Class tables on a GPU: as its kernels read them, and slices of their gradients as ops output
// them.
#ifndef TF_CANDSAMP_CC_KERNELS_GPU_GPU_TABLES_H_
#define TF_CANDSAMP_CC_KERNELS_GPU_GPU_TABLES_H_

#include <cstdint>
#include <vector>

#include "cc/cuda/core/copies.h"
#include "cc/cuda/core/device_runtime.h"
#include "cc/cuda/rows/launchers.h"
#include "cc/cuda/rows/row_table.h"
#include "cc/kernels/framework/tf_names.h"
#include "cc/kernels/gpu/cuda_stream.h"
#include "cc/kernels/gpu/gpu_memory.h"
#include "cc/kernels/losses/class_table_slices.h"
#include "cc/lib/rows/row_table.h"

namespace candsamp {

// Copies numbers of the host's to the device, without waiting.
absl::Status UploadNumbers(OpKernelContext* context, DeviceRuntime& runtime,
                           const std::vector<int64_t>& numbers, int64_t** on_device);

// The table as kernels read it. Its rows are in the device's memory.
template <typename W>
absl::Status DeviceTable(OpKernelContext* context, DeviceRuntime& runtime, const RowTable<W>& table,
                         int64_t num_classes, DeviceRowTable<W>* device) {
  *device = OneShard<W>(nullptr, 0, table.depth());
  if (table.empty()) return absl::OkStatus();
  device->ids = std::min(table.ids(), num_classes);
  device->num_shards = table.shards();
  device->whole = table.shard_rows()[0];
  if (table.shards() == 1) return absl::OkStatus();
  std::vector<int64_t> numbers;  // where the shards are, then how many rows are before each
  for (const W* rows : table.shard_rows()) numbers.push_back(reinterpret_cast<int64_t>(rows));
  numbers.insert(numbers.end(), table.first_row().begin(), table.first_row().end());
  int64_t* uploaded;
  TF_RETURN_IF_ERROR(UploadNumbers(context, runtime, numbers, &uploaded));
  static_assert(sizeof(W*) == sizeof(int64_t));
  device->shards = reinterpret_cast<const W* const*>(uploaded);
  device->first_row = uploaded + table.shards();
  device->in_turn = table.partition() == Partition::kInTurn;
  return absl::OkStatus();
}

// Outputs the indices and shapes of a table's slices for distinct classes, which are in the
// device's memory. With several shards it waits: the host deals classes out.
absl::Status SetDeviceClasses(OpKernelContext* context, DeviceRuntime& runtime,
                              const Tensor& classes, ClassTableSlices* slices);

// Outputs the values of all shards, copied from one row for each class.
// REQUIRES: SetDeviceClasses; there are several shards.
template <typename W>
absl::Status CopyDeviceValues(OpKernelContext* context, DeviceRuntime& runtime, const W* by_class,
                              int64_t count, int64_t depth, ClassTableSlices* slices) {
  for (int64_t shard = 0; shard < slices->shards(); ++shard) {
    W* values;
    TF_RETURN_IF_ERROR(slices->AllocateValues(shard, &values));
    std::vector<int64_t> positions;
    for (const auto& member : slices->members(shard)) positions.push_back(member.position);
    int64_t* on_device;
    TF_RETURN_IF_ERROR(UploadNumbers(context, runtime, positions, &on_device));
    TF_RETURN_IF_ERROR(CudaStatus(LaunchGatherRows(runtime, OneShard(by_class, count, depth),
                                                   on_device, slices->size(shard), values)));
  }
  return absl::OkStatus();
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_GPU_GPU_TABLES_H_
