// SPDX-License-Identifier: Apache-2.0
// The loops that each compilation of update_loops_isa.cc defines for update_loops.cc.
#ifndef TF_CANDSAMP_CC_LIB_OPTIMIZERS_UPDATE_LOOPS_ISA_H_
#define TF_CANDSAMP_CC_LIB_OPTIMIZERS_UPDATE_LOOPS_ISA_H_

#include "cc/lib/core/isa_tables.h"
#include "cc/lib/optimizers/update_loops.h"

namespace candsamp {
CANDSAMP_DECLARE_ISA_TABLES(UpdateLoops<float>, kFloatUpdates)
CANDSAMP_DECLARE_ISA_TABLES(UpdateLoops<double>, kDoubleUpdates)
CANDSAMP_DECLARE_ISA_TABLES(UpdateLoops<Bfloat16>, kBfloat16Updates)
CANDSAMP_DECLARE_ISA_TABLES(UpdateLoops<Half>, kHalfUpdates)
}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_OPTIMIZERS_UPDATE_LOOPS_ISA_H_
