// A backend for sampler_checks.h: threads that stand for a device.
#ifndef TF_CANDSAMP_TESTS_CUDA_HOST_BACKEND_H_
#define TF_CANDSAMP_TESTS_CUDA_HOST_BACKEND_H_

#include <algorithm>
#include <memory>
#include <vector>

#include "cc/cuda/classes/accidental_hits.h"
#include "cc/cuda/samplers/all_candidates.h"
#include "cc/cuda/samplers/draw_batch.h"
#include "cc/cuda/samplers/draw_rows.h"
#include "cc/cuda/samplers/learned_unigram_launchers.h"
#include "tests/cuda/host_grid.h"

namespace candsamp {

class HostLauncher {
 public:
  explicit HostLauncher(GridShape shape) : shape_(shape) {}

  template <typename Kernel>
  void ForEach(int64_t, const Kernel& kernel) {
    RunOnGrid(shape_, kernel);
  }
  template <typename Kernel>
  void Together(int blocks, const Kernel& kernel) {
    RunOnGrid({blocks, shape_.threads}, kernel);
  }

 private:
  GridShape shape_;
};

class HostBackend {
 public:
  explicit HostBackend(GridShape shape) : shape_(shape), launcher_(shape) {}

  // Not a byte more than asked for: what reads or writes beyond shows under AddressSanitizer.
  template <typename T>
  T* Upload(const std::vector<T>& values) {
    T* const memory = static_cast<T*>(Allocate(values.size() * sizeof(T)));
    std::copy(values.begin(), values.end(), memory);
    return memory;
  }
  template <typename T>
  std::vector<T> Download(const T* from, int64_t count) {
    return std::vector<T>(from, from + count);
  }
  void Free() { memory_.clear(); }

  template <typename View>
  void Batch(const View& view, const BatchDraw& draw) {
    const BatchScratch at =
        BatchScratch::For(draw.num_sampled, draw.unique, shape_.blocks, shape_.threads);
    SampleBatch(launcher_, shape_.blocks, view, draw, at, Scratch(at.words));
  }
  template <typename View>
  void Rows(const View& view, const RowsDraw& draw, int64_t most_sampled, int64_t total) {
    const RowsScratch at =
        RowsScratch::For(draw, most_sampled, total, shape_.blocks, shape_.threads);
    launcher_.Together(shape_.blocks, SampleRows<View>{view, draw, at, Scratch(at.words)});
  }
  template <typename View>
  void Probabilities(const View& view, const int64_t* ids, int64_t count, float* out) {
    launcher_.ForEach(count, ProbabilitiesOf<View>{view, ids, count, out});
  }
  void Build(const LearnedCounts& learned, int64_t total) {
    Count({learned, nullptr, 0, true, total, nullptr, nullptr});
  }
  void Count(const LearnedCounts& learned, const int64_t* classes, int64_t count) {
    Count({learned, classes, count, false, 0, nullptr, nullptr});
  }
  void Hits(const HitsInput& input, std::vector<int32_t>* rows, std::vector<int64_t>* positions,
            std::vector<float>* weights) {
    const HitsScratch at = HitsScratch::For(input, 0);
    int64_t* const scratch = reinterpret_cast<int64_t*>(Scratch(at.words));
    launcher_.ForEach(input.num_candidates,
                      NumberCandidates{input.num_candidates, scratch + at.positions});
    int64_t* const order = scratch + at.order;
    std::copy_n(scratch + at.positions, input.num_candidates, order);
    std::stable_sort(order, order + input.num_candidates, [&](int64_t a, int64_t b) {
      return input.candidates[a] < input.candidates[b];
    });
    for (int64_t k = 0; k < input.num_candidates; ++k) {
      scratch[at.sorted + k] = input.candidates[order[k]];
    }
    launcher_.ForEach(input.num_true, CountHits{input, at, scratch});
    int64_t sum = 0;
    for (int64_t k = 0; k <= input.num_true; ++k) {
      const int64_t hits = k < input.num_true ? scratch[at.offsets + k] : 0;
      scratch[at.offsets + k] = sum;
      sum += hits;
    }
    rows->resize(sum);
    positions->resize(sum);
    weights->resize(sum);
    launcher_.ForEach(
        input.num_true,
        WriteHits{input, at, scratch, {rows->data(), positions->data(), weights->data()}});
  }
  void All(const AllCandidates& all) { launcher_.ForEach(Most(all.count, all.num_true), all); }

 private:
  void* Allocate(size_t bytes) {
    memory_.emplace_back(std::aligned_alloc(64, (bytes + 64) / 64 * 64), std::free);
    return memory_.back().get();
  }
  // Filled with bits that are NaNs.
  uint64_t* Scratch(int64_t words) { return Upload(std::vector<uint64_t>(words, ~uint64_t{0})); }
  void Count(CountArguments arguments) {
    arguments.filled = Scratch(arguments.count);
    arguments.heavy = Scratch(CountArguments::HeavyClasses(arguments.learned.range));
    launcher_.Together(shape_.blocks, CountClasses{arguments});
  }

  GridShape shape_;
  HostLauncher launcher_;
  std::vector<std::unique_ptr<void, void (*)(void*)>> memory_;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_TESTS_CUDA_HOST_BACKEND_H_
