// SPDX-License-Identifier: Apache-2.0
// Consecutive class rows in the type of the arithmetic.
#ifndef TF_CANDSAMP_CC_LIB_ROWS_WIDENED_ROWS_H_
#define TF_CANDSAMP_CC_LIB_ROWS_WIDENED_ROWS_H_

#include <cstdint>
#include <type_traits>

#include "cc/lib/core/half.h"
#include "cc/lib/core/runtime.h"
#include "cc/lib/rows/row_loops.h"

namespace candsamp {

// Hands out the rows themselves if W is the type of the arithmetic, else copies in scratch memory.
template <typename W>
class WidenedRows {
 public:
  using A = Accumulator<W>;

  // Makes room for `rows` rows.
  WidenedRows(Runtime& runtime, int64_t rows, int64_t depth)
      : depth_(depth), scratch_(kInPlace ? nullptr : runtime.Allocate<A>(rows * depth)) {}

  // The `count` rows from `rows` on. A copy takes the rows [slot, slot + count) of the scratch.
  const A* Widen(const W* rows, int64_t count, int64_t slot) const {
    if constexpr (kInPlace) {
      return rows;
    } else {
      A* wide = scratch_ + slot * depth_;
      ChosenRowLoops<W>().widen(rows, count * depth_, wide);
      return wide;
    }
  }

 private:
  static constexpr bool kInPlace = std::is_same_v<W, A>;
  int64_t depth_;
  A* scratch_;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_ROWS_WIDENED_ROWS_H_
