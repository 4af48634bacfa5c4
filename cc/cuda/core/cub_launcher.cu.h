// SPDX-License-Identifier: Apache-2.0
// A CudaLauncher with CUB's sort and sum, and with a side. See team.h for what a launcher is.
#ifndef TF_CANDSAMP_CC_CUDA_CORE_CUB_LAUNCHER_CU_H_
#define TF_CANDSAMP_CC_CUDA_CORE_CUB_LAUNCHER_CU_H_

#include <cub/device/device_radix_sort.cuh>
#include <cub/device/device_scan.cuh>

#include "cc/cuda/core/copies.h"
#include "cc/cuda/core/cuda_launcher.cu.h"
#include "cc/cuda/core/side_stream.h"

namespace candsamp {

class CubLauncher : public CudaLauncher {
 public:
  using CudaLauncher::CudaLauncher;
  class Side;

  void SortPairs(void* memory, size_t* bytes, const int64_t* keys, int64_t* sorted_keys,
                 const int64_t* values, int64_t* sorted_values, int64_t count, int bits = 64) {
    if (error() != cudaSuccess) return;
    Note(cub::DeviceRadixSort::SortPairs(memory, *bytes, keys, sorted_keys, values, sorted_values,
                                         count, 0, bits, cuda_stream()));
  }
  void ExclusiveSum(void* memory, size_t* bytes, int64_t* values, int64_t count) {
    if (error() != cudaSuccess) return;
    Note(cub::DeviceScan::ExclusiveSum(memory, *bytes, values, values, count, cuda_stream()));
  }
  template <typename Meanwhile>
  void NumbersToHostAndWait(void* to, const void* from, size_t bytes, Meanwhile meanwhile) {
    if (error() != cudaSuccess) return;
    NumbersToHost numbers(cuda_stream(), to, from, bytes);
    meanwhile();
    Note(static_cast<cudaError_t>(numbers.Wait()));
  }
  void NumbersToHostAndWait(void* to, const void* from, size_t bytes) {
    NumbersToHostAndWait(to, from, bytes, [] {});
  }
};

class CubLauncher::Side {
 public:
  explicit Side(CubLauncher& beside)
      : beside_(beside), stream_(beside.cuda_stream()), launcher_(stream_.stream()) {}
  ~Side() { Join(); }

  CubLauncher& launcher() { return launcher_; }
  void Fork() {
    forked_ = true;
    Note(stream_.Fork());
  }
  void Join() {
    if (forked_) Note(stream_.Join());
    forked_ = false;
  }
  void Mark() { Note(stream_.Mark()); }
  void JoinMark() { Note(stream_.JoinMark()); }

 private:
  void Note(int error) {
    beside_.Note(launcher_.error());
    beside_.Note(static_cast<cudaError_t>(error));
  }

  CubLauncher& beside_;
  SideStream stream_;
  CubLauncher launcher_;
  bool forked_ = false;  // and not joined since
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_CORE_CUB_LAUNCHER_CU_H_
