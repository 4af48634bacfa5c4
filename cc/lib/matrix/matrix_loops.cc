// SPDX-License-Identifier: Apache-2.0
// Hands out the matrix loops of the chosen instruction set.
#include "cc/lib/matrix/matrix_loops.h"

#include "cc/lib/core/instruction_set.h"
#include "cc/lib/core/isa_tables.h"
#include "cc/lib/matrix/bfloat16_matrices_isa.h"
#include "cc/lib/matrix/matrix_loops_isa.h"

namespace candsamp {

template <>
const MatrixLoops<float>& ChosenMatrixLoops<float>() {
  return CANDSAMP_CHOSEN_ISA_TABLE(kFloatMatrices);
}
template <>
const MatrixLoops<double>& ChosenMatrixLoops<double>() {
  return CANDSAMP_CHOSEN_ISA_TABLE(kDoubleMatrices);
}

const MatrixLoops<float>& ChosenBfloat16MatrixLoops() {
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
