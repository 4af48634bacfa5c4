// A device's memory, as TensorFlow hands it out, and copies from and to it.
#ifndef TF_CANDSAMP_CC_KERNELS_GPU_GPU_MEMORY_H_
#define TF_CANDSAMP_CC_KERNELS_GPU_GPU_MEMORY_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "cc/kernels/framework/tensor_data.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace candsamp {

// Memory that lives as long as the tensor does. TensorFlow reuses it in the order of the stream:
// what was launched before may go on using it. At least one byte.
absl::Status AllocateOnGpu(tensorflow::OpKernelContext* context, int64_t bytes,
                           tensorflow::Tensor* memory);

// Row splits as page-locked memory of the host's, to be filled and uploaded.
absl::Status AllocatePageLocked(tensorflow::OpKernelContext* context, int64_t count,
                                tensorflow::Tensor* values);
// Copies them, without waiting.
absl::Status Upload(tensorflow::OpKernelContext* context, const tensorflow::Tensor& page_locked,
                    int64_t* to);

// Copies an int64 or float tensor of the device's, and waits for it.
template <typename T>
absl::Status Download(tensorflow::OpKernelContext* context, const tensorflow::Tensor& tensor,
                      std::vector<T>* values);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_GPU_GPU_MEMORY_H_
