// SPDX-License-Identifier: Apache-2.0
// Updates the rows of a table that have a gradient, in place and on all threads.
#ifndef TF_CANDSAMP_CC_LIB_OPTIMIZERS_UPDATE_ROWS_H_
#define TF_CANDSAMP_CC_LIB_OPTIMIZERS_UPDATE_ROWS_H_

#include <cstdint>

#include "cc/lib/core/half.h"
#include "cc/lib/core/runtime.h"
#include "cc/lib/optimizers/distinct_rows.h"
#include "cc/lib/optimizers/update_loops.h"

namespace candsamp {

// A table of [num_rows, depth] and the slots of an optimizer, of the same shape.
template <typename W>
struct OptimizedTable {
  W* values;
  Accumulator<W>* slots[kMostSlots];
  int64_t num_rows;
  int64_t depth;
};

// Updates each row once, with the sum of its gradients. Rows that do not occur stay as they are,
// with their slots. Each row's result depends on that row alone, so a NaN stays in its row, and
// the bits do not depend on the threads.
// REQUIRES: as SumRepeatedRows.
template <typename W, typename Formula>
void UpdateRows(Runtime& runtime, const Formula& formula, const OptimizedTable<W>& table,
                const int64_t* ids, int64_t count, const Accumulator<W>* gradients) {
  using A = Accumulator<W>;
  if (count == 0 || table.depth == 0) return;
  const DistinctRows<A> distinct =
      SumRepeatedRows(runtime, ids, count, table.num_rows, gradients, table.depth);
  const RowsToUpdate<W> rows = {table.values,
                                {table.slots[0], table.slots[1], table.slots[2]},
                                table.depth,
                                distinct.ids,
                                distinct.count,
                                distinct.gradients,
                                distinct.gradient_of_each};
  const UpdateLoop<W, Formula> update = LoopFor<W, Formula>(ChosenUpdateLoops<W>());
  const int64_t cost = 40 + (1 + Formula::kSlots) * table.depth;
  runtime.ParallelFor(rows.count, cost,
                      [&](int64_t begin, int64_t end) { update(formula, rows, begin, end); });
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_OPTIMIZERS_UPDATE_ROWS_H_
