#include "cc/kernels/built_from.h"

#include <cstring>

namespace candsamp {
namespace {

// How long after switching the mode on an update may still be on its way to the variable's lock.
constexpr std::chrono::milliseconds kGrace(100);

uint64_t Checksum(const tensorflow::Tensor& tensor) {
  const char* bytes = static_cast<const char*>(tensor.data());
  const size_t size = tensor.TotalBytes();
  uint64_t sum = 0;
  for (size_t at = 0; at < size; at += sizeof sum) {
    uint64_t word = 0;
    std::memcpy(&word, bytes + at, std::min(sizeof word, size - at));
    sum += (word ^ (word >> 29)) * (2 * at + 0x9e3779b97f4a7c15);
  }
  return sum;
}

}  // namespace

bool BuiltFrom::Settle(tensorflow::Var* variable) const {
  if (IsCurrent(variable)) return true;
  const Time now = std::chrono::steady_clock::now();
  asked_ = now;
  if (memory_ == Memory::kDevice || !Holds(variable) || now - when_ < kGrace ||
      Checksum(tensor_) != checksum_) {
    return false;
  }
  variable->copy_on_read_mode = false;
  return true;
}

void BuiltFrom::Set(tensorflow::Var* variable) {
  tensor_ = *variable->tensor();
  const Time now = std::chrono::steady_clock::now();
  if (memory_ == Memory::kHost) {
    if (!variable->copy_on_read_mode) return;
    checksum_ = Checksum(tensor_);
    when_ = now;
    return;
  }
  const auto enter = [&](Phase phase) {
    phase_ = phase;
    since_ = now;
  };
  switch (phase_) {
    case Phase::kStable:
      if (variable->copy_on_read_mode) enter(Phase::kInMode);
      break;
    case Phase::kInMode:
      if (now - since_ < kGrace && variable->copy_on_read_mode) break;
      variable->copy_on_read_mode = false;
      enter(Phase::kLeaving);
      break;
    case Phase::kLeaving:
      if (variable->copy_on_read_mode) {
        enter(Phase::kInMode);
      } else if (asked_ - since_ >= kGrace) {
        enter(Phase::kStable);
      }
  }
}

}  // namespace candsamp
