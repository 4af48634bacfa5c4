// SPDX-License-Identifier: Apache-2.0
// The loops that each compilation of bfloat16_matrices_isa.cc defines for matrix_loops.cc.
#ifndef TF_CANDSAMP_CC_LIB_MATRIX_BFLOAT16_MATRICES_ISA_H_
#define TF_CANDSAMP_CC_LIB_MATRIX_BFLOAT16_MATRICES_ISA_H_

#include "cc/lib/matrix/matrix_loops.h"

namespace candsamp {
namespace avx512bf16 {
extern const MatrixLoops<float> kBfloat16Matrices;
}
namespace amx {
extern const MatrixLoops<float> kBfloat16Matrices;
}
}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_MATRIX_BFLOAT16_MATRICES_ISA_H_
