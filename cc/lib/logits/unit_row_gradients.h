// SPDX-License-Identifier: Apache-2.0
// Gradients of class rows that logits take divided by their norms.
#ifndef TF_CANDSAMP_CC_LIB_LOGITS_UNIT_ROW_GRADIENTS_H_
#define TF_CANDSAMP_CC_LIB_LOGITS_UNIT_ROW_GRADIENTS_H_

#include <algorithm>
#include <cstdint>

#include "cc/lib/classes/class_gradients.h"
#include "cc/lib/classes/class_groups.h"
#include "cc/lib/core/half.h"
#include "cc/lib/core/runtime.h"
#include "cc/lib/logits/unit_rows.h"

namespace candsamp {

// SumClassRows where row_of(g), the row of class g of `groups`, is divided by its norm. The rows
// may lie in `out`, that of class g at its place there.
template <typename W, typename RowOf>
void SumUnitClassRows(Runtime& runtime, const ClassGroups<Occurrence<Accumulator<W>>>& groups,
                      int64_t first, int64_t last, const Accumulator<W>* inputs, int64_t depth,
                      RowOf row_of, W* out) {
  using A = Accumulator<W>;
  // As many at a time as stay in the caches from one pass to the next.
  constexpr int64_t kValues = int64_t{1} << 19;
  const int64_t most = std::min(last - first, std::max<int64_t>(kValues / (depth + 1), 64));
  A* sums = runtime.Allocate<A>(most * depth);
  for (int64_t begin = first; begin < last; begin += most) {
    const int64_t end = std::min(begin + most, last);
    SumClassRows(runtime, groups, begin, end, inputs, depth, sums);
    runtime.ParallelFor(end - begin, 4 * depth, [&](int64_t from, int64_t to) {
      for (int64_t g = begin + from; g < begin + to; ++g) {
        WriteGradientOfRow<W>(row_of(g), sums + (g - begin) * depth, A(1), depth,
                              out + (g - first) * depth);
      }
    });
  }
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_LOGITS_UNIT_ROW_GRADIENTS_H_
