// SPDX-License-Identifier: Apache-2.0
// The loops that each compilation of logit_option_loops_isa.cc defines for logit_option_loops.cc.
#ifndef TF_CANDSAMP_CC_LIB_LOGITS_LOGIT_OPTION_LOOPS_ISA_H_
#define TF_CANDSAMP_CC_LIB_LOGITS_LOGIT_OPTION_LOOPS_ISA_H_

#include "cc/lib/core/isa_tables.h"
#include "cc/lib/logits/logit_option_loops.h"

namespace candsamp {
CANDSAMP_DECLARE_ISA_TABLES(UnitLoops<float>, kFloatUnits)
CANDSAMP_DECLARE_ISA_TABLES(UnitLoops<double>, kDoubleUnits)
CANDSAMP_DECLARE_ISA_TABLES(UnitLoops<Bfloat16>, kBfloat16Units)
CANDSAMP_DECLARE_ISA_TABLES(UnitLoops<Half>, kHalfUnits)
CANDSAMP_DECLARE_ISA_TABLES(SoftcapLoops<float>, kFloatSoftcaps)
CANDSAMP_DECLARE_ISA_TABLES(SoftcapLoops<double>, kDoubleSoftcaps)
}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_LOGITS_LOGIT_OPTION_LOOPS_ISA_H_
