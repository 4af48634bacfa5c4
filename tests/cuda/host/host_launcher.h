// SPDX-License-Identifier: Apache-2.0
// The launcher that runs kernels on threads of the host. See cc/cuda/core/team.h for what a
// launcher is.
#ifndef TF_CANDSAMP_TESTS_CUDA_HOST_HOST_LAUNCHER_H_
#define TF_CANDSAMP_TESTS_CUDA_HOST_HOST_LAUNCHER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <numeric>
#include <utility>
#include <vector>

#include "cc/cuda/core/launch.h"
#include "tests/cuda/host/host_grid.h"

namespace candsamp {

class HostLauncher {
 public:
  class Side;

  explicit HostLauncher(GridShape shape) : shape_(shape) {}
  // As launchers for a CUDA device are made: no stream is needed, since each call waits.
  explicit HostLauncher(CudaStream) : HostLauncher(GridShape{3, 5}) {}

  int threads() const { return shape_.threads; }
  int lane_groups() const { return shape_.threads / HostBlockMemory::LanesOf(shape_.threads); }
  int error() const { return 0; }

  template <typename Kernel, typename ScratchWords>
  LaunchPlan Plan(int64_t, ScratchWords scratch_words) const {
    return {0, shape_.blocks, scratch_words(shape_.blocks) * 8};
  }
  void Clear(void* memory, size_t bytes) {
    Run([=] { std::memset(memory, 0, bytes); });
  }
  template <typename Kernel>
  void ForEach(int64_t, const Kernel& kernel) {
    Together(shape_.blocks, kernel);
  }
  template <typename Kernel>
  void ForEachLaneGroup(int64_t items, const Kernel& kernel) {
    ForEach(items, kernel);
  }
  template <typename Kernel>
  void ForEachBlock(int64_t items, const Kernel& kernel) {
    ForEach(items, kernel);
  }
  template <typename Kernel>
  void Together(int blocks, const Kernel& kernel) {
    Run([grid = GridShape{blocks, shape_.threads}, kernel] { RunOnGrid(grid, kernel); });
  }

  // The first two overwrite `memory` at last, to show where it overlaps with what they wrote.
  void SortPairs(void* memory, size_t* bytes, const int64_t* keys, int64_t* sorted_keys,
                 const int64_t* values, int64_t* sorted_values, int64_t count, int bits = 64) {
    if (!memory) return Ask(bytes);
    Run([=, bytes = *bytes] {
      Sort(keys, sorted_keys, values, sorted_values, count, bits);
      std::memset(memory, 0xff, bytes);
    });
  }
  void ExclusiveSum(void* memory, size_t* bytes, int64_t* values, int64_t count) {
    if (!memory) return Ask(bytes);
    Run([=, bytes = *bytes] {
      std::exclusive_scan(values, values + count, values, int64_t{0});
      std::memset(memory, 0xff, bytes);
    });
  }
  // Not for a side.
  template <typename Meanwhile>
  void NumbersToHostAndWait(void* to, const void* from, size_t bytes, Meanwhile meanwhile) {
    std::memcpy(to, from, bytes);
    meanwhile();
  }
  void NumbersToHostAndWait(void* to, const void* from, size_t bytes) {
    NumbersToHostAndWait(to, from, bytes, [] {});
  }

 private:
  void Run(std::function<void()> work);
  static void Sort(const int64_t* keys, int64_t* sorted_keys, const int64_t* values,
                   int64_t* sorted_values, int64_t count, int bits) {
    std::vector<int64_t> order(count);
    std::iota(order.begin(), order.end(), 0);
    // All 64 bits are a number with a sign, fewer are one without.
    const auto key = [&](int64_t k) {
      return bits == 64 ? keys[k] : keys[k] & ((int64_t{1} << bits) - 1);
    };
    std::stable_sort(order.begin(), order.end(),
                     [&](int64_t a, int64_t b) { return key(a) < key(b); });
    for (int64_t k = 0; k < count; ++k) {
      sorted_keys[k] = keys[order[k]];
      sorted_values[k] = values[order[k]];
    }
  }
  // Asks for some memory, as CUB does.
  static void Ask(size_t* bytes) { *bytes = 24; }

  GridShape shape_;
  Side* side_ = nullptr;  // whose launcher this is
};

// Of the orders that a device may choose it takes one extreme: at once or, on grids of an odd
// number of blocks, as late as it may.
class HostLauncher::Side {
 public:
  explicit Side(HostLauncher& beside)
      : launcher_(beside.shape_), is_late_(beside.shape_.blocks % 2 != 0) {
    launcher_.side_ = this;
  }
  ~Side() { Join(); }
  Side(const Side&) = delete;
  Side& operator=(const Side&) = delete;

  HostLauncher& launcher() { return launcher_; }
  void Fork() { forked_ = true; }
  void Join() {
    Finish(waiting_.size());
    forked_ = false;
  }
  void Mark() { marked_ = waiting_.size(); }
  void JoinMark() { Finish(marked_); }

  void Take(std::function<void()> work) {
    if (!forked_) {
      std::fprintf(stderr, "A side was given work before Fork().\n");
      std::abort();
    }
    waiting_.push_back(std::move(work));
    if (!is_late_) Finish(waiting_.size());
  }

 private:
  void Finish(size_t count) {
    for (size_t k = 0; k < count; ++k) waiting_[k]();
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
    marked_ -= std::min(marked_, count);
  }

  HostLauncher launcher_;
  bool is_late_, forked_ = false;
  std::vector<std::function<void()>> waiting_;
  size_t marked_ = 0;
};

inline void HostLauncher::Run(std::function<void()> work) {
  if (side_ != nullptr) return side_->Take(std::move(work));
  work();
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_TESTS_CUDA_HOST_HOST_LAUNCHER_H_
