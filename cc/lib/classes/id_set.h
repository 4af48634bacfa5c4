// A set of classes that grows: a bit for each class, or a hash table, whichever is smaller.
#ifndef TF_CANDSAMP_CC_LIB_CLASSES_ID_SET_H_
#define TF_CANDSAMP_CC_LIB_CLASSES_ID_SET_H_

#include <algorithm>
#include <cstdint>

namespace candsamp {

class IdSet {
 public:
  // How many words of memory a set of up to `capacity` classes out of `range` needs.
  static int64_t Words(int64_t capacity, int64_t range) {
    return std::min(BitmapWords(range), TableWords(capacity));
  }

  // A set that nothing is asked of.
  IdSet() : words_(nullptr) {}

  // An empty set in the given memory.
  IdSet(uint64_t* words, int64_t capacity, int64_t range) : words_(words) {
    const int64_t table = TableWords(capacity);
    if (BitmapWords(range) <= table) {
      std::fill_n(words_, BitmapWords(range), 0);
    } else {
      shift_ = 64 - __builtin_ctzll(table);
      mask_ = table - 1;
      std::fill_n(words_, table, kEmpty);
    }
  }

  bool is_bitmap() const { return mask_ == 0; }

  // True if `id` was not in the set.
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
    __builtin_prefetch(&words_[is_bitmap() ? static_cast<uint64_t>(id >> 6) : Slot(id)], 1);
  }

 private:
  static constexpr uint64_t kEmpty = ~uint64_t{0};

  static int64_t BitmapWords(int64_t range) { return (range >> 6) + 1; }

  // A power of two, at most half of it taken.
  static int64_t TableWords(int64_t capacity) {
    int64_t words = 16;
    while (words < 2 * capacity) words *= 2;
    return words;
  }

  uint64_t Slot(int64_t id) const {
    return (static_cast<uint64_t>(id) * 0x9e3779b97f4a7c15) >> shift_;
  }
  uint64_t* Find(int64_t id) const {
    uint64_t at = Slot(id);
    while (words_[at] != kEmpty && words_[at] != static_cast<uint64_t>(id)) at = (at + 1) & mask_;
    return &words_[at];
  }

  uint64_t* words_;
  int shift_ = 0;
  uint64_t mask_ = 0;  // 0: a bit for each class
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_CLASSES_ID_SET_H_
