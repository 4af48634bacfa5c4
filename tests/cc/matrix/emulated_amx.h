// SPDX-License-Identifier: Apache-2.0
// The AMX matrix loops with AMX itself emulated. They need AVX512-BF16.
#ifndef TF_CANDSAMP_TESTS_CC_MATRIX_EMULATED_AMX_H_
#define TF_CANDSAMP_TESTS_CC_MATRIX_EMULATED_AMX_H_

#include "cc/lib/matrix/matrix_loops.h"

namespace candsamp {
namespace emulated_amx {
extern const MatrixLoops<float> kBfloat16Matrices;
}
}  // namespace candsamp

#endif  // TF_CANDSAMP_TESTS_CC_MATRIX_EMULATED_AMX_H_
