// SPDX-License-Identifier: Apache-2.0
#include "cc/kernels/gpu/gpu_tables.h"

#include <algorithm>

#include "cc/kernels/framework/tensor_data.h"

namespace candsamp {

absl::Status UploadNumbers(OpKernelContext* context, DeviceRuntime& runtime,
                           const std::vector<int64_t>& numbers, int64_t** on_device) {
  const int64_t size = static_cast<int64_t>(numbers.size());
  *on_device = runtime.Allocate<int64_t>(size);
  if (size == 0) return absl::OkStatus();
  Tensor page_locked;
  TF_RETURN_IF_ERROR(AllocatePageLocked(context, size, &page_locked));
  std::copy(numbers.begin(), numbers.end(), MutableData<int64_t>(&page_locked));
  return Upload(context, page_locked, *on_device);
}

absl::Status SetDeviceClasses(OpKernelContext* context, DeviceRuntime& runtime,
                              const Tensor& classes, ClassTableSlices* slices) {
  const int64_t size = classes.NumElements();
  Tensor on_host;
  if (slices->shards() > 1) {
    TF_RETURN_IF_ERROR(Download(context, classes, &on_host));
    int64_t* const ids = MutableData<int64_t>(&on_host);
    // A class without a row gets the last row's place: its gradient is that of a row of zeros.
    for (int64_t k = 0; k < size; ++k) {
      ids[k] = std::clamp<int64_t>(ids[k], 0, std::max<int64_t>(slices->num_classes() - 1, 0));
    }
    slices->Deal(ids, size);
  } else {
    slices->Deal(nullptr, size);
  }
  for (int64_t shard = 0; shard < slices->shards(); ++shard) {
    int64_t* indices;
    TF_RETURN_IF_ERROR(slices->AllocateIndices(shard, &indices));
    const size_t bytes = static_cast<size_t>(slices->size(shard)) * sizeof *indices;
    if (bytes == 0) continue;
    const int64_t* from = Data<int64_t>(classes);
    int64_t* uploaded;
    if (slices->shards() > 1) {
      std::vector<int64_t> rows;
      for (const auto& member : slices->members(shard)) rows.push_back(member.row);
      TF_RETURN_IF_ERROR(UploadNumbers(context, runtime, rows, &uploaded));
      from = uploaded;
    }
    TF_RETURN_IF_ERROR(CudaStatus(CopyOnDevice(runtime.stream(), indices, from, bytes)));
  }
  return slices->OutputShapes();
}

}  // namespace candsamp
