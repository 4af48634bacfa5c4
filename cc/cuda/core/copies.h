// SPDX-License-Identifier: Apache-2.0
// Copies between the host's memory and a device's. See launch.h for streams and errors.
#ifndef TF_CANDSAMP_CC_CUDA_CORE_COPIES_H_
#define TF_CANDSAMP_CC_CUDA_CORE_COPIES_H_

#include <stddef.h>

#include "cc/cuda/core/launch.h"

namespace candsamp {

// Does not wait: the page-locked memory must stay as it is until the copy is made.
int CopyToDevice(CudaStream cuda_stream, void* to, const void* page_locked, size_t bytes);

// Copies within the device. Does not wait.
int CopyOnDevice(CudaStream cuda_stream, void* to, const void* from, size_t bytes);

// Writes zeros. Does not wait.
int ClearOnDevice(CudaStream cuda_stream, void* memory, size_t bytes);

// These wait until the copy is made.
int CopyToDeviceAndWait(CudaStream cuda_stream, void* to, const void* from, size_t bytes);
int CopyToHostAndWait(CudaStream cuda_stream, void* to, const void* from, size_t bytes);

// A copy of some numbers, at most kMostBytes, to the host. What is launched between its making and
// Wait() keeps the device busy while the host learns of them. A thread has one at a time.
class NumbersToHost {
 public:
  static constexpr size_t kMostBytes = 64;

  NumbersToHost(CudaStream cuda_stream, void* to, const void* from, size_t bytes);
  ~NumbersToHost();
  NumbersToHost(const NumbersToHost&) = delete;
  NumbersToHost& operator=(const NumbersToHost&) = delete;

  // Waits until the numbers are there. Returns the first error.
  int Wait();

 private:
  void* const to_;
  const size_t bytes_;
  void* by_ = nullptr;     // page-locked
  void* event_ = nullptr;  // a cudaEvent_t
  int error_ = 0;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_CORE_COPIES_H_
