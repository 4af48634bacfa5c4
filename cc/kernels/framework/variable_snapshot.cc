// SPDX-License-Identifier: Apache-2.0
#include "cc/kernels/framework/variable_snapshot.h"

#include <algorithm>
#include <cstring>

namespace candsamp {

bool VariableSnapshot::IsCurrent(Var* variable) const {
  if (!variable->is_initialized || !tensor_.IsInitialized() ||
      !IsSame(tensor_, *variable->tensor()) || variable->copy_on_read_mode || has_changed_) {
    return false;
  }
  if (sums_.empty()) return true;
  const int64_t slice = static_cast<int64_t>(next_slice_.fetch_add(1) % sums_.size());
  if (Sum(tensor_, slice) == sums_[slice]) return true;
  has_changed_ = true;
  return false;
}

bool VariableSnapshot::Settle(Var* variable) {
  if (IsCurrent(variable)) return true;
  if (memory_ == Memory::kDevice || has_changed_ || !tensor_.IsInitialized() ||
      !variable->is_initialized || !variable->copy_on_read_mode) {
    return false;
  }
  const Tensor& now = *variable->tensor();
  if (now.dtype() != tensor_.dtype() || now.shape() != tensor_.shape()) return false;
  if (sums_.empty()) Watch(tensor_);
  for (int64_t slice = 0; slice < Slices(now); ++slice) {
    if (Sum(now, slice) != sums_[slice]) return false;
  }
  tensor_ = now;
  variable->copy_on_read_mode = false;
  return true;
}

void VariableSnapshot::Set(Var* variable) {
  const bool watch = !sums_.empty() || variable->copy_on_read_mode;
  if (watch && memory_ == Memory::kHost) Watch(*variable->tensor());
  tensor_ = *variable->tensor();
  variable->copy_on_read_mode = false;
  has_changed_ = false;
}

void VariableSnapshot::Clear() {
  Release();
  has_changed_ = false;
}

int64_t VariableSnapshot::Slices(const Tensor& tensor) {
  const int64_t bytes = kSlice * static_cast<int64_t>(sizeof(uint64_t));
  return (static_cast<int64_t>(tensor.TotalBytes()) + bytes - 1) / bytes;
}

uint64_t VariableSnapshot::Sum(const Tensor& tensor, int64_t slice) {
  constexpr int64_t kWord = sizeof(uint64_t);
  const char* const bytes = static_cast<const char*>(tensor.data());
  const int64_t size = static_cast<int64_t>(tensor.TotalBytes());
  const int64_t end = std::min((slice + 1) * kSlice, size / kWord);
  uint64_t sum = 0, word = 0;
  for (int64_t k = slice * kSlice; k < end; ++k) {
    std::memcpy(&word, bytes + k * kWord, kWord);
    sum += word * Weight(k);
  }
  if (end * kWord < size && end < (slice + 1) * kSlice) {
    word = 0;
    std::memcpy(&word, bytes + end * kWord, size - end * kWord);
    sum += word * Weight(end);
  }
  return sum;
}

void VariableSnapshot::Watch(const Tensor& tensor) {
  sums_.resize(Slices(tensor));
  for (int64_t slice = 0; slice < static_cast<int64_t>(sums_.size()); ++slice) {
    sums_[slice] = Sum(tensor, slice);
  }
}

}  // namespace candsamp
