// Hands out the matrix kernels of the chosen instruction set.
#include "cc/lib/matrix/matrix_loops.h"

#include "cc/lib/core/instruction_set.h"
#include "cc/lib/matrix/bfloat16_matrices_isa.h"
#include "cc/lib/matrix/matrix_loops_isa.h"

namespace candsamp {

template <>
const MatrixLoops<float>& ChosenMatrixLoops<float>() {
  return ByInstructionSet(baseline::kFloatMatrices, avx2::kFloatMatrices, avx512::kFloatMatrices);
}
template <>
const MatrixLoops<double>& ChosenMatrixLoops<double>() {
  return ByInstructionSet(baseline::kDoubleMatrices, avx2::kDoubleMatrices,
                          avx512::kDoubleMatrices);
}

const MatrixLoops<float>& ChosenBfloat16MatrixKernels() {
  switch (ChosenInstructionSet()) {
    case InstructionSet::kAmx:
      return amx::kBfloat16Matrices;
    case InstructionSet::kAvx512Bf16:
      return avx512bf16::kBfloat16Matrices;
    default:
      return ChosenMatrixLoops<float>();
  }
}

}  // namespace candsamp
