// SPDX-License-Identifier: Apache-2.0
// The launcher that runs kernels on the current CUDA device. See team.h for what a launcher is.
#ifndef TF_CANDSAMP_CC_CUDA_CORE_CUDA_LAUNCHER_CU_H_
#define TF_CANDSAMP_CC_CUDA_CORE_CUDA_LAUNCHER_CU_H_

#include <cuda_runtime.h>

#include <atomic>

#include "cc/cuda/core/cuda_block.cu.h"
#include "cc/cuda/core/launch.h"
#include "cc/cuda/core/team.h"

namespace candsamp {

// How many blocks of a kernel the current device runs at once. Each device is asked once.
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

// After an error it launches nothing more.
class CudaLauncher {
 public:
  explicit CudaLauncher(CudaStream cuda_stream)
      : cuda_stream_(static_cast<cudaStream_t>(cuda_stream)) {}

  static constexpr int threads() { return kBlockThreads; }
  static constexpr int lane_groups() { return CudaBlock::kLaneGroups; }
  cudaError_t error() const { return error_; }
  cudaStream_t cuda_stream() const { return cuda_stream_; }

  void Note(cudaError_t error) {
    if (error_ == cudaSuccess) error_ = error;
  }
  template <typename Kernel, typename ScratchWords>
  LaunchPlan Plan(int64_t wanted_blocks, ScratchWords scratch_words) {
    const int blocks = Blocks<Kernel>(wanted_blocks);
    return {error_, blocks, scratch_words(blocks) * 8};
  }
  void Clear(void* memory, size_t bytes) {
    if (error_ == cudaSuccess) Note(cudaMemsetAsync(memory, 0, bytes, cuda_stream_));
  }
  template <typename Kernel>
  void ForEach(int64_t items, const Kernel& kernel) {
    ForEachBlock((items + kBlockThreads - 1) / kBlockThreads, kernel);
  }
  template <typename Kernel>
  void ForEachLaneGroup(int64_t items, const Kernel& kernel) {
    ForEachBlock((items + CudaBlock::kLaneGroups - 1) / CudaBlock::kLaneGroups, kernel);
  }
  template <typename Kernel>
  void ForEachBlock(int64_t items, const Kernel& kernel) {
    const int blocks = Blocks<Kernel>(items);
    if (error_ != cudaSuccess) return;
    void* arguments[] = {const_cast<Kernel*>(&kernel)};
    // cudaLaunchKernel returns its own error; <<<>>> would leave it in the sticky global one.
    Note(cudaLaunchKernel(reinterpret_cast<const void*>(RunKernel<Kernel>), dim3(blocks),
                          dim3(kBlockThreads), arguments, 0, cuda_stream_));
  }
  // REQUIRES: `blocks` is that of a Plan for this kernel.
  template <typename Kernel>
  void Together(int blocks, const Kernel& kernel) {
    if (error_ != cudaSuccess) return;
    void* arguments[] = {const_cast<Kernel*>(&kernel)};
    Note(cudaLaunchCooperativeKernel(reinterpret_cast<const void*>(RunKernel<Kernel>), dim3(blocks),
                                     dim3(kBlockThreads), arguments, 0, cuda_stream_));
  }

 private:
  // As many blocks as are wanted, but at most those that the device runs at once.
  template <typename Kernel>
  int Blocks(int64_t wanted) {
    int resident = 1;
    if (error_ == cudaSuccess) Note(ResidentBlocks<Kernel>(&resident));
    return static_cast<int>(Most(1, Least(wanted, resident)));
  }

  cudaStream_t cuda_stream_;
  cudaError_t error_ = cudaSuccess;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_CORE_CUDA_LAUNCHER_CU_H_
