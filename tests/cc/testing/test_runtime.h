// SPDX-License-Identifier: Apache-2.0
// A Runtime for tests: cuts the work anywhere, runs it in any order, and hands out exact memory.
#ifndef TF_CANDSAMP_TESTS_CC_TESTING_TEST_RUNTIME_H_
#define TF_CANDSAMP_TESTS_CC_TESTING_TEST_RUNTIME_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cc/lib/core/runtime.h"

namespace candsamp {

class TestRuntime : public Runtime {
 public:
  // One range, in the calling thread.
  static TestRuntime Whole() { return TestRuntime("whole", Cutting::kNone, 0, 0); }
  // Every unit by itself, the last one first.
  static TestRuntime Units() { return TestRuntime("units", Cutting::kUnits, 0, 0); }
  // A few ranges, cut at random places and run in random order.
  static TestRuntime RandomCuts(uint32_t seed) {
    return TestRuntime("random cuts " + std::to_string(seed), Cutting::kRandom, seed, 0);
  }
  // The same on `threads` threads.
  static TestRuntime Threads(int threads) {
    return TestRuntime(std::to_string(threads) + " threads", Cutting::kRandom, threads, threads);
  }

  // Runtimes that differ in everything that no result may depend on.
  static std::vector<TestRuntime> Various() {
    std::vector<TestRuntime> runtimes;
    runtimes.push_back(Whole());
    runtimes.push_back(Units());
    for (uint32_t seed = 1; seed <= 3; ++seed) runtimes.push_back(RandomCuts(seed));
    for (const int threads : {1, 2, 5}) runtimes.push_back(Threads(threads));
    return runtimes;
  }

  void ParallelFor(int64_t total, int64_t cost,
                   const std::function<void(int64_t, int64_t)>& work) override {
    EXPECT_GE(total, 0);
    EXPECT_GE(cost, 0);
    EXPECT_EQ(std::this_thread::get_id(), owner_);
    EXPECT_FALSE(running_) << "ParallelFor inside ParallelFor";
    if (total <= 0) return;
    running_ = true;
    const std::vector<std::pair<int64_t, int64_t>> ranges = Cut(total);
    std::atomic<size_t> next{0};
    const auto run = [&] {
      for (size_t k = next++; k < ranges.size(); k = next++) {
        work(ranges[k].first, ranges[k].second);
      }
    };
    std::vector<std::thread> threads;
    for (int t = 0; t < threads_; ++t) threads.emplace_back(run);
    if (threads_ == 0) run();
    for (std::thread& thread : threads) thread.join();
    running_ = false;
  }

  // Memory of exactly the size, so that AddressSanitizer sees every overrun. It is full of NaNs, so
  // that reads before writes show.
  void* AllocateBytes(size_t bytes) override {
    EXPECT_EQ(std::this_thread::get_id(), owner_);
    EXPECT_FALSE(running_) << "allocation inside ParallelFor";
    if (allocations_left_-- <= 0 || bytes > most_bytes_ - allocated_bytes_) throw std::bad_alloc();
    ++allocations_;
    allocated_bytes_ += bytes;
    scratch_.emplace_back(::operator new(bytes, kAlignment));
    std::memset(scratch_.back().get(), 0xff, bytes);
    return scratch_.back().get();
  }

  // The allocation after the next `count` ones throws.
  void LimitAllocations(int64_t count) { allocations_left_ = count; }

  // Allocations of more than `bytes` altogether throw.
  void LimitBytes(size_t bytes) { most_bytes_ = bytes; }

  const std::string& name() const { return name_; }
  int64_t allocations() const { return allocations_; }
  size_t allocated_bytes() const { return allocated_bytes_; }

 private:
  enum class Cutting { kNone, kUnits, kRandom };
  static constexpr std::align_val_t kAlignment{64};
  struct Release {
    void operator()(void* memory) const { ::operator delete(memory, kAlignment); }
  };

  TestRuntime(std::string name, Cutting cutting, uint32_t seed, int threads)
      : name_(std::move(name)), cutting_(cutting), random_(seed), threads_(threads) {}

  std::vector<std::pair<int64_t, int64_t>> Cut(int64_t total) {
    std::vector<int64_t> cuts = {0, total};
    if (cutting_ == Cutting::kUnits) {
      for (int64_t k = 1; k < total; ++k) cuts.push_back(k);
    } else if (cutting_ == Cutting::kRandom) {
      const int64_t count = std::uniform_int_distribution<int64_t>(0, 20)(random_);
      std::uniform_int_distribution<int64_t> place(0, total);
      for (int64_t k = 0; k < count; ++k) cuts.push_back(place(random_));
    }
    std::sort(cuts.begin(), cuts.end());
    cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
    std::vector<std::pair<int64_t, int64_t>> ranges;
    for (size_t k = 0; k + 1 < cuts.size(); ++k) ranges.emplace_back(cuts[k], cuts[k + 1]);
    if (cutting_ == Cutting::kUnits) std::reverse(ranges.begin(), ranges.end());
    if (cutting_ == Cutting::kRandom) std::shuffle(ranges.begin(), ranges.end(), random_);
    return ranges;
  }

  std::string name_;
  Cutting cutting_;
  std::mt19937 random_;
  int threads_;
  std::thread::id owner_ = std::this_thread::get_id();
  bool running_ = false;
  int64_t allocations_ = 0;
  int64_t allocations_left_ = std::numeric_limits<int64_t>::max();
  size_t allocated_bytes_ = 0;
  size_t most_bytes_ = std::numeric_limits<size_t>::max();
  std::vector<std::unique_ptr<void, Release>> scratch_;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_TESTS_CC_TESTING_TEST_RUNTIME_H_
