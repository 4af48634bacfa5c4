// Hands out the row kernels of the chosen instruction set.
#include "cc/lib/rows/row_loops.h"

#include "cc/lib/core/instruction_set.h"
#include "cc/lib/rows/row_loops_isa.h"

namespace candsamp {
template <>
const RowLoops<float>& ChosenRowLoops<float>() {
  return ByInstructionSet(baseline::kFloatRows, avx2::kFloatRows, avx512::kFloatRows);
}
template <>
const RowLoops<double>& ChosenRowLoops<double>() {
  return ByInstructionSet(baseline::kDoubleRows, avx2::kDoubleRows, avx512::kDoubleRows);
}
template <>
const RowLoops<Bfloat16>& ChosenRowLoops<Bfloat16>() {
  return ByInstructionSet(baseline::kBfloat16Rows, avx2::kBfloat16Rows, avx512::kBfloat16Rows);
}
template <>
const RowLoops<Half>& ChosenRowLoops<Half>() {
  return ByInstructionSet(baseline::kHalfRows, avx2::kHalfRows, avx512::kHalfRows);
}
template <>
const LogitLoops<float>& ChosenLogitLoops<float>() {
  return ByInstructionSet(baseline::kFloatLogits, avx2::kFloatLogits, avx512::kFloatLogits);
}
template <>
const LogitLoops<double>& ChosenLogitLoops<double>() {
  return ByInstructionSet(baseline::kDoubleLogits, avx2::kDoubleLogits, avx512::kDoubleLogits);
}

}  // namespace candsamp
