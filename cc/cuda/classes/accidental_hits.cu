// SPDX-License-Identifier: Apache-2.0
// Accidental hits on a CUDA device, with CUB's sort and sum.
#include <cub/device/device_radix_sort.cuh>
#include <cub/device/device_scan.cuh>

#include "cc/cuda/classes/accidental_hits.h"
#include "cc/cuda/core/copies.h"
#include "cc/cuda/core/cuda_launcher.cu.h"

namespace candsamp {
namespace {

class CubLauncher : public CudaLauncher {
 public:
  using CudaLauncher::CudaLauncher;

  void SortPairs(void* memory, size_t* bytes, const int64_t* keys, int64_t* sorted_keys,
                 const int64_t* values, int64_t* sorted_values, int64_t count) {
    if (error() != cudaSuccess) return;
    Note(cub::DeviceRadixSort::SortPairs(memory, *bytes, keys, sorted_keys, values, sorted_values,
                                         count, 0, 64, cuda_stream()));
  }
  void ExclusiveSum(void* memory, size_t* bytes, int64_t* values, int64_t count) {
    if (error() != cudaSuccess) return;
    Note(cub::DeviceScan::ExclusiveSum(memory, *bytes, values, values, count, cuda_stream()));
  }
  void CopyToHostAndWait(void* to, const void* from, size_t bytes) {
    if (error() != cudaSuccess) return;
    Note(static_cast<cudaError_t>(candsamp::CopyToHostAndWait(cuda_stream(), to, from, bytes)));
  }
};

}  // namespace

LaunchPlan PlanHits(const HitsInput& input) { return PlanHitsOn(CubLauncher(nullptr), input); }

int LaunchFindHits(CudaStream cuda_stream, const HitsInput& input, void* scratch, int64_t* found) {
  return LaunchFindHitsOn(CubLauncher(cuda_stream), input, scratch, found);
}

int LaunchWriteHits(CudaStream cuda_stream, const HitsInput& input, void* scratch,
                    const HitsOutput& output) {
  return LaunchWriteHitsOn(CubLauncher(cuda_stream), input, scratch, output);
}

}  // namespace candsamp
