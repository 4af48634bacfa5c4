// SPDX-License-Identifier: Apache-2.0
// What a computation of several launches needs of its caller: the stream, and scratch memory.
#ifndef TF_CANDSAMP_CC_CUDA_CORE_DEVICE_RUNTIME_H_
#define TF_CANDSAMP_CC_CUDA_CORE_DEVICE_RUNTIME_H_

#include <stddef.h>
#include <stdint.h>

#include "cc/cuda/core/launch.h"

namespace candsamp {

constexpr int kOutOfDeviceMemory = 2;  // cudaErrorMemoryAllocation

// The device's twin of cc/lib/core/runtime.h.
class DeviceRuntime {
 public:
  virtual CudaStream stream() const = 0;

  // At least one byte of device memory, of any content, aligned to 256 bytes, that lives until all
  // is launched; nullptr if there is none. TensorFlow and the tests reuse it in the order of the
  // stream.
  virtual void* AllocateBytes(size_t bytes) = 0;

  // The first error of an allocation, or 0.
  int error() const { return error_; }

  template <typename T>
  T* Allocate(int64_t count) {
    if (error_ != 0) return nullptr;
    void* memory = AllocateBytes(static_cast<size_t>(count > 0 ? count : 1) * sizeof(T));
    if (memory == nullptr) error_ = kOutOfDeviceMemory;
    return static_cast<T*>(memory);
  }

 protected:
  ~DeviceRuntime() = default;

 private:
  int error_ = 0;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_CORE_DEVICE_RUNTIME_H_
