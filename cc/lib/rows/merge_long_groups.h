// SPDX-License-Identifier: Apache-2.0
// Adds up the sums over the segments of long groups.
#ifndef TF_CANDSAMP_CC_LIB_ROWS_MERGE_LONG_GROUPS_H_
#define TF_CANDSAMP_CC_LIB_ROWS_MERGE_LONG_GROUPS_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cc/lib/core/runtime.h"
#include "cc/lib/rows/row_loops.h"
#include "cc/lib/rows/segments.h"

namespace candsamp {

// Adds the partial sums of each long group in order, and calls finish(group, sum). partial_sums:
// [Segments::slots(), depth].
template <typename A, typename Finish>
void MergeLongGroups(Runtime& runtime, const std::vector<LongGroup>& long_groups,
                     const A* partial_sums, int64_t depth, Finish finish) {
  if (long_groups.empty()) return;
  const RowLoops<A>& loops = ChosenRowLoops<A>();
  A* sums = runtime.Allocate<A>(static_cast<int64_t>(long_groups.size()) * depth);
  runtime.ParallelFor(long_groups.size(), kSegmentLength * depth, [&](int64_t first, int64_t last) {
    for (int64_t k = first; k < last; ++k) {
      A* sum = sums + k * depth;
      std::fill_n(sum, depth, A(0));
      for (int64_t s = 0; s < long_groups[k].segments; ++s) {
        const A* part = partial_sums + (long_groups[k].first_slot + s) * depth;
        const A one = 1;
        loops.add_weighted(&part, &one, 1, depth, sum);
      }
      finish(long_groups[k].group, sum);
    }
  });
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_ROWS_MERGE_LONG_GROUPS_H_
