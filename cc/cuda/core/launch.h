// What every launcher is given and returns. Free of TensorFlow, and of CUDA's headers.
#ifndef TF_CANDSAMP_CC_CUDA_CORE_LAUNCH_H_
#define TF_CANDSAMP_CC_CUDA_CORE_LAUNCH_H_

#include <stdint.h>

namespace candsamp {

using CudaStream = void*;  // a cudaStream_t

// How a call is going to be launched on the current device.
struct LaunchPlan {
  int error;
  int blocks;
  int64_t scratch_bytes;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_CORE_LAUNCH_H_
