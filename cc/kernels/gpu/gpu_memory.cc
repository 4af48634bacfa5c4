#include "cc/kernels/gpu/gpu_memory.h"

#include <algorithm>

#include "cc/cuda/core/copies.h"
#include "cc/kernels/gpu/gpu_stream.h"
#include "tensorflow/core/common_runtime/device/device_event_mgr.h"
#include "tensorflow/core/framework/device_base.h"

namespace candsamp {

using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::TensorShape;

absl::Status AllocateOnGpu(OpKernelContext* context, int64_t bytes, Tensor* memory) {
  return context->allocate_temp(tensorflow::DT_UINT8, TensorShape({std::max<int64_t>(bytes, 1)}),
                                memory);
}

absl::Status AllocatePageLocked(OpKernelContext* context, int64_t count, Tensor* values) {
  tensorflow::AllocatorAttributes attributes;
  attributes.set_on_host(true);
  attributes.set_gpu_compatible(true);
  return context->allocate_temp(tensorflow::DT_INT64, TensorShape({count}), values, attributes);
}

absl::Status Upload(OpKernelContext* context, const Tensor& page_locked, int64_t* to) {
  TF_RETURN_IF_ERROR(GpuStatus(
      CopyToDevice(GpuStream(context), to, page_locked.data(), page_locked.TotalBytes())));
  // Kept until it was copied.
  context->device()->tensorflow_accelerator_device_info()->event_mgr->ThenExecute(
      context->op_device_context()->stream(), [page_locked] {});
  return absl::OkStatus();
}

template <typename T>
absl::Status Download(OpKernelContext* context, const Tensor& tensor, std::vector<T>* values) {
  values->resize(tensor.NumElements());
  return GpuStatus(CopyToHostAndWait(GpuStream(context), values->data(), tensor.data(),
                                     values->size() * sizeof(T)));
}
template absl::Status Download(OpKernelContext*, const Tensor&, std::vector<int64_t>*);
template absl::Status Download(OpKernelContext*, const Tensor&, std::vector<float>*);

}  // namespace candsamp
