// SPDX-License-Identifier: Apache-2.0
// Hands out the sampler loops of the chosen instruction set.
#include "cc/lib/sampler_math/sampler_loops.h"

#include "cc/lib/core/isa_tables.h"
#include "cc/lib/sampler_math/sampler_loops_isa.h"

namespace candsamp {

const SamplerLoops& ChosenSamplerLoops() { return CANDSAMP_CHOSEN_ISA_TABLE(kSamplers); }

}  // namespace candsamp
