// SPDX-License-Identifier: Apache-2.0
#include "cc/cuda/core/copies.h"

#include <cuda_runtime_api.h>

#include <cstring>

namespace candsamp {
namespace {

cudaStream_t StreamOf(CudaStream cuda_stream) { return static_cast<cudaStream_t>(cuda_stream); }

int CopyAndWait(CudaStream cuda_stream, void* to, const void* from, size_t bytes,
                cudaMemcpyKind kind) {
  const cudaError_t error = cudaMemcpyAsync(to, from, bytes, kind, StreamOf(cuda_stream));
  return error != cudaSuccess ? error : cudaStreamSynchronize(StreamOf(cuda_stream));
}

// A few page-locked bytes, by way of which numbers come to the host in half the time.
class FewPageLocked {
 public:
  static constexpr size_t kBytes = 64;

  FewPageLocked() {
    if (cudaHostAlloc(&memory_, kBytes, cudaHostAllocPortable) == cudaSuccess) return;
    memory_ = nullptr;
    cudaGetLastError();
  }
  ~FewPageLocked() {
    if (memory_ != nullptr) cudaFreeHost(memory_);
  }
  FewPageLocked(const FewPageLocked&) = delete;
  FewPageLocked& operator=(const FewPageLocked&) = delete;

  void* memory() const { return memory_; }  // nullptr: there is none

 private:
  void* memory_ = nullptr;
};

}  // namespace

int CopyToDevice(CudaStream cuda_stream, void* to, const void* page_locked, size_t bytes) {
  return cudaMemcpyAsync(to, page_locked, bytes, cudaMemcpyHostToDevice, StreamOf(cuda_stream));
}

int CopyOnDevice(CudaStream cuda_stream, void* to, const void* from, size_t bytes) {
  return cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, StreamOf(cuda_stream));
}

int ClearOnDevice(CudaStream cuda_stream, void* memory, size_t bytes) {
  return cudaMemsetAsync(memory, 0, bytes, StreamOf(cuda_stream));
}

int CopyToDeviceAndWait(CudaStream cuda_stream, void* to, const void* from, size_t bytes) {
  return CopyAndWait(cuda_stream, to, from, bytes, cudaMemcpyHostToDevice);
}

int CopyToHostAndWait(CudaStream cuda_stream, void* to, const void* from, size_t bytes) {
  thread_local const FewPageLocked few;
  void* const by = bytes <= FewPageLocked::kBytes ? few.memory() : nullptr;
  const int error =
      CopyAndWait(cuda_stream, by == nullptr ? to : by, from, bytes, cudaMemcpyDeviceToHost);
  if (error == cudaSuccess && by != nullptr) std::memcpy(to, by, bytes);
  return error;
}

}  // namespace candsamp
