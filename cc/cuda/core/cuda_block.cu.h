// A block of threads on a device, and what launches kernels on it. See team.h.
#ifndef TF_CANDSAMP_CC_CUDA_CORE_CUDA_BLOCK_CU_H_
#define TF_CANDSAMP_CC_CUDA_CORE_CUDA_BLOCK_CU_H_

#include <cooperative_groups.h>
#include <cuda_runtime.h>

#include <atomic>
#include <cub/block/block_scan.cuh>

#include "cc/cuda/core/launch.h"
#include "cc/cuda/core/team.h"

namespace candsamp {

constexpr int kBlockThreads = 256;

class CudaBlock {
 public:
  __device__ explicit CudaBlock(uint32_t* words) : words_(words) {}

  __device__ int thread() const { return threadIdx.x; }
  __device__ static constexpr int threads() { return kBlockThreads; }
  __device__ int block() const { return blockIdx.x; }
  __device__ int blocks() const { return gridDim.x; }
  __device__ uint32_t* words() { return words_; }
  __device__ void Sync() { __syncthreads(); }
  __device__ void SyncGrid() { cooperative_groups::this_grid().sync(); }

  template <typename T, typename Op>
  __device__ T ExclusiveScan(const T& value, const T& identity, Op op, T* total) {
    using Scan = cub::BlockScan<T, kBlockThreads>;
    __shared__ typename Scan::TempStorage storage;
    T before;
    Scan(storage).ExclusiveScan(value, before, identity, op, *total);
    __syncthreads();
    return before;
  }

 private:
  uint32_t* words_;
};

template <typename Kernel>
__global__ void __launch_bounds__(kBlockThreads) RunKernel(Kernel kernel) {
  __shared__ __align__(16) uint32_t words[kSharedWords];
  CudaBlock block(words);
  kernel(block);
}

// How many blocks of a kernel the current device runs at a time.
template <typename Kernel>
cudaError_t ResidentBlocks(int* blocks) {
  constexpr int kDevices = 64;
  static std::atomic<int> known[kDevices];
  int device;
  cudaError_t error = cudaGetDevice(&device);
  if (error != cudaSuccess) return error;
  *blocks = device < kDevices ? known[device].load(std::memory_order_relaxed) : 0;
  if (*blocks > 0) return cudaSuccess;
  int processors, each;
  error = cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device);
  if (error != cudaSuccess) return error;
  error = cudaOccupancyMaxActiveBlocksPerMultiprocessor(&each, RunKernel<Kernel>, kBlockThreads, 0);
  if (error != cudaSuccess) return error;
  *blocks = processors * each;
  if (device < kDevices) known[device].store(*blocks, std::memory_order_relaxed);
  return cudaSuccess;
}

// So many blocks as there is work for, and as run at a time; `scratch_words` says what they need.
template <typename Kernel, typename ScratchWords>
LaunchPlan PlanTogether(int64_t wanted_blocks, ScratchWords scratch_words) {
  int resident = 1;
  const cudaError_t error = ResidentBlocks<Kernel>(&resident);
  const int blocks = static_cast<int>(Most(1, Least(wanted_blocks, resident)));
  return {error, blocks, scratch_words(blocks) * 8};
}

// Launches on a stream. After an error nothing more is launched.
class CudaLauncher {
 public:
  explicit CudaLauncher(CudaStream stream) : stream_(static_cast<cudaStream_t>(stream)) {}

  cudaError_t error() const { return error_; }
  cudaStream_t stream() const { return stream_; }

  void Note(cudaError_t error) {
    if (error_ == cudaSuccess) error_ = error;
  }
  void Clear(void* memory, size_t bytes) {
    if (error_ == cudaSuccess) Note(cudaMemsetAsync(memory, 0, bytes, stream_));
  }
  template <typename Kernel>
  void ForEach(int64_t items, const Kernel& kernel) {
    int resident = 0;
    if (error_ == cudaSuccess) Note(ResidentBlocks<Kernel>(&resident));
    if (error_ != cudaSuccess) return;
    const int64_t blocks = (items + kBlockThreads - 1) / kBlockThreads;
    void* arguments[] = {const_cast<Kernel*>(&kernel)};
    // Not <<<>>>, whose errors are told from earlier ones by nothing.
    Note(cudaLaunchKernel(reinterpret_cast<const void*>(RunKernel<Kernel>),
                          dim3(static_cast<unsigned>(Most(1, Least(blocks, resident)))),
                          dim3(kBlockThreads), arguments, 0, stream_));
  }
  // REQUIRES: no more blocks than PlanTogether allows.
  template <typename Kernel>
  void Together(int blocks, const Kernel& kernel) {
    if (error_ != cudaSuccess) return;
    void* arguments[] = {const_cast<Kernel*>(&kernel)};
    Note(cudaLaunchCooperativeKernel(reinterpret_cast<const void*>(RunKernel<Kernel>), dim3(blocks),
                                     dim3(kBlockThreads), arguments, 0, stream_));
  }

 private:
  cudaStream_t stream_;
  cudaError_t error_ = cudaSuccess;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_CORE_CUDA_BLOCK_CU_H_
