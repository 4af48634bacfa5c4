// Tells whether a variable still holds what something was built from.
#ifndef TF_CANDSAMP_CC_KERNELS_BUILT_FROM_H_
#define TF_CANDSAMP_CC_KERNELS_BUILT_FROM_H_

#include <chrono>
#include <cstdint>

#include "tensorflow/core/framework/resource_var.h"
#include "tensorflow/core/framework/tensor.h"

namespace candsamp {

// Keeps a reference to the variable's tensor. While anybody does, TensorFlow changes the variable
// by giving it another tensor, so that comparing buffers tells whether it was assigned, restored or
// merged.
//
// With one exception: sparse accesses switch on a mode (copy_on_read_mode) in which sparse updates
// write into the tensor. An update first switches it on, giving the variable a tensor of its own,
// and later writes. So a variable found in this mode may be about to change at any time; it is
// built from anew each time until it has stayed the same for a while, and then taken out of the
// mode. What is in a device's memory is not compared: it is built from anew each time until the
// while is over.
class BuiltFrom {
 public:
  enum class Memory { kHost, kDevice };
  explicit BuiltFrom(Memory memory = Memory::kHost) : memory_(memory) {}

  // Whether two tensors are the same piece of the same memory.
  static bool IsSame(const tensorflow::Tensor& a, const tensorflow::Tensor& b) {
    return a.SharesBufferWith(b) && a.data() == b.data() && a.shape() == b.shape();
  }

  // Whether the variable is known not to have changed. REQUIRES: the variable's lock, shared.
  bool IsCurrent(tensorflow::Var* variable) const {
    return Holds(variable) && !variable->copy_on_read_mode && phase_ == Phase::kStable;
  }

  // The same for a variable in that mode, which it may end. REQUIRES: the lock, exclusive.
  bool Settle(tensorflow::Var* variable) const;

  // Remembers what was built from. REQUIRES: the lock, exclusive.
  void Set(tensorflow::Var* variable);

  // Forgets it, so that the tensor may be written to where nobody else refers to it.
  void Clear() { tensor_ = tensorflow::Tensor(); }

 private:
  bool Holds(tensorflow::Var* variable) const {
    return variable->is_initialized && tensor_.IsInitialized() &&
           IsSame(tensor_, *variable->tensor());
  }

  using Time = std::chrono::steady_clock::time_point;

  const Memory memory_;
  tensorflow::Tensor tensor_;
  // Of a variable in the mode:
  uint64_t checksum_ = 0;
  Time when_;  // it was built from
  // On a device:
  enum class Phase { kStable, kInMode, kLeaving };
  Phase phase_ = Phase::kStable;
  Time since_;
  mutable Time asked_;  // by Settle, before it is built from anew
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_BUILT_FROM_H_
