// SPDX-License-Identifier: Apache-2.0
// The loops that each compilation of row_loops_isa.cc defines for row_loops.cc.
#ifndef TF_CANDSAMP_CC_LIB_ROWS_ROW_LOOPS_ISA_H_
#define TF_CANDSAMP_CC_LIB_ROWS_ROW_LOOPS_ISA_H_

#include "cc/lib/core/isa_tables.h"
#include "cc/lib/rows/row_loops.h"

namespace candsamp {
CANDSAMP_DECLARE_ISA_TABLES(RowLoops<float>, kFloatRows)
CANDSAMP_DECLARE_ISA_TABLES(RowLoops<double>, kDoubleRows)
CANDSAMP_DECLARE_ISA_TABLES(RowLoops<Bfloat16>, kBfloat16Rows)
CANDSAMP_DECLARE_ISA_TABLES(RowLoops<Half>, kHalfRows)
CANDSAMP_DECLARE_ISA_TABLES(LogitLoops<float>, kFloatLogits)
CANDSAMP_DECLARE_ISA_TABLES(LogitLoops<double>, kDoubleLogits)
}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_ROWS_ROW_LOOPS_ISA_H_
