// SPDX-License-Identifier: Apache-2.0
// A grid of blocks whose threads are threads of the host, so that device code runs without a
// device. Barriers and atomic operations are real ones, and ThreadSanitizer sees every race.
#ifndef TF_CANDSAMP_TESTS_CUDA_HOST_HOST_GRID_H_
#define TF_CANDSAMP_TESTS_CUDA_HOST_HOST_GRID_H_

#include <pthread.h>

#include <memory>
#include <thread>
#include <vector>

#include "cc/cuda/core/team.h"

namespace candsamp {

class Barrier {
 public:
  explicit Barrier(int threads) { pthread_barrier_init(&barrier_, nullptr, threads); }
  ~Barrier() { pthread_barrier_destroy(&barrier_); }
  void Wait() { pthread_barrier_wait(&barrier_); }

 private:
  pthread_barrier_t barrier_;
};

// The memory and the barrier that the threads of a block share.
struct HostBlockMemory {
  HostBlockMemory(int threads, int shared_words)
      : barrier(threads), partials(threads * kPartialBytes), words(shared_words) {
    for (int k = 0; k < threads / LanesOf(threads); ++k) {
      lane_barriers.push_back(std::make_unique<Barrier>(LanesOf(threads)));
    }
  }
  // A power of two that divides the number of threads.
  static int LanesOf(int threads) { return threads % 4 == 0 ? 4 : threads % 2 == 0 ? 2 : 1; }

  Barrier barrier;
  std::vector<std::unique_ptr<Barrier>> lane_barriers;
  std::vector<char> partials;
  std::vector<uint32_t> words;
};

// A block, as one of its threads sees it. See cc/cuda/core/team.h.
class HostBlock {
 public:
  HostBlock(int thread, int threads, int block, int blocks, HostBlockMemory* memory, Barrier* grid)
      : thread_(thread),
        threads_(threads),
        block_(block),
        blocks_(blocks),
        lanes_(HostBlockMemory::LanesOf(threads)),
        memory_(memory),
        grid_(grid) {}

  int thread() const { return thread_; }
  int threads() const { return threads_; }
  int block() const { return block_; }
  int blocks() const { return blocks_; }
  static constexpr int kLeastLanes = 1;
  int lanes() const { return lanes_; }
  int lane_groups() const { return threads_ / lanes_; }
  int lane() const { return thread_ % lanes_; }
  int lane_group() const { return thread_ / lanes_; }
  template <typename T>
  T SumOfLanes(T value) {
    return SumOfLanes(value, 1, lanes_);
  }
  template <typename T>
  T SumOfLanes(T value, int least, int most) {
    return ReduceLanes(value, least, most, [](T a, T b) { return a + b; });
  }
  template <typename T>
  T LargestOfLanes(T value) {
    return ReduceLanes(value, 1, lanes_, [](T a, T b) { return b > a ? b : a; });
  }
  void SyncLanes() { memory_->lane_barriers[lane_group()]->Wait(); }
  uint32_t* words() { return memory_->words.data(); }
  void Sync() { memory_->barrier.Wait(); }
  void SyncGrid() { grid_->Wait(); }

  template <typename T, typename Op>
  T ExclusiveScan(T value, T identity, Op op, T* total) {
    static_assert(sizeof(T) <= kPartialBytes);
    T* const values = reinterpret_cast<T*>(memory_->partials.data());
    values[thread_] = value;
    Sync();
    T before = identity;
    *total = identity;
    for (int k = 0; k < threads_; ++k) {
      if (k == thread_) before = *total;
      *total = op(*total, values[k]);
    }
    Sync();
    return before;
  }

 private:
  template <typename T, typename Op>
  T ReduceLanes(T value, int least, int most, Op op) {
    // A place of its own for each thread, whatever the type: other lane groups may use another.
    const auto at = [&](int thread) {
      return reinterpret_cast<T*>(memory_->partials.data() + thread * kPartialBytes);
    };
    for (int apart = most / 2; apart >= least; apart /= 2) {
      *at(thread_) = value;
      memory_->lane_barriers[lane_group()]->Wait();
      value = op(value, *at(thread_ ^ apart));
      memory_->lane_barriers[lane_group()]->Wait();
    }
    return value;
  }

  int thread_, threads_, block_, blocks_, lanes_;
  HostBlockMemory* memory_;
  Barrier* grid_;
};

struct GridShape {
  int blocks, threads;
};

// Runs kernel(block) on all threads of a grid.
template <typename Kernel>
void RunOnGrid(GridShape shape, Kernel kernel) {
  Barrier grid(shape.blocks * shape.threads);
  std::vector<std::unique_ptr<HostBlockMemory>> memory;
  std::vector<std::thread> threads;
  for (int b = 0; b < shape.blocks; ++b) {
    memory.push_back(
        std::make_unique<HostBlockMemory>(shape.threads, SharedWordsOf<Kernel>::value));
    for (int t = 0; t < shape.threads; ++t) {
      threads.emplace_back([&, b, t, block_memory = memory.back().get()] {
        HostBlock block(t, shape.threads, b, shape.blocks, block_memory, &grid);
        kernel(block);
      });
    }
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_TESTS_CUDA_HOST_HOST_GRID_H_
