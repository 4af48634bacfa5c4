// SPDX-License-Identifier: Apache-2.0
#include "cc/lib/classes/candidate_positions.h"

#include <algorithm>

namespace candsamp {

CandidatePositions::CandidatePositions(Runtime& runtime, const int64_t* candidates, int64_t count)
    : classes_(runtime, count),
      first_(runtime.Allocate<int64_t>(count)),
      next_(runtime.Allocate<int64_t>(count)) {
  std::fill_n(first_, count, -1);
  // From the last position to the first, so that each goes in front of the later ones.
  for (int64_t k = count - 1; k >= 0; --k) {
    int64_t& first = first_[classes_.Insert(candidates[k])];
    next_[k] = first;
    first = k;
  }
}

}  // namespace candsamp
