// Finds the candidates that are a row's true classes.
#ifndef TF_CANDSAMP_CC_LIB_ACCIDENTAL_HITS_H_
#define TF_CANDSAMP_CC_LIB_ACCIDENTAL_HITS_H_

#include <cstdint>

#include "cc/lib/host.h"

namespace candsamp {

// The positions of each class among the candidates, in a hash table. O(1) expected a lookup.
class CandidatePositions {
 public:
  CandidatePositions(Host& host, const int64_t* candidates, int64_t count);

  // Calls use(position) for each position of `id`, in ascending order.
  template <typename Use>
  void ForEach(int64_t id, Use use) const {
    for (int64_t at = Slot(id);; at = (at + 1) & mask_) {
      const int64_t first = heads_[at];
      if (first < 0) return;
      if (candidates_[first] != id) continue;
      for (int64_t position = first; position >= 0; position = next_[position]) use(position);
      return;
    }
  }

 private:
  int64_t Slot(int64_t id) const {
    return static_cast<int64_t>((static_cast<uint64_t>(id) * 0x9e3779b97f4a7c15) >> shift_);
  }

  const int64_t* candidates_;
  int64_t* heads_;  // [mask_ + 1]: the first position of the class of a slot, or -1
  int64_t* next_;   // [count]: the next position of the same class, or -1
  int64_t mask_;
  int shift_;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_ACCIDENTAL_HITS_H_
