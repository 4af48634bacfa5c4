// What each compilation of matrix_kernels_isa.cc provides to matrix_kernels.cc.
#ifndef TF_CANDSAMP_CC_LIB_MATRIX_MATRIX_LOOPS_ISA_H_
#define TF_CANDSAMP_CC_LIB_MATRIX_MATRIX_LOOPS_ISA_H_

#include "cc/lib/matrix/matrix_loops.h"

#define CANDSAMP_DECLARE_ISA(isa)                   \
  namespace candsamp {                              \
  namespace isa {                                   \
  extern const MatrixLoops<float> kFloatMatrices;   \
  extern const MatrixLoops<double> kDoubleMatrices; \
  }                                                 \
  }

CANDSAMP_DECLARE_ISA(baseline)
CANDSAMP_DECLARE_ISA(avx2)
CANDSAMP_DECLARE_ISA(avx512)

#undef CANDSAMP_DECLARE_ISA

#endif  // TF_CANDSAMP_CC_LIB_MATRIX_MATRIX_LOOPS_ISA_H_
