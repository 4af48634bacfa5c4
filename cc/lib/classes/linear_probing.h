// SPDX-License-Identifier: Apache-2.0
// Linear probing, the search of the hash tables of class ids.
#ifndef TF_CANDSAMP_CC_LIB_CLASSES_LINEAR_PROBING_H_
#define TF_CANDSAMP_CC_LIB_CLASSES_LINEAR_PROBING_H_

#include <cstdint>

#include "cc/lib/core/golden_ratio.h"

namespace candsamp {

// Says where to look for an id in a hash table whose number of slots is a power of two. The table
// itself belongs to the caller. O(1) expected a search while at most half of the slots are taken.
class LinearProbing {
 public:
  // No slots.
  LinearProbing() = default;

  // REQUIRES: slots is a power of two, at least 2.
  explicit LinearProbing(int64_t slots)
      : shift_(64 - __builtin_ctzll(slots)), mask_(static_cast<uint64_t>(slots) - 1) {}

  // The slots of a table for up to `capacity` ids.
  static int64_t SlotsFor(int64_t capacity) {
    int64_t slots = 16;
    while (slots < 2 * capacity) slots *= 2;
    return slots;
  }

  bool has_slots() const { return mask_ != 0; }

  // Where the search for `id` begins.
  uint64_t First(int64_t id) const { return (static_cast<uint64_t>(id) * kGoldenRatio) >> shift_; }

  // The first slot from First(id) on for which ends_at(slot) is true: it holds `id`, or is empty.
  template <typename EndsAt>
  uint64_t Find(int64_t id, EndsAt ends_at) const {
    uint64_t at = First(id);
    while (!ends_at(at)) at = (at + 1) & mask_;
    return at;
  }

 private:
  int shift_ = 0;
  uint64_t mask_ = 0;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_CLASSES_LINEAR_PROBING_H_
