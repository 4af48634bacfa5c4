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
  if (memory_ == Memory::kDevice || !Holds(variable) ||
      std::chrono::steady_clock::now() - when_ < kGrace || Checksum(tensor_) != checksum_) {
    return false;
  }
  variable->copy_on_read_mode = false;
  return true;
}

void BuiltFrom::Set(tensorflow::Var* variable) {
  tensor_ = *variable->tensor();
  const bool was_in_mode = was_in_mode_;
  was_in_mode_ = variable->copy_on_read_mode;
  if (!was_in_mode_) return;
  const auto now = std::chrono::steady_clock::now();
  if (memory_ == Memory::kHost) {
    checksum_ = Checksum(tensor_);
    when_ = now;
  } else if (!was_in_mode) {
    when_ = now;
  } else if (now - when_ >= kGrace) {
    variable->copy_on_read_mode = was_in_mode_ = false;
  }
}

}  // namespace candsamp
