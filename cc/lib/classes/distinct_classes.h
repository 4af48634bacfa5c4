// Numbers class ids in the order in which they first occur.
#ifndef TF_CANDSAMP_CC_LIB_CLASSES_DISTINCT_CLASSES_H_
#define TF_CANDSAMP_CC_LIB_CLASSES_DISTINCT_CLASSES_H_

#include <cstdint>

#include "cc/lib/core/runtime.h"

namespace candsamp {

// A hash table from ids to their numbers. O(1) expected an operation.
class DistinctClasses {
 public:
  // Room for `most` different ids.
  DistinctClasses(Runtime& runtime, int64_t most);

  // The number of `id`, which becomes the next one if it had none.
  int64_t Insert(int64_t id) {
    int64_t& slot = slots_[SlotOf(id)];
    if (slot < 0) {
      slot = size_;
      ids_[size_++] = id;
    }
    return slot;
  }

  // The number of `id`, or -1.
  int64_t Find(int64_t id) const { return slots_[SlotOf(id)]; }

  int64_t size() const { return size_; }
  const int64_t* ids() const { return ids_; }  // [size()], by number

 private:
  // Where `id` is, or else where it is to go.
  int64_t SlotOf(int64_t id) const {
    int64_t at = static_cast<int64_t>((static_cast<uint64_t>(id) * 0x9e3779b97f4a7c15) >> shift_);
    while (slots_[at] >= 0 && ids_[slots_[at]] != id) at = (at + 1) & mask_;
    return at;
  }

  int64_t* slots_;  // [mask_ + 1]: the number of the id that is there, or -1
  int64_t* ids_;
  int64_t size_ = 0;
  int64_t mask_;
  int shift_;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_CLASSES_DISTINCT_CLASSES_H_
