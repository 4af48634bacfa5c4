// Hands out the sampler kernels of the chosen instruction set.
#include "cc/lib/sampler_math/sampler_loops.h"

#include "cc/lib/core/instruction_set.h"
#include "cc/lib/sampler_math/sampler_loops_isa.h"

namespace candsamp {

const SamplerLoops& ChosenSamplerLoops() {
  return ByInstructionSet(baseline::kSamplers, avx2::kSamplers, avx512::kSamplers);
}

}  // namespace candsamp
