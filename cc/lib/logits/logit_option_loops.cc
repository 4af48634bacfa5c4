// SPDX-License-Identifier: Apache-2.0
// Hands out the loops of the chosen instruction set.
#include "cc/lib/logits/logit_option_loops.h"

#include "cc/lib/core/isa_tables.h"
#include "cc/lib/logits/logit_option_loops_isa.h"

namespace candsamp {

template <>
const UnitLoops<float>& ChosenUnitLoops<float>() {
  return CANDSAMP_CHOSEN_ISA_TABLE(kFloatUnits);
}
template <>
const UnitLoops<double>& ChosenUnitLoops<double>() {
  return CANDSAMP_CHOSEN_ISA_TABLE(kDoubleUnits);
}
template <>
const UnitLoops<Bfloat16>& ChosenUnitLoops<Bfloat16>() {
  return CANDSAMP_CHOSEN_ISA_TABLE(kBfloat16Units);
}
template <>
const UnitLoops<Half>& ChosenUnitLoops<Half>() {
  return CANDSAMP_CHOSEN_ISA_TABLE(kHalfUnits);
}
template <>
const SoftcapLoops<float>& ChosenSoftcapLoops<float>() {
  return CANDSAMP_CHOSEN_ISA_TABLE(kFloatSoftcaps);
}
template <>
const SoftcapLoops<double>& ChosenSoftcapLoops<double>() {
  return CANDSAMP_CHOSEN_ISA_TABLE(kDoubleSoftcaps);
}

}  // namespace candsamp
