// Copies between the host and a device. Free of CUDA's headers. What returns an int returns a
// cudaError_t, of which 0 is success.
#ifndef TF_CANDSAMP_CC_CUDA_COPIES_H_
#define TF_CANDSAMP_CC_CUDA_COPIES_H_

#include <stddef.h>

#include "cc/cuda/samplers.h"

namespace candsamp {

// From page-locked memory, without waiting: release(owner) is called when that can be used again,
// on a thread of the driver's, where it must not call CUDA. It is called in any case.
int CopyToDevice(CudaStream stream, void* to, const void* page_locked, size_t bytes,
                 void (*release)(void*), void* owner);

// Within the device, without waiting.
int CopyOnDevice(CudaStream stream, void* to, const void* from, size_t bytes);

// These wait until the copy is there.
int CopyToDeviceAndWait(CudaStream stream, void* to, const void* from, size_t bytes);
int CopyToHostAndWait(CudaStream stream, void* to, const void* from, size_t bytes);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_COPIES_H_
