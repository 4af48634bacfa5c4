// Hands out the row kernels of the chosen instruction set.
#include "cc/lib/row_kernels.h"

#include "cc/lib/instruction_set.h"
#include "cc/lib/row_kernels_isa.h"

namespace candsamp {
template <>
const RowKernels<float>& ChosenRowKernels<float>() {
  return ByInstructionSet(baseline::kFloatRows, avx2::kFloatRows, avx512::kFloatRows);
}
template <>
const RowKernels<double>& ChosenRowKernels<double>() {
  return ByInstructionSet(baseline::kDoubleRows, avx2::kDoubleRows, avx512::kDoubleRows);
}
template <>
const RowKernels<Bfloat16>& ChosenRowKernels<Bfloat16>() {
  return ByInstructionSet(baseline::kBfloat16Rows, avx2::kBfloat16Rows, avx512::kBfloat16Rows);
}
template <>
const RowKernels<Half>& ChosenRowKernels<Half>() {
  return ByInstructionSet(baseline::kHalfRows, avx2::kHalfRows, avx512::kHalfRows);
}
template <>
const LogitKernels<float>& ChosenLogitKernels<float>() {
  return ByInstructionSet(baseline::kFloatLogits, avx2::kFloatLogits, avx512::kFloatLogits);
}
template <>
const LogitKernels<double>& ChosenLogitKernels<double>() {
  return ByInstructionSet(baseline::kDoubleLogits, avx2::kDoubleLogits, avx512::kDoubleLogits);
}

}  // namespace candsamp
