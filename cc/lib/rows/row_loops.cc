// SPDX-License-Identifier: Apache-2.0
// Hands out the row loops of the chosen instruction set.
#include "cc/lib/rows/row_loops.h"

#include "cc/lib/core/isa_tables.h"
#include "cc/lib/rows/row_loops_isa.h"

namespace candsamp {

template <>
const RowLoops<float>& ChosenRowLoops<float>() {
  return CANDSAMP_CHOSEN_ISA_TABLE(kFloatRows);
}
template <>
const RowLoops<double>& ChosenRowLoops<double>() {
  return CANDSAMP_CHOSEN_ISA_TABLE(kDoubleRows);
}
template <>
const RowLoops<Bfloat16>& ChosenRowLoops<Bfloat16>() {
  return CANDSAMP_CHOSEN_ISA_TABLE(kBfloat16Rows);
}
template <>
const RowLoops<Half>& ChosenRowLoops<Half>() {
  return CANDSAMP_CHOSEN_ISA_TABLE(kHalfRows);
}
template <>
const LogitLoops<float>& ChosenLogitLoops<float>() {
  return CANDSAMP_CHOSEN_ISA_TABLE(kFloatLogits);
}
template <>
const LogitLoops<double>& ChosenLogitLoops<double>() {
  return CANDSAMP_CHOSEN_ISA_TABLE(kDoubleLogits);
}

}  // namespace candsamp
