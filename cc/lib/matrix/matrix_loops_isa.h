// SPDX-License-Identifier: Apache-2.0
// The loops that each compilation of matrix_loops_isa.cc defines for matrix_loops.cc.
#ifndef TF_CANDSAMP_CC_LIB_MATRIX_MATRIX_LOOPS_ISA_H_
#define TF_CANDSAMP_CC_LIB_MATRIX_MATRIX_LOOPS_ISA_H_

#include "cc/lib/core/isa_tables.h"
#include "cc/lib/matrix/matrix_loops.h"

namespace candsamp {
CANDSAMP_DECLARE_ISA_TABLES(MatrixLoops<float>, kFloatMatrices)
CANDSAMP_DECLARE_ISA_TABLES(MatrixLoops<double>, kDoubleMatrices)
}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_MATRIX_MATRIX_LOOPS_ISA_H_
