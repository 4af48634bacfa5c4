// Tells whether a variable still holds what something was built from.
#ifndef TF_CANDSAMP_CC_KERNELS_FRAMEWORK_VARIABLE_SNAPSHOT_H_
#define TF_CANDSAMP_CC_KERNELS_FRAMEWORK_VARIABLE_SNAPSHOT_H_

#include <atomic>
#include <cstdint>
#include <vector>

#include "tensorflow/core/framework/resource_var.h"
#include "tensorflow/core/framework/tensor.h"

namespace candsamp {

// Keeps a reference to the variable's tensor. While anybody does, TensorFlow changes the variable
// by giving it another tensor, so comparing buffers tells whether it was assigned, restored or
// merged.
//
// With one exception: sparse accesses, also mere reads such as tf.gather, switch on a mode
// (copy_on_read_mode) in which sparse updates write into the tensor. Switching it on gives the
// variable a tensor of its own. So a variable that is found in the mode is compared with what was
// built from, value by value, and taken out of the mode again:
// 1. If its values are the same, nothing is built anew.
// 2. An update that saw the mode on may still be on its way to the variable's lock, for any length
//    of time, and will write without a trace. So from then on the variable is watched: checksums of
//    its slices are kept, and each draw checks one slice. An update that overlaps with a draw is
//    noticed after at most as many draws as there are slices; one that begins when no draw is under
//    way finds the mode off, switches it on, and is noticed by the next draw.
//
// What is in a device's memory is not compared or watched: found in the mode, it is built from
// anew, and a sparse update that races with that goes unnoticed until the variable is assigned or
// sparsely updated once more.
class VariableSnapshot {
 public:
  enum class Memory { kHost, kDevice };
  explicit VariableSnapshot(Memory memory = Memory::kHost) : memory_(memory) {}

  // Whether two tensors are the same piece of the same memory.
  static bool IsSame(const tensorflow::Tensor& a, const tensorflow::Tensor& b) {
    return a.SharesBufferWith(b) && a.data() == b.data() && a.shape() == b.shape();
  }

  // Whether the variable is known not to have changed. Checks a slice if it is watched.
  // REQUIRES: the variable's lock, shared.
  bool IsCurrent(tensorflow::Var* variable) const;

  // The same for a variable in the mode, which it ends where nothing has changed.
  // REQUIRES: the lock, exclusive.
  bool Settle(tensorflow::Var* variable);

  // Remembers what was built from, and ends the mode. REQUIRES: the lock, exclusive.
  void Set(tensorflow::Var* variable);

  // Between these two, both under one exclusive lock, the caller may write into the variable's
  // tensor, once nobody else refers to it. It says of each int64 that it has added one to.
  void Release() { tensor_ = tensorflow::Tensor(); }
  void AddedOne(int64_t index) {
    if (!sums_.empty()) sums_[index / kSlice] += Weight(index);
  }
  void Retake(tensorflow::Var* variable) { tensor_ = *variable->tensor(); }

  // Forgets everything.
  void Clear();

 private:
  static constexpr int64_t kSlice = 4096;  // words of 64 bits

  // A checksum is the sum of the slice's words, each times an odd number of its own.
  static uint64_t Weight(uint64_t index) {
    const uint64_t x = (index + 1) * 0x9e3779b97f4a7c15;
    return (x ^ (x >> 32)) | 1;
  }
  static int64_t Slices(const tensorflow::Tensor& tensor);
  static uint64_t Sum(const tensorflow::Tensor& tensor, int64_t slice);
  void Watch(const tensorflow::Tensor& tensor);

  const Memory memory_;
  tensorflow::Tensor tensor_;
  std::vector<uint64_t> sums_;  // of each slice; none: not watched
  mutable std::atomic<uint64_t> next_slice_{0};
  mutable std::atomic<bool> has_changed_{false};  // as a slice showed
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_FRAMEWORK_VARIABLE_SNAPSHOT_H_
