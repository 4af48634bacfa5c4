// What the algorithms need of the host they run on: threads and scratch memory.
#ifndef TF_CANDSAMP_CC_LIB_CORE_RUNTIME_H_
#define TF_CANDSAMP_CC_LIB_CORE_RUNTIME_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <new>

namespace candsamp {

// There is no memory left for scratch space of so many bytes.
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
  // returns when all are done. `cost` is the work of one unit in cycles. The ranges may be cut
  // anywhere, so no result may depend on where.
  //
  // What `work` throws is thrown here, once no thread is working any more. Not to be called inside
  // of `work`.
  virtual void ParallelFor(int64_t total, int64_t cost,
                           const std::function<void(int64_t, int64_t)>& work) = 0;

  // Memory that lives as long as the host object, 64-byte aligned. Throws std::bad_alloc when there
  // is none left. Called from the calling thread only, never inside ParallelFor.
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
