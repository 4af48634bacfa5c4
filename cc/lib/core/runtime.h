// SPDX-License-Identifier: Apache-2.0
// Threads and scratch memory: all that the algorithms need of the program that calls them.
#ifndef TF_CANDSAMP_CC_LIB_CORE_RUNTIME_H_
#define TF_CANDSAMP_CC_LIB_CORE_RUNTIME_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <new>

namespace candsamp {

// Thrown when there is no memory for scratch space of that many bytes.
class OutOfScratch : public std::bad_alloc {
 public:
  explicit OutOfScratch(size_t bytes) : bytes_(bytes) {}
  const char* what() const noexcept override { return "no memory left for scratch space"; }
  size_t bytes() const { return bytes_; }

 private:
  size_t bytes_;
};

class Runtime {
 public:
  virtual ~Runtime() = default;

  // Calls work(begin, end) on disjoint ranges that cover [0, total), perhaps at the same time, and
  // returns when all are done. `cost` is the work of one unit in cycles. A runtime cuts the ranges
  // where it likes, so no result may depend on the cuts.
  //
  // Rethrows what `work` throws, once no thread works any more. `work` must not call ParallelFor.
  virtual void ParallelFor(int64_t total, int64_t cost,
                           const std::function<void(int64_t, int64_t)>& work) = 0;

  // Memory that lives as long as this runtime, 64-byte aligned. Throws std::bad_alloc when there is
  // none left. Only the thread that owns the runtime calls this, never inside ParallelFor.
  virtual void* AllocateBytes(size_t bytes) = 0;

  template <typename T>
  T* Allocate(int64_t count) {
    constexpr int64_t kMost = std::numeric_limits<int64_t>::max() / int64_t{sizeof(T)};
    if (count > kMost) throw OutOfScratch(std::numeric_limits<size_t>::max());
    return static_cast<T*>(AllocateBytes(static_cast<size_t>(count) * sizeof(T)));
  }
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_CORE_RUNTIME_H_
