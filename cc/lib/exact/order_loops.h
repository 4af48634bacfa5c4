// SPDX-License-Identifier: Apache-2.0
// Counts of logits above a bound: a struct of functions for each instruction set.
#ifndef TF_CANDSAMP_CC_LIB_EXACT_ORDER_LOOPS_H_
#define TF_CANDSAMP_CC_LIB_EXACT_ORDER_LOOPS_H_

#include <stdint.h>

namespace candsamp {

// A NaN is above nothing. A is float or double.
template <typename A>
struct OrderLoops {
  // How many z[k] > bound there are.
  int64_t (*count_above)(const A* z, int64_t count, A bound);
  // How many z[k] >= bound there are.
  int64_t (*count_from)(const A* z, int64_t count, A bound);
};

template <typename A>
const OrderLoops<A>& ChosenOrderLoops();

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_EXACT_ORDER_LOOPS_H_
