// SPDX-License-Identifier: Apache-2.0
// A gradient for each distinct row of a table, of slices in which rows may occur several times.
#ifndef TF_CANDSAMP_CC_LIB_OPTIMIZERS_DISTINCT_ROWS_H_
#define TF_CANDSAMP_CC_LIB_OPTIMIZERS_DISTINCT_ROWS_H_

#include <cstdint>

#include "cc/lib/core/runtime.h"

namespace candsamp {

template <typename A>
struct DistinctRows {
  const int64_t* ids;  // [count], distinct
  int64_t count;
  const A* gradients;                // [count, depth] if gradient_of_each is nullptr
  const A* const* gradient_of_each;  // [count] rows of `depth` values, or nullptr

  const A* Gradient(int64_t k, int64_t depth) const {
    return gradient_of_each ? gradient_of_each[k] : gradients + k * depth;
  }
};

// Sums the gradients of each row in the order of their positions:
//  1. Finds out whether any row occurs twice. If not, the slices are returned as they are.
//  2. Sorts the positions by row.
//  3. Sums those of rows that occur several times, into scratch memory of the runtime. Of the
//     others it takes the gradients where they are.
// A is float or double. REQUIRES: ids [count] are in [0, num_rows), num_rows <= kMostClasses;
// gradients are [count, depth].
template <typename A>
DistinctRows<A> SumRepeatedRows(Runtime& runtime, const int64_t* ids, int64_t count,
                                int64_t num_rows, const A* gradients, int64_t depth);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_OPTIMIZERS_DISTINCT_ROWS_H_
