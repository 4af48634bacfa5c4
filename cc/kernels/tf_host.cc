#include "cc/kernels/tf_host.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <new>

#include "tensorflow/core/framework/device_base.h"
#include "tensorflow/core/platform/threadpool.h"

namespace candsamp {
namespace {

// A loop cut into parts, which threads take one after the other.
class Loop {
 public:
  Loop(int64_t total, int64_t parts, const std::function<void(int64_t, int64_t)>& work)
      : total_(total), parts_(parts), work_(&work) {}

  // Works until no part is left. A thread that comes after that touches nothing of the caller's.
  void TakePart() {
    for (;;) {
      const int64_t part = next_.fetch_add(1, std::memory_order_relaxed);
      if (part >= parts_) return;
      (*work_)(Cut(part), Cut(part + 1));
      if (done_.fetch_add(1, std::memory_order_acq_rel) + 1 == parts_) {
        std::lock_guard<std::mutex> lock(mutex_);
        all_done_.notify_all();
      }
    }
  }

  void Wait() {
    // The last parts are short: others finish theirs sooner than this thread could sleep and wake.
    for (int spin = 0; spin < 2000; ++spin) {
      if (done_.load(std::memory_order_acquire) == parts_) return;
      __builtin_ia32_pause();
    }
    std::unique_lock<std::mutex> lock(mutex_);
    all_done_.wait(lock, [&] { return done_.load(std::memory_order_acquire) == parts_; });
  }

 private:
  int64_t Cut(int64_t part) const {
    return static_cast<int64_t>(static_cast<__int128>(total_) * part / parts_);
  }

  const int64_t total_, parts_;
  const std::function<void(int64_t, int64_t)>* const work_;
  std::atomic<int64_t> next_{0}, done_{0};
  std::mutex mutex_;
  std::condition_variable all_done_;
};

}  // namespace

void TfHost::ParallelFor(int64_t total, int64_t cost,
                         const std::function<void(int64_t, int64_t)>& work) {
  // Cycles that are worth the handling of a part, and worth waking a thread.
  constexpr double kPart = 2e4, kParallel = 1e5;
  constexpr int64_t kPartsPerThread = 8;
  if (total <= 0) return;
  const auto& workers = *context_->device()->tensorflow_cpu_worker_threads();
  const double cycles =
      static_cast<double>(total) * static_cast<double>(std::max<int64_t>(cost, 1));
  const int64_t threads = workers.num_threads;
  if (threads <= 1 || total == 1 || cycles < kParallel) {
    work(0, total);
    return;
  }
  const int64_t parts = std::min<int64_t>(
      total, static_cast<int64_t>(std::min<double>(kPartsPerThread * threads, cycles / kPart)));
  const auto loop = std::make_shared<Loop>(total, parts, work);
  for (int64_t helper = 1; helper < std::min(threads, parts); ++helper) {
    workers.workers->Schedule([loop] { loop->TakePart(); });
  }
  loop->TakePart();
  loop->Wait();
}

char* TfHost::AllocateTensor(size_t bytes) {
  scratch_.emplace_back();
  if (!context_
           ->allocate_temp(tensorflow::DT_UINT8,
                           tensorflow::TensorShape({static_cast<int64_t>(bytes)}), &scratch_.back())
           .ok()) {
    throw std::bad_alloc();
  }
  return static_cast<char*>(scratch_.back().data());
}

void* TfHost::AllocateBytes(size_t bytes) {
  // Small operations are many pieces and little else.
  constexpr size_t kSmall = 4096, kTogether = 16384, kAlignment = 64;
  if (bytes > kSmall) return AllocateTensor(bytes);
  const size_t rounded = std::max<size_t>((bytes + kAlignment - 1) / kAlignment, 1) * kAlignment;
  if (rounded > left_) {
    next_ = AllocateTensor(kTogether);
    left_ = kTogether;
  }
  char* const piece = next_;
  next_ += rounded;
  left_ -= rounded;
  return piece;
}

}  // namespace candsamp
