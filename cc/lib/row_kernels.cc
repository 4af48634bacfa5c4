// Hands out the row kernels of the chosen instruction set.
#include "cc/lib/row_kernels.h"

#include "cc/lib/instruction_set.h"
#include "cc/lib/row_kernels_isa.h"

namespace candsamp {
namespace {

template <typename Kernels>
const Kernels& Choose(const Kernels& baseline, const Kernels& avx2, const Kernels& avx512) {
  switch (ChosenInstructionSet()) {
    case InstructionSet::kAvx512:
      return avx512;
    case InstructionSet::kAvx2:
      return avx2;
    case InstructionSet::kBaseline:
      break;
  }
  return baseline;
}

}  // namespace

template <>
const RowKernels<float>& ChosenRowKernels<float>() {
  return Choose(baseline::kFloatRows, avx2::kFloatRows, avx512::kFloatRows);
}
template <>
const RowKernels<double>& ChosenRowKernels<double>() {
  return Choose(baseline::kDoubleRows, avx2::kDoubleRows, avx512::kDoubleRows);
}
template <>
const RowKernels<Bfloat16>& ChosenRowKernels<Bfloat16>() {
  return Choose(baseline::kBfloat16Rows, avx2::kBfloat16Rows, avx512::kBfloat16Rows);
}
template <>
const RowKernels<Half>& ChosenRowKernels<Half>() {
  return Choose(baseline::kHalfRows, avx2::kHalfRows, avx512::kHalfRows);
}
template <>
const LogitKernels<float>& ChosenLogitKernels<float>() {
  return Choose(baseline::kFloatLogits, avx2::kFloatLogits, avx512::kFloatLogits);
}
template <>
const LogitKernels<double>& ChosenLogitKernels<double>() {
  return Choose(baseline::kDoubleLogits, avx2::kDoubleLogits, avx512::kDoubleLogits);
}

}  // namespace candsamp
