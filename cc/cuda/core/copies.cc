// SPDX-License-Identifier: Apache-2.0
#include "cc/cuda/core/copies.h"

#include <cuda_runtime_api.h>

namespace candsamp {
namespace {

cudaStream_t StreamOf(CudaStream cuda_stream) { return static_cast<cudaStream_t>(cuda_stream); }

int CopyAndWait(CudaStream cuda_stream, void* to, const void* from, size_t bytes,
                cudaMemcpyKind kind) {
  const cudaError_t error = cudaMemcpyAsync(to, from, bytes, kind, StreamOf(cuda_stream));
  return error != cudaSuccess ? error : cudaStreamSynchronize(StreamOf(cuda_stream));
}

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

}  // namespace candsamp
