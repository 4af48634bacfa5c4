// SPDX-License-Identifier: Apache-2.0
// Hands out the update loops of the chosen instruction set.
#include "cc/lib/optimizers/update_loops.h"

#include "cc/lib/core/isa_tables.h"
#include "cc/lib/optimizers/update_loops_isa.h"

namespace candsamp {

template <>
const UpdateLoops<float>& ChosenUpdateLoops<float>() {
  return CANDSAMP_CHOSEN_ISA_TABLE(kFloatUpdates);
}
template <>
const UpdateLoops<double>& ChosenUpdateLoops<double>() {
  return CANDSAMP_CHOSEN_ISA_TABLE(kDoubleUpdates);
}
template <>
const UpdateLoops<Bfloat16>& ChosenUpdateLoops<Bfloat16>() {
  return CANDSAMP_CHOSEN_ISA_TABLE(kBfloat16Updates);
}
template <>
const UpdateLoops<Half>& ChosenUpdateLoops<Half>() {
  return CANDSAMP_CHOSEN_ISA_TABLE(kHalfUpdates);
}

}  // namespace candsamp
