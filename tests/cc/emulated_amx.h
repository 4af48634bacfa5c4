// The AMX matrix kernels with AMX itself emulated. They need AVX512-BF16.
#ifndef TF_CANDSAMP_TESTS_CC_EMULATED_AMX_H_
#define TF_CANDSAMP_TESTS_CC_EMULATED_AMX_H_

#include "cc/lib/matrix_kernels.h"

namespace candsamp {
namespace emulated_amx {
extern const MatrixKernels<float> kBfloat16Matrices;
}
}  // namespace candsamp

#endif  // TF_CANDSAMP_TESTS_CC_EMULATED_AMX_H_
