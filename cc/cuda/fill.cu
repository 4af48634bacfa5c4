#include "cc/cuda/fill.h"

namespace candsamp {
namespace {

constexpr int kThreads = 256;

__global__ void Fill(int64_t count, int64_t value, int64_t* out) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i < count) out[i] = value;
}

}  // namespace

int LaunchFill(void* stream, int64_t count, int64_t value, int64_t* out) {
  if (count <= 0) return cudaSuccess;
  const unsigned blocks = static_cast<unsigned>((count + kThreads - 1) / kThreads);
  Fill<<<blocks, kThreads, 0, static_cast<cudaStream_t>(stream)>>>(count, value, out);
  return cudaGetLastError();
}

}  // namespace candsamp
