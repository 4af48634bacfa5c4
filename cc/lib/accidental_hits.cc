#include "cc/lib/accidental_hits.h"

#include <algorithm>

namespace candsamp {

CandidatePositions::CandidatePositions(Host& host, const int64_t* candidates, int64_t count)
    : candidates_(candidates) {
  int64_t slots = 16;
  shift_ = 60;
  for (; slots < 2 * count; slots *= 2) --shift_;
  mask_ = slots - 1;
  heads_ = host.Allocate<int64_t>(slots);
  next_ = host.Allocate<int64_t>(count);
  std::fill_n(heads_, slots, -1);
  // From the last position on, so that each goes in front of those after it.
  for (int64_t k = count - 1; k >= 0; --k) {
    int64_t at = Slot(candidates[k]);
    while (heads_[at] >= 0 && candidates[heads_[at]] != candidates[k]) at = (at + 1) & mask_;
    next_[k] = heads_[at];
    heads_[at] = k;
  }
}

}  // namespace candsamp
