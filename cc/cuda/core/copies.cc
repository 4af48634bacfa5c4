#include "cc/cuda/core/copies.h"

#include <cuda_runtime_api.h>

namespace candsamp {
namespace {

cudaStream_t StreamOf(CudaStream stream) { return static_cast<cudaStream_t>(stream); }

int CopyAndWait(CudaStream stream, void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  const cudaError_t error = cudaMemcpyAsync(to, from, bytes, kind, StreamOf(stream));
  return error != cudaSuccess ? error : cudaStreamSynchronize(StreamOf(stream));
}

}  // namespace

int CopyToDevice(CudaStream stream, void* to, const void* page_locked, size_t bytes) {
  return cudaMemcpyAsync(to, page_locked, bytes, cudaMemcpyHostToDevice, StreamOf(stream));
}

int CopyOnDevice(CudaStream stream, void* to, const void* from, size_t bytes) {
  return cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, StreamOf(stream));
}

int CopyToDeviceAndWait(CudaStream stream, void* to, const void* from, size_t bytes) {
  return CopyAndWait(stream, to, from, bytes, cudaMemcpyHostToDevice);
}

int CopyToHostAndWait(CudaStream stream, void* to, const void* from, size_t bytes) {
  return CopyAndWait(stream, to, from, bytes, cudaMemcpyDeviceToHost);
}

}  // namespace candsamp
