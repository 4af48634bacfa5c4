#include <cub/device/device_radix_sort.cuh>
#include <cub/device/device_scan.cuh>

#include "cc/cuda/classes/accidental_hits.h"
#include "cc/cuda/core/cuda_block.cu.h"

namespace candsamp {
namespace {

// CUB's sort and scan, one after the other in the same memory. Without memory: how much they need.
class Library {
 public:
  Library(const HitsInput& input, const HitsScratch& at, int64_t* scratch)
      : input_(input), at_(at), scratch_(scratch) {}

  cudaError_t Sort(void* memory, size_t* bytes, cudaStream_t stream) const {
    return cub::DeviceRadixSort::SortPairs(memory, *bytes, input_.candidates, scratch_ + at_.sorted,
                                           scratch_ + at_.positions, scratch_ + at_.order,
                                           input_.num_candidates, 0, 64, stream);
  }
  cudaError_t Scan(void* memory, size_t* bytes, cudaStream_t stream) const {
    int64_t* const offsets = scratch_ + at_.offsets;
    return cub::DeviceScan::ExclusiveSum(memory, *bytes, offsets, offsets, input_.num_true + 1,
                                         stream);
  }
  cudaError_t Bytes(size_t* bytes) const {
    size_t sort = 0, scan = 0;
    const cudaError_t error = Sort(nullptr, &sort, nullptr);
    const cudaError_t second = Scan(nullptr, &scan, nullptr);
    *bytes = sort > scan ? sort : scan;
    return error != cudaSuccess ? error : second;
  }

 private:
  const HitsInput& input_;
  const HitsScratch& at_;
  int64_t* scratch_;
};

HitsScratch ScratchFor(const HitsInput& input, size_t* library_bytes, cudaError_t* error) {
  const HitsScratch without = HitsScratch::For(input, 0);
  *error = Library(input, without, nullptr).Bytes(library_bytes);
  return HitsScratch::For(input, static_cast<int64_t>(*library_bytes));
}

}  // namespace

LaunchPlan PlanHits(const HitsInput& input) {
  size_t bytes = 0;
  cudaError_t error;
  const HitsScratch at = ScratchFor(input, &bytes, &error);
  return {error, 0, at.words * 8};
}

int LaunchFindHits(CudaStream stream, const HitsInput& input, void* scratch, int64_t* found) {
  size_t bytes = 0;
  cudaError_t error;
  const HitsScratch at = ScratchFor(input, &bytes, &error);
  int64_t* const words = static_cast<int64_t*>(scratch);
  void* const memory = words + at.library;
  CudaLauncher launcher(stream);
  launcher.Note(error);
  launcher.ForEach(input.num_candidates,
                   NumberCandidates{input.num_candidates, words + at.positions});
  const Library library(input, at, words);
  if (launcher.error() == cudaSuccess)
    launcher.Note(library.Sort(memory, &bytes, launcher.stream()));
  launcher.Clear(words + at.offsets + input.num_true, sizeof *words);
  launcher.ForEach(input.num_true, CountHits{input, at, words});
  if (launcher.error() == cudaSuccess)
    launcher.Note(library.Scan(memory, &bytes, launcher.stream()));
  if (launcher.error() != cudaSuccess) return launcher.error();
  error = cudaMemcpyAsync(found, words + at.offsets + input.num_true, sizeof *found,
                          cudaMemcpyDeviceToHost, launcher.stream());
  return error != cudaSuccess ? error : cudaStreamSynchronize(launcher.stream());
}

int LaunchWriteHits(CudaStream stream, const HitsInput& input, void* scratch,
                    const HitsOutput& output) {
  CudaLauncher launcher(stream);
  launcher.ForEach(input.num_true, WriteHits{input, HitsScratch::For(input, 0),
                                             static_cast<const int64_t*>(scratch), output});
  return launcher.error();
}

}  // namespace candsamp
