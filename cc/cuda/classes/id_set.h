// SPDX-License-Identifier: Apache-2.0
// A set of classes that the threads of a team fill together, with the first draw of each class. It
// is a hash table with open addressing.
#ifndef TF_CANDSAMP_CC_CUDA_CLASSES_ID_SET_H_
#define TF_CANDSAMP_CC_CUDA_CLASSES_ID_SET_H_

#include "cc/cuda/core/device.h"
#include "cc/lib/core/golden_ratio.h"
#include "cc/lib/sampler_math/sampler_formulas.h"

namespace candsamp {

class DeviceIdSet {
 public:
  // How many slots hold `wanted` classes, and the classes of further draws that Room allows.
  static CANDSAMP_METHOD int64_t Slots(int64_t wanted) { return 4 * wanted + 16; }
  // REQUIRES: memory of 2 * slots words.
  CANDSAMP_DEVICE DeviceIdSet(uint64_t* memory, int64_t slots)
      : classes_(memory), firsts_(memory + slots), slots_(slots) {}

  // How many classes may still be inserted when the set holds `held`: three quarters of the slots
  // are taken at most.
  CANDSAMP_DEVICE int64_t Room(int64_t held) const { return slots_ / 4 * 3 - held; }

  // All threads of the team call it. Insert needs a barrier after it.
  template <typename Team>
  CANDSAMP_DEVICE void Clear(const Team& team) {
    for (int64_t k = team.rank(); k < slots_; k += team.size()) classes_[k] = firsts_[k] = kEmpty;
  }

  // Inserts the class of a draw; returns the class's slot.
  CANDSAMP_DEVICE int64_t Insert(uint64_t id, uint64_t draw) {
    int64_t at = First(id);
    for (;; at = Next(at)) {
      uint64_t found = AtomicLoad(&classes_[at]);
      if (found == kEmpty) found = AtomicReplace(&classes_[at], kEmpty, id);
      if (found == kEmpty || found == id) break;
    }
    AtomicMin(&firsts_[at], draw);
    return at;
  }

  // Whether `draw` is the first one of the slot's class. REQUIRES: a barrier since Insert.
  CANDSAMP_DEVICE bool IsFirst(int64_t slot, uint64_t draw) const { return firsts_[slot] == draw; }

  // REQUIRES: a barrier since Insert.
  CANDSAMP_DEVICE bool Contains(uint64_t id) const {
    for (int64_t at = First(id);; at = Next(at)) {
      if (classes_[at] == id) return true;
      if (classes_[at] == kEmpty) return false;
    }
  }

 private:
  static constexpr uint64_t kEmpty = ~uint64_t{0};

  CANDSAMP_DEVICE int64_t First(uint64_t id) const {
    return static_cast<int64_t>(HighProduct(id * kGoldenRatio, static_cast<uint64_t>(slots_)));
  }
  CANDSAMP_DEVICE int64_t Next(int64_t at) const { return at + 1 == slots_ ? 0 : at + 1; }

  uint64_t* classes_;
  uint64_t* firsts_;
  int64_t slots_;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_CLASSES_ID_SET_H_
