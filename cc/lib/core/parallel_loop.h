// SPDX-License-Identifier: Apache-2.0
// A loop that several threads run together. One of them waits for its end.
#ifndef TF_CANDSAMP_CC_LIB_CORE_PARALLEL_LOOP_H_
#define TF_CANDSAMP_CC_LIB_CORE_PARALLEL_LOOP_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

namespace candsamp {

// A loop cut into parts. Each thread takes the next part until none is left.
class ParallelLoop {
 public:
  // `work` must live until Join returns. The loop must live as long as a thread may take parts.
  ParallelLoop(int64_t total, int64_t parts, const std::function<void(int64_t, int64_t)>& work)
      : total_(total), parts_(parts), work_(&work) {}

  // Works until no part is left. A thread that comes later touches nothing of the caller's. An
  // exception is kept for Join, since it would end the process on a thread of a pool, and the parts
  // that are left are skipped.
  void TakeParts() noexcept {
    for (;;) {
      const int64_t part = next_.fetch_add(1, std::memory_order_relaxed);
      if (part >= parts_) return;
      if (!failed_.load(std::memory_order_relaxed)) {
        try {
          (*work_)(Cut(part), Cut(part + 1));
        } catch (...) {
          Keep(std::current_exception());
        }
      }
      if (done_.fetch_add(1, std::memory_order_acq_rel) + 1 == parts_) {
        std::lock_guard<std::mutex> lock(mutex_);
        all_done_.notify_all();
      }
    }
  }

  // Waits until every part is done or skipped, and throws the first exception that was kept.
  void Join() {
    Wait();
    if (!failed_.load(std::memory_order_relaxed)) return;
    // Moved out: a thread that comes late may be the last to hold the loop, and must not free it.
    std::unique_lock<std::mutex> lock(mutex_);
    const std::exception_ptr first = std::exchange(first_, nullptr);
    lock.unlock();
    std::rethrow_exception(first);
  }

 private:
  int64_t Cut(int64_t part) const {
    return static_cast<int64_t>(static_cast<__int128>(total_) * part / parts_);
  }

  void Keep(std::exception_ptr exception) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!first_) first_ = std::move(exception);
    failed_.store(true, std::memory_order_relaxed);
  }

  void Wait() {
    // The parts are short: the others finish theirs sooner than this thread could sleep and wake.
    for (int spin = 0; spin < 2000; ++spin) {
      if (done_.load(std::memory_order_acquire) == parts_) return;
      __builtin_ia32_pause();
    }
    std::unique_lock<std::mutex> lock(mutex_);
    all_done_.wait(lock, [&] { return done_.load(std::memory_order_acquire) == parts_; });
  }

  const int64_t total_, parts_;
  const std::function<void(int64_t, int64_t)>* const work_;
  std::atomic<int64_t> next_{0}, done_{0};
  std::atomic<bool> failed_{false};
  std::mutex mutex_;
  std::condition_variable all_done_;
  std::exception_ptr first_;
};

// Calls work(begin, end) on `parts` ranges that cover [0, total): on this thread, and on the
// threads that run the `helpers` tasks given to schedule(task). Returns when no thread works any
// more, even if some tasks have not started yet, and rethrows the first exception of `work`.
template <typename Schedule>
void RunInParts(int64_t total, int64_t parts, int64_t helpers, Schedule schedule,
                const std::function<void(int64_t, int64_t)>& work) {
  const auto loop = std::make_shared<ParallelLoop>(total, parts, work);
  try {
    for (int64_t k = 0; k < helpers; ++k) schedule([loop] { loop->TakeParts(); });
  } catch (...) {
    // A task could not be scheduled. This thread does the work with the helpers that there are.
  }
  loop->TakeParts();
  loop->Join();
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_CORE_PARALLEL_LOOP_H_
