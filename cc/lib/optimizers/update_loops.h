// SPDX-License-Identifier: Apache-2.0
// The loops that update rows of a table: one for each formula, for each instruction set.
#ifndef TF_CANDSAMP_CC_LIB_OPTIMIZERS_UPDATE_LOOPS_H_
#define TF_CANDSAMP_CC_LIB_OPTIMIZERS_UPDATE_LOOPS_H_

#include <stdint.h>

#include "cc/lib/core/half.h"
#include "cc/lib/optimizers/row_formulas.h"

namespace candsamp {

// The most slots of any formula.
constexpr int kMostSlots = 3;

// Rows of a table and of its slots, and a gradient for each of them.
template <typename W>
struct RowsToUpdate {
  using A = Accumulator<W>;
  W* table;              // [rows of the table, depth]
  A* slots[kMostSlots];  // the same shape; those of the formula come first
  int64_t depth;
  const int64_t* ids;  // [count], distinct
  int64_t count;
  const A* gradients;                // [count, depth]
  const A* const* gradient_of_each;  // [count], or nullptr: the rows of `gradients`

  const A* Gradient(int64_t k) const {
    return gradient_of_each ? gradient_of_each[k] : gradients + k * depth;
  }
};

// Updates the rows ids[begin] to ids[end - 1], and meanwhile fetches the next ones into the caches.
template <typename W, typename Formula>
using UpdateLoop = void (*)(const Formula& formula, const RowsToUpdate<W>& rows, int64_t begin,
                            int64_t end);

template <typename W, typename Formula>
struct LoopOf {
  UpdateLoop<W, Formula> run;
};

template <typename W, typename... Formulas>
struct LoopsOf : LoopOf<W, Formulas>... {};

// The formulas of type A, handed on to another template after its first argument.
template <template <typename, typename...> class Use, typename W, typename A = Accumulator<W>>
using WithEachFormula =
    Use<W, SgdFormula<A>, MomentumFormula<A, false>, MomentumFormula<A, true>, AdagradFormula<A>,
        RmspropFormula<A, false, false>, RmspropFormula<A, false, true>,
        RmspropFormula<A, true, false>, RmspropFormula<A, true, true>, AdamFormula<A, false>,
        AdamFormula<A, true>, FtrlFormula<A, false>, FtrlFormula<A, true>>;

template <typename W>
using UpdateLoops = WithEachFormula<LoopsOf, W>;

// The loops of the widest instruction set that this machine has. W is a stored type.
template <typename W>
const UpdateLoops<W>& ChosenUpdateLoops();

template <typename W, typename Formula>
UpdateLoop<W, Formula> LoopFor(const UpdateLoops<W>& loops) {
  return static_cast<const LoopOf<W, Formula>&>(loops).run;
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_OPTIMIZERS_UPDATE_LOOPS_H_
