// What each compilation of row_kernels_isa.cc provides to row_kernels.cc.
#ifndef TF_CANDSAMP_CC_LIB_ROW_KERNELS_ISA_H_
#define TF_CANDSAMP_CC_LIB_ROW_KERNELS_ISA_H_

#include "cc/lib/row_kernels.h"

#define CANDSAMP_DECLARE_ISA(isa)                  \
  namespace candsamp {                             \
  namespace isa {                                  \
  extern const RowKernels<float> kFloatRows;       \
  extern const RowKernels<double> kDoubleRows;     \
  extern const RowKernels<Bfloat16> kBfloat16Rows; \
  extern const RowKernels<Half> kHalfRows;         \
  extern const LogitKernels<float> kFloatLogits;   \
  extern const LogitKernels<double> kDoubleLogits; \
  }                                                \
  }

CANDSAMP_DECLARE_ISA(baseline)
CANDSAMP_DECLARE_ISA(avx2)
CANDSAMP_DECLARE_ISA(avx512)

#undef CANDSAMP_DECLARE_ISA

#endif  // TF_CANDSAMP_CC_LIB_ROW_KERNELS_ISA_H_
