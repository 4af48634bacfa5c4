// SPDX-License-Identifier: Apache-2.0
// What the C interface hands out: calls that can be run again and again, and their memory.
#ifndef TF_CANDSAMP_BENCHMARKS_GPU_CALLS_H_
#define TF_CANDSAMP_BENCHMARKS_GPU_CALLS_H_

#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "cc/cuda/core/device_runtime.h"
#include "cc/cuda/core/launch.h"

#define CANDSAMP_EXPORT extern "C" __attribute__((visibility("default")))

namespace candsamp {

// Device memory. After an error it allocates nothing more.
class Memory {
 public:
  Memory() = default;
  ~Memory() {
    for (void* memory : memory_) cudaFree(memory);
  }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  template <typename T>
  T* Of(int64_t count) {
    void* memory = nullptr;
    if (error_ == cudaSuccess) {
      Note(cudaMalloc(&memory, static_cast<size_t>(count > 0 ? count : 1) * sizeof(T)));
    }
    if (memory) memory_.push_back(memory);
    return static_cast<T*>(memory);
  }
  void* Scratch(const LaunchPlan& plan) {
    Note(plan.error);
    return Of<char>(plan.scratch_bytes);
  }
  void Note(int error) {
    if (error_ == cudaSuccess) error_ = error;
  }
  int error() const { return error_; }

 private:
  int error_ = cudaSuccess;
  std::vector<void*> memory_;
};

// Scratch of one call after the other, in one piece of memory.
class ScratchRuntime : public DeviceRuntime {
 public:
  ScratchRuntime(void* memory, size_t bytes) : memory_(static_cast<char*>(memory)), bytes_(bytes) {}

  // Begins a call, whose scratch may lie where that of the last one was.
  void Begin(CudaStream cuda_stream) {
    stream_ = cuda_stream;
    used_ = 0;
  }
  size_t most() const { return most_; }  // bytes that a call used

  CudaStream stream() const override { return stream_; }
  void* AllocateBytes(size_t bytes) override {
    const size_t at = used_;
    used_ += (bytes + 255) / 256 * 256;
    most_ = std::max(most_, used_);
    return used_ <= bytes_ ? memory_ + at : nullptr;
  }

 private:
  char* memory_;
  size_t bytes_, used_ = 0, most_ = 0;
  CudaStream stream_ = nullptr;
};

// Launches that can be run again and again.
struct Call {
  Memory memory;
  std::function<int(CudaStream)> run;
  std::function<int64_t()> bytes;  // of memory that a run has used beside its inputs; or nothing
};

// The object, or null after an error.
template <typename T>
T* Finished(std::unique_ptr<T> made, int* error) {
  *error = made->memory.error();
  return *error == cudaSuccess ? made.release() : nullptr;
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_BENCHMARKS_GPU_CALLS_H_
