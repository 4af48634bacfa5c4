// SPDX-License-Identifier: Apache-2.0
// The CUDA stream of a GPU's op, and the status of what was launched on it.
#ifndef TF_CANDSAMP_CC_KERNELS_GPU_CUDA_STREAM_H_
#define TF_CANDSAMP_CC_KERNELS_GPU_CUDA_STREAM_H_

#include "cc/cuda/core/launch.h"
#include "cc/kernels/framework/tf_names.h"

namespace candsamp {

// The stream on which TensorFlow runs this op.
CudaStream CudaStreamOf(OpKernelContext* context);

// Turns the cudaError_t that a launcher returned into a status.
absl::Status CudaStatus(int cuda_error);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_GPU_CUDA_STREAM_H_
