// What each compilation of row_kernels_isa.cc provides to row_kernels.cc.
#ifndef TF_CANDSAMP_CC_LIB_ROWS_ROW_LOOPS_ISA_H_
#define TF_CANDSAMP_CC_LIB_ROWS_ROW_LOOPS_ISA_H_

#include "cc/lib/rows/row_loops.h"

#define CANDSAMP_DECLARE_ISA(isa)                \
  namespace candsamp {                           \
  namespace isa {                                \
  extern const RowLoops<float> kFloatRows;       \
  extern const RowLoops<double> kDoubleRows;     \
  extern const RowLoops<Bfloat16> kBfloat16Rows; \
  extern const RowLoops<Half> kHalfRows;         \
  extern const LogitLoops<float> kFloatLogits;   \
  extern const LogitLoops<double> kDoubleLogits; \
  }                                              \
  }

CANDSAMP_DECLARE_ISA(baseline)
CANDSAMP_DECLARE_ISA(avx2)
CANDSAMP_DECLARE_ISA(avx512)

#undef CANDSAMP_DECLARE_ISA

#endif  // TF_CANDSAMP_CC_LIB_ROWS_ROW_LOOPS_ISA_H_
