// SPDX-License-Identifier: Apache-2.0
#include "cc/kernels/gpu/gpu_memory.h"

#include <algorithm>

#include "cc/cuda/core/copies.h"
#include "cc/kernels/gpu/cuda_stream.h"
#include "tensorflow/core/common_runtime/device/device_event_mgr.h"
#include "tensorflow/core/framework/device_base.h"

namespace candsamp {

absl::Status AllocateOnGpu(OpKernelContext* context, int64_t bytes, Tensor* memory) {
  return context->allocate_temp(tensorflow::DT_UINT8, TensorShape({std::max<int64_t>(bytes, 1)}),
                                memory);
}

absl::Status AllocatePageLocked(OpKernelContext* context, int64_t size, Tensor* splits) {
  tensorflow::AllocatorAttributes attributes;
  attributes.set_on_host(true);
  attributes.set_gpu_compatible(true);
  return context->allocate_temp(tensorflow::DT_INT64, TensorShape({size}), splits, attributes);
}

absl::Status Upload(OpKernelContext* context, const Tensor& page_locked, int64_t* to) {
  TF_RETURN_IF_ERROR(CudaStatus(
      CopyToDevice(CudaStreamOf(context), to, page_locked.data(), page_locked.TotalBytes())));
  // The callback keeps the memory until the copy is made.
  context->device()->tensorflow_accelerator_device_info()->event_mgr->ThenExecute(
      context->op_device_context()->stream(), [page_locked] {});
  return absl::OkStatus();
}

absl::Status Download(OpKernelContext* context, const Tensor& tensor, Tensor* on_host) {
  tensorflow::AllocatorAttributes attributes;
  attributes.set_on_host(true);
  TF_RETURN_IF_ERROR(context->allocate_temp(tensor.dtype(), tensor.shape(), on_host, attributes));
  return CudaStatus(CopyToHostAndWait(CudaStreamOf(context), on_host->data(), tensor.data(),
                                      tensor.TotalBytes()));
}

}  // namespace candsamp
