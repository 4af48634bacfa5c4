// SPDX-License-Identifier: Apache-2.0
// The loops that each compilation of sampler_loops_isa.cc defines for sampler_loops.cc.
#ifndef TF_CANDSAMP_CC_LIB_SAMPLER_MATH_SAMPLER_LOOPS_ISA_H_
#define TF_CANDSAMP_CC_LIB_SAMPLER_MATH_SAMPLER_LOOPS_ISA_H_

#include "cc/lib/core/isa_tables.h"
#include "cc/lib/sampler_math/sampler_loops.h"

namespace candsamp {
CANDSAMP_DECLARE_ISA_TABLES(SamplerLoops, kSamplers)
}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_SAMPLER_MATH_SAMPLER_LOOPS_ISA_H_
