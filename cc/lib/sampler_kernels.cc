// Hands out the sampler kernels of the chosen instruction set.
#include "cc/lib/sampler_kernels.h"

#include "cc/lib/instruction_set.h"
#include "cc/lib/sampler_kernels_isa.h"

namespace candsamp {

const SamplerKernels& ChosenSamplerKernels() {
  return ByInstructionSet(baseline::kSamplers, avx2::kSamplers, avx512::kSamplers);
}

}  // namespace candsamp
