// Copies between the host and a device. Free of CUDA's headers. What returns an int returns a
// cudaError_t, of which 0 is success.
#ifndef TF_CANDSAMP_CC_CUDA_CORE_COPIES_H_
#define TF_CANDSAMP_CC_CUDA_CORE_COPIES_H_

#include <stddef.h>

#include "cc/cuda/core/launch.h"

namespace candsamp {

// From page-locked memory, without waiting: that must stay as it is until the copy was made.
int CopyToDevice(CudaStream stream, void* to, const void* page_locked, size_t bytes);

// Within the device, without waiting.
int CopyOnDevice(CudaStream stream, void* to, const void* from, size_t bytes);

// These wait until the copy is there.
int CopyToDeviceAndWait(CudaStream stream, void* to, const void* from, size_t bytes);
int CopyToHostAndWait(CudaStream stream, void* to, const void* from, size_t bytes);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_CORE_COPIES_H_
