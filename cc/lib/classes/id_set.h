// SPDX-License-Identifier: Apache-2.0
// A growing set of class ids: a bitmap or a hash table, whichever is smaller.
#ifndef TF_CANDSAMP_CC_LIB_CLASSES_ID_SET_H_
#define TF_CANDSAMP_CC_LIB_CLASSES_ID_SET_H_

#include <algorithm>
#include <cstdint>

#include "cc/lib/classes/linear_probing.h"

namespace candsamp {

class IdSet {
 public:
  // The words of memory that a set of up to `capacity` classes out of `range` needs.
  static int64_t Words(int64_t capacity, int64_t range) {
    return std::min(BitmapWords(range), LinearProbing::SlotsFor(capacity));
  }

  // A set without memory, which no member may be called of.
  IdSet() : words_(nullptr) {}

  // An empty set in the given memory of Words(capacity, range).
  IdSet(uint64_t* words, int64_t capacity, int64_t range) : words_(words) {
    const int64_t slots = LinearProbing::SlotsFor(capacity);
    if (BitmapWords(range) <= slots) {
      std::fill_n(words_, BitmapWords(range), 0);
    } else {
      probing_ = LinearProbing(slots);
      std::fill_n(words_, slots, kEmpty);
    }
  }

  bool is_bitmap() const { return !probing_.has_slots(); }

  // Adds `id`. True if it was not in the set before.
  bool Insert(int64_t id) {
    if (is_bitmap()) {
      uint64_t& word = words_[id >> 6];
      const uint64_t bit = uint64_t{1} << (id & 63);
      const bool is_new = (word & bit) == 0;
      word |= bit;
      return is_new;
    }
    uint64_t* const word = Find(id);
    const bool is_new = *word == kEmpty;
    *word = static_cast<uint64_t>(id);
    return is_new;
  }

  bool Contains(int64_t id) const {
    if (is_bitmap()) return (words_[id >> 6] >> (id & 63)) & 1;
    return *Find(id) != kEmpty;
  }

  void Prefetch(int64_t id) const {
    __builtin_prefetch(&words_[is_bitmap() ? static_cast<uint64_t>(id >> 6) : probing_.First(id)],
                       1);
  }

 private:
  static constexpr uint64_t kEmpty = ~uint64_t{0};

  static int64_t BitmapWords(int64_t range) { return (range >> 6) + 1; }

  uint64_t* Find(int64_t id) const {
    return &words_[probing_.Find(id, [&](uint64_t at) {
      return words_[at] == kEmpty || words_[at] == static_cast<uint64_t>(id);
    })];
  }

  uint64_t* words_;
  LinearProbing probing_;  // without slots: words_ is a bitmap
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_CLASSES_ID_SET_H_
