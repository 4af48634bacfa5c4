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
  explicit HostBlockMemory(int threads)
      : barrier(threads), partials(threads * kPartialBytes), words(kSharedWords) {}
  Barrier barrier;
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
        memory_(memory),
        grid_(grid) {}

  int thread() const { return thread_; }
  int threads() const { return threads_; }
  int block() const { return block_; }
  int blocks() const { return blocks_; }
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
  int thread_, threads_, block_, blocks_;
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
    memory.push_back(std::make_unique<HostBlockMemory>(shape.threads));
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
