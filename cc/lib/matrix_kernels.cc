// Hands out the matrix kernels of the chosen instruction set.
#include "cc/lib/matrix_kernels.h"

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

}  // namespace candsamp
