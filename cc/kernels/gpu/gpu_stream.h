// A GPU op's way to cc/cuda and back: the stream to launch on, and the status of a launch.
#ifndef TF_CANDSAMP_CC_KERNELS_GPU_GPU_STREAM_H_
#define TF_CANDSAMP_CC_KERNELS_GPU_GPU_STREAM_H_

#include "absl/status/status.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace candsamp {

// The cudaStream_t on which TensorFlow runs this op.
void* GpuStream(tensorflow::OpKernelContext* context);

// What a launcher returned, a cudaError_t, as the op's status.
absl::Status GpuStatus(int cuda_error);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_GPU_GPU_STREAM_H_
