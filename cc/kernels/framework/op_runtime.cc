// SPDX-License-Identifier: Apache-2.0
#include "cc/kernels/framework/op_runtime.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include "cc/lib/core/parallel_loop.h"
#include "tensorflow/core/framework/device_base.h"
#include "tensorflow/core/platform/threadpool.h"

namespace candsamp {

void OpRuntime::ParallelFor(int64_t total, int64_t cost,
                            const std::function<void(int64_t, int64_t)>& work) {
  // From how many cycles on a part is worth its handling, and a loop is worth waking threads.
  constexpr double kPart = 2e4, kParallel = 1e5;
  constexpr int64_t kPartsPerThread = 8;
  CheckOutsideOfLoops("ParallelFor");
  if (total <= 0) return;
  struct InLoop {
    explicit InLoop(bool* flag) : flag(flag) { *flag = true; }
    ~InLoop() { *flag = false; }
    bool* flag;
  } in_loop(&in_loop_);
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
  RunInParts(
      total, parts, std::min(threads, parts) - 1,
      [&](std::function<void()> task) { workers.workers->Schedule(std::move(task)); }, work);
}

void OpRuntime::CheckOutsideOfLoops(const char* what) const {
  if (in_loop_) throw std::logic_error(std::string(what) + " was called inside of ParallelFor");
}

char* OpRuntime::AllocateTensor(size_t bytes) {
  scratch_.emplace_back();
  if (!context_
           ->allocate_temp(tensorflow::DT_UINT8,
                           tensorflow::TensorShape({static_cast<int64_t>(bytes)}), &scratch_.back())
           .ok()) {
    throw OutOfScratch(bytes);
  }
  return static_cast<char*>(scratch_.back().data());
}

void* OpRuntime::AllocateBytes(size_t bytes) {
  // A small op asks for many small pieces: they share one tensor.
  constexpr size_t kSmall = 4096, kTogether = 16384, kAlignment = 64;
  CheckOutsideOfLoops("AllocateBytes");
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
