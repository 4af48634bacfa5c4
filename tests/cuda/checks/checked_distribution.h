// SPDX-License-Identifier: Apache-2.0
// A distribution on the CPU and on a device, for the checks to compare.
#ifndef TF_CANDSAMP_TESTS_CUDA_CHECKS_CHECKED_DISTRIBUTION_H_
#define TF_CANDSAMP_TESTS_CUDA_CHECKS_CHECKED_DISTRIBUTION_H_

#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cc/cuda/samplers/launchers.h"
#include "cc/lib/core/runtime.h"
#include "cc/lib/samplers/fixed_unigram.h"
#include "cc/lib/samplers/learned_unigram.h"
#include "cc/lib/samplers/log_uniform.h"
#include "cc/lib/samplers/uniform.h"

namespace candsamp {

// A Runtime of the calling thread alone.
class SerialRuntime : public Runtime {
 public:
  void ParallelFor(int64_t total, int64_t,
                   const std::function<void(int64_t, int64_t)>& work) override {
    if (total > 0) work(0, total);
  }
  void* AllocateBytes(size_t bytes) override {
    memory_.emplace_back(bytes + kAlignment);
    const uintptr_t at = reinterpret_cast<uintptr_t>(memory_.back().data());
    return reinterpret_cast<void*>((at + kAlignment - 1) / kAlignment * kAlignment);
  }

 private:
  static constexpr size_t kAlignment = 64;
  std::deque<std::vector<char>> memory_;
};

// A distribution on the CPU, and the numbers that a device needs to have the same.
struct CheckedDistribution {
  enum Kind { kUniform, kLogUniform, kFixedUnigram, kLearnedUnigram };
  std::string name;
  Kind kind;
  std::vector<float> weights;
  std::vector<int64_t> counts;
  std::unique_ptr<Distribution> cpu;

  static CheckedDistribution Of(Kind kind, int64_t range) {
    return kind == kUniform
               ? CheckedDistribution{"uniform", kind, {}, {}, std::make_unique<Uniform>(range)}
               : CheckedDistribution{
                     "log-uniform", kind, {}, {}, std::make_unique<LogUniform>(range)};
  }
  static CheckedDistribution Fixed(std::vector<float> weights) {
    CheckedDistribution made = {"fixed unigram", kFixedUnigram, std::move(weights), {}, nullptr};
    made.cpu = std::make_unique<FixedUnigram>(made.weights.data(), made.weights.size());
    return made;
  }
  static CheckedDistribution Learned(std::vector<int64_t> counts) {
    CheckedDistribution made = {"learned unigram", kLearnedUnigram, {}, std::move(counts), nullptr};
    made.cpu = std::make_unique<LearnedUnigram>(made.counts.data(), made.counts.size());
    return made;
  }

  int64_t range() const { return cpu->range(); }
};

// A learned-unigram distribution in a backend's memory, with room for `more` further counts.
template <typename Backend>
LearnedCounts UploadLearned(Backend& backend, const std::vector<int64_t>& counts, int64_t more) {
  const int64_t range = static_cast<int64_t>(counts.size());
  int64_t counted = 0;
  for (const int64_t count : counts) counted += count;
  const SlotBlocks blocks = MostSlotBlocks(counted + more, range);
  LearnedCounts learned;
  learned.range = range;
  learned.counts = backend.Upload(counts);
  learned.state = backend.Upload(std::vector<SlotState>(1));
  learned.places = backend.Upload(std::vector<uint32_t>(blocks.num_blocks * blocks.places));
  learned.taken = backend.Upload(std::vector<uint16_t>(blocks.num_blocks + 1));
  learned.copy = backend.Upload(counts);
  backend.Build(learned, counted + range);
  return learned;
}

// Calls use(view) with the distribution's View in the backend's memory.
template <typename Backend, typename Use>
void WithView(Backend& backend, const CheckedDistribution& checked, Use use) {
  const int64_t range = checked.range();
  switch (checked.kind) {
    case CheckedDistribution::kUniform:
      return use(UniformView(range));
    case CheckedDistribution::kLogUniform:
      return use(LogUniformView(range));
    case CheckedDistribution::kFixedUnigram: {
      const auto& cpu = static_cast<const FixedUnigram&>(*checked.cpu);
      const std::vector<AliasColumn> columns(cpu.columns(), cpu.columns() + range);
      return use(FixedUnigramView(range, cpu.support(), cpu.total(), backend.Upload(columns)));
    }
    case CheckedDistribution::kLearnedUnigram: {
      const LearnedCounts learned = UploadLearned(backend, checked.counts, 0);
      return use(LearnedUnigramView(range, learned.counts, learned.state));
    }
  }
}

// The first place where two vectors differ, bit by bit.
template <typename T>
std::string Difference(const char* what, const std::vector<T>& wanted, const std::vector<T>& got) {
  for (size_t k = 0; k < wanted.size(); ++k) {
    if (std::memcmp(&wanted[k], &got[k], sizeof(T)) != 0) {
      return std::string(what) + "[" + std::to_string(k) + "] is " + std::to_string(got[k]) +
             ", on the CPU " + std::to_string(wanted[k]);
    }
  }
  return "";
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_TESTS_CUDA_CHECKS_CHECKED_DISTRIBUTION_H_
