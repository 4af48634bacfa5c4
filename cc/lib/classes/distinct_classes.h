// SPDX-License-Identifier: Apache-2.0
// Numbers class ids in the order in which they first occur.
#ifndef TF_CANDSAMP_CC_LIB_CLASSES_DISTINCT_CLASSES_H_
#define TF_CANDSAMP_CC_LIB_CLASSES_DISTINCT_CLASSES_H_

#include <cstdint>

#include "cc/lib/classes/linear_probing.h"
#include "cc/lib/core/runtime.h"

namespace candsamp {

// A hash table from ids to their numbers. O(1) expected an operation.
class DistinctClasses {
 public:
  // Makes room for `most` different ids.
  DistinctClasses(Runtime& runtime, int64_t most);

  // The number of `id`. A new id gets the next number.
  int64_t Insert(int64_t id) {
    int64_t& number = numbers_[SlotOf(id)];
    if (number < 0) {
      number = size_;
      ids_[size_++] = id;
    }
    return number;
  }

  // The number of `id`, or -1.
  int64_t Find(int64_t id) const { return numbers_[SlotOf(id)]; }

  int64_t size() const { return size_; }
  const int64_t* ids() const { return ids_; }  // [size()], by number

 private:
  // The slot of `id`, or the empty one where it belongs.
  uint64_t SlotOf(int64_t id) const {
    return probing_.Find(id,
                         [&](uint64_t at) { return numbers_[at] < 0 || ids_[numbers_[at]] == id; });
  }

  LinearProbing probing_;
  int64_t* numbers_;  // of the id in each slot, -1 in an empty one
  int64_t* ids_;
  int64_t size_ = 0;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_CLASSES_DISTINCT_CLASSES_H_
