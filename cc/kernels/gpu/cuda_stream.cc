// SPDX-License-Identifier: Apache-2.0
#include "cc/kernels/gpu/cuda_stream.h"

#include "cc/cuda/core/errors.h"
#include "tensorflow/core/framework/device_base.h"
#include "xla/stream_executor/stream.h"

namespace candsamp {

CudaStream CudaStreamOf(OpKernelContext* context) {
  return context->op_device_context()->stream()->platform_specific_handle().stream;
}

absl::Status CudaStatus(int cuda_error) {
  if (cuda_error == 0) return absl::OkStatus();
  return absl::InternalError(CudaErrorText(cuda_error));
}

}  // namespace candsamp
