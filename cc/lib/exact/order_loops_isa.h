// SPDX-License-Identifier: Apache-2.0
// The loops that each compilation of order_loops_isa.cc defines for order_loops.cc.
#ifndef TF_CANDSAMP_CC_LIB_EXACT_ORDER_LOOPS_ISA_H_
#define TF_CANDSAMP_CC_LIB_EXACT_ORDER_LOOPS_ISA_H_

#include "cc/lib/core/isa_tables.h"
#include "cc/lib/exact/order_loops.h"

namespace candsamp {
CANDSAMP_DECLARE_ISA_TABLES(OrderLoops<float>, kFloatOrder)
CANDSAMP_DECLARE_ISA_TABLES(OrderLoops<double>, kDoubleOrder)
}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_EXACT_ORDER_LOOPS_ISA_H_
