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

// Page-locked memory of a thread: copies to it need no other memory of the driver's.
class PageLocked {
 public:
  explicit PageLocked(size_t bytes) {
    if (cudaHostAlloc(&memory_, bytes, cudaHostAllocPortable) == cudaSuccess) return;
    memory_ = nullptr;
    cudaGetLastError();
  }
  ~PageLocked() {
    if (memory_ != nullptr) cudaFreeHost(memory_);
  }
  PageLocked(const PageLocked&) = delete;
  PageLocked& operator=(const PageLocked&) = delete;

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
  return CopyAndWait(cuda_stream, to, from, bytes, cudaMemcpyDeviceToHost);
}

NumbersToHost::NumbersToHost(CudaStream cuda_stream, void* to, const void* from, size_t bytes)
    : to_(to), bytes_(bytes) {
  thread_local const PageLocked page_locked(kMostBytes);
  by_ = page_locked.memory();
  if (by_ == nullptr) {
    error_ = CopyToHostAndWait(cuda_stream, to, from, bytes);
    return;
  }
  cudaEvent_t event;
  error_ = cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
  if (error_ != cudaSuccess) return;
  event_ = event;
  error_ = cudaMemcpyAsync(by_, from, bytes, cudaMemcpyDeviceToHost, StreamOf(cuda_stream));
  if (error_ == cudaSuccess) error_ = cudaEventRecord(event, StreamOf(cuda_stream));
}

NumbersToHost::~NumbersToHost() {
  if (event_ != nullptr) cudaEventDestroy(static_cast<cudaEvent_t>(event_));
}

int NumbersToHost::Wait() {
  if (error_ != cudaSuccess || event_ == nullptr) return error_;
  error_ = cudaEventSynchronize(static_cast<cudaEvent_t>(event_));
  if (error_ == cudaSuccess) std::memcpy(to_, by_, bytes_);
  return error_;
}

}  // namespace candsamp
