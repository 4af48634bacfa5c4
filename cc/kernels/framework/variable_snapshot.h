// SPDX-License-Identifier: Apache-2.0
// Tells whether a variable still holds the values from which a state was derived.
#ifndef TF_CANDSAMP_CC_KERNELS_FRAMEWORK_VARIABLE_SNAPSHOT_H_
#define TF_CANDSAMP_CC_KERNELS_FRAMEWORK_VARIABLE_SNAPSHOT_H_

#include <atomic>
#include <cstdint>
#include <vector>

#include "cc/kernels/framework/tf_names.h"
#include "cc/lib/core/golden_ratio.h"

namespace candsamp {

// Keeps a reference to the variable's tensor. While anybody does, TensorFlow changes the variable
// by giving it another tensor. So comparing buffers tells whether it was assigned, restored or
// merged.
//
// There is one exception: copy_on_read_mode, in which sparse updates write into the tensor itself.
// Every sparse access switches the mode on, also a mere read such as tf.gather, and gives the
// variable a tensor of its own. When the snapshot finds the mode on, it
// 1. compares the variable's values with those that the state was derived from. If they are equal,
//    the state stays;
// 2. switches the mode off again;
// 3. watches the variable from then on: it keeps checksums of the tensor's slices, and each draw
//    checks one slice. An update that saw the mode on may still wait for the variable's lock, for
//    any length of time, and will write without a trace. The checksums reveal it after at most as
//    many draws as there are slices. An update that begins later finds the mode off and switches
//    it on, which the next draw notices.
//
// Values in a device's memory are neither compared nor watched. When the mode is found on, the
// state is derived again. A sparse update that races with that goes unnoticed until the variable
// is assigned or sparsely updated once more.
class VariableSnapshot {
 public:
  enum class Memory { kHost, kDevice };
  explicit VariableSnapshot(Memory memory = Memory::kHost) : memory_(memory) {}

  // Whether two tensors are the same piece of the same memory.
  static bool IsSame(const Tensor& a, const Tensor& b) {
    return a.SharesBufferWith(b) && a.data() == b.data() && a.shape() == b.shape();
  }

  // Whether the variable is known not to have changed. Checks one slice of a watched variable.
  // REQUIRES: the variable's lock, shared.
  bool IsCurrent(Var* variable) const;

  // IsCurrent, also for a variable in the mode: compares its values, and switches the mode off if
  // they are the same. REQUIRES: the lock, exclusive.
  bool Settle(Var* variable);

  // Remembers the variable's values, and switches the mode off. REQUIRES: the lock, exclusive.
  void Set(Var* variable);

  // Between Release and Retake, under one exclusive lock, the caller may write into the variable's
  // tensor once nobody else refers to it. It reports each int64 to which it has added one.
  void Release() { tensor_ = Tensor(); }
  void AddedOne(int64_t index) {
    if (!sums_.empty()) sums_[index / kSlice] += Weight(index);
  }
  void Retake(Var* variable) { tensor_ = *variable->tensor(); }
  // After Retake, if other values were written: takes the checksums of a watched variable again.
  void Rewatch() {
    if (!sums_.empty()) Watch(tensor_);
  }

  // Forgets everything.
  void Clear();

 private:
  static constexpr int64_t kSlice = 4096;  // words of 64 bits

  // A checksum is the sum of a slice's words, each multiplied by its own odd number.
  static uint64_t Weight(uint64_t index) {
    const uint64_t x = (index + 1) * kGoldenRatio;
    return (x ^ (x >> 32)) | 1;
  }
  static int64_t Slices(const Tensor& tensor);
  static uint64_t Sum(const Tensor& tensor, int64_t slice);
  void Watch(const Tensor& tensor);

  const Memory memory_;
  Tensor tensor_;
  std::vector<uint64_t> sums_;  // of each slice; empty: not watched
  mutable std::atomic<uint64_t> next_slice_{0};
  mutable std::atomic<bool> has_changed_{false};  // a checksum differed
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_FRAMEWORK_VARIABLE_SNAPSHOT_H_
