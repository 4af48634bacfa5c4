// SPDX-License-Identifier: Apache-2.0
// Hands out the order loops of the chosen instruction set.
#include "cc/lib/exact/order_loops.h"

#include "cc/lib/exact/order_loops_isa.h"

namespace candsamp {

template <>
const OrderLoops<float>& ChosenOrderLoops<float>() {
  return CANDSAMP_CHOSEN_ISA_TABLE(kFloatOrder);
}
template <>
const OrderLoops<double>& ChosenOrderLoops<double>() {
  return CANDSAMP_CHOSEN_ISA_TABLE(kDoubleOrder);
}

}  // namespace candsamp
