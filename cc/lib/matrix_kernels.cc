// Hands out the matrix kernels of the chosen instruction set.
#include "cc/lib/matrix_kernels.h"

#include "cc/lib/bfloat16_matrices_isa.h"
#include "cc/lib/instruction_set.h"
#include "cc/lib/matrix_kernels_isa.h"

namespace candsamp {

template <>
const MatrixKernels<float>& ChosenMatrixKernels<float>() {
  return ByInstructionSet(baseline::kFloatMatrices, avx2::kFloatMatrices, avx512::kFloatMatrices);
}
template <>
const MatrixKernels<double>& ChosenMatrixKernels<double>() {
  return ByInstructionSet(baseline::kDoubleMatrices, avx2::kDoubleMatrices,
                          avx512::kDoubleMatrices);
}

const MatrixKernels<float>& ChosenBfloat16MatrixKernels() {
  switch (ChosenInstructionSet()) {
    case InstructionSet::kAmx:
      return amx::kBfloat16Matrices;
    case InstructionSet::kAvx512Bf16:
      return avx512bf16::kBfloat16Matrices;
    default:
      return ChosenMatrixKernels<float>();
  }
}

}  // namespace candsamp
