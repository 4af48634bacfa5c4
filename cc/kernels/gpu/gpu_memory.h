// SPDX-License-Identifier: Apache-2.0
// A device's memory, as TensorFlow's allocator gives it, and copies from and to it.
#ifndef TF_CANDSAMP_CC_KERNELS_GPU_GPU_MEMORY_H_
#define TF_CANDSAMP_CC_KERNELS_GPU_GPU_MEMORY_H_

#include <cstdint>

#include "cc/kernels/framework/tf_names.h"

namespace candsamp {

// Allocates memory that lives as long as the tensor, at least one byte. TensorFlow reuses it in the
// order of the CUDA stream: what was launched before may go on using it.
absl::Status AllocateOnGpu(OpKernelContext* context, int64_t bytes, Tensor* memory);

// Allocates page-locked memory of the host's for `size` row splits, to be filled and uploaded.
absl::Status AllocatePageLocked(OpKernelContext* context, int64_t size, Tensor* splits);
// Copies page-locked memory to the device, without waiting.
absl::Status Upload(OpKernelContext* context, const Tensor& page_locked, int64_t* to);

// Copies a tensor of the device's into one of the host's, and waits for it.
absl::Status Download(OpKernelContext* context, const Tensor& tensor, Tensor* on_host);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_GPU_GPU_MEMORY_H_
