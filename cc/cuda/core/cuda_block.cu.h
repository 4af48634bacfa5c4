// SPDX-License-Identifier: Apache-2.0
// A block of a CUDA grid, and the __global__ function that runs a kernel on all blocks. See team.h.
#ifndef TF_CANDSAMP_CC_CUDA_CORE_CUDA_BLOCK_CU_H_
#define TF_CANDSAMP_CC_CUDA_CORE_CUDA_BLOCK_CU_H_

#include <cooperative_groups.h>

#include <cub/block/block_scan.cuh>

#include "cc/cuda/core/team.h"

namespace candsamp {

constexpr int kBlockThreads = 256;
static_assert(kBlockThreads / 32 <= kMostLaneGroups);

class CudaBlock {
 public:
  __device__ explicit CudaBlock(uint32_t* words) : words_(words) {}

  __device__ int thread() const { return threadIdx.x; }
  __device__ static constexpr int threads() { return kBlockThreads; }
  __device__ int block() const { return blockIdx.x; }
  __device__ int blocks() const { return gridDim.x; }
  static constexpr int kLeastLanes = 32;
  static constexpr int kLaneGroups = kBlockThreads / 32;
  __device__ static constexpr int lanes() { return 32; }
  __device__ static constexpr int lane_groups() { return kLaneGroups; }
  __device__ int lane() const { return threadIdx.x % 32; }
  __device__ int lane_group() const { return threadIdx.x / 32; }
  template <typename T>
  __device__ T SumOfLanes(T value, int least = 1, int most = 32) {
#pragma unroll
    for (int apart = most / 2; apart >= least; apart /= 2) {
      value += __shfl_xor_sync(~0u, value, apart);
    }
    return value;
  }
  template <typename T>
  __device__ T LargestOfLanes(T value) {
#pragma unroll
    for (int apart = 16; apart > 0; apart /= 2) {
      const T other = __shfl_xor_sync(~0u, value, apart);
      value = other > value ? other : value;
    }
    return value;
  }
  __device__ void SyncLanes() { __syncwarp(); }
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
__global__ void __launch_bounds__(kBlockThreads, LeastBlocksOf<Kernel>::value)
    RunKernel(Kernel kernel) {
  __shared__ __align__(16) uint32_t words[SharedWordsOf<Kernel>::value];
  CudaBlock block(words);
  kernel(block);
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_CORE_CUDA_BLOCK_CU_H_
