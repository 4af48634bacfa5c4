// What each compilation of sampler_kernels_isa.cc provides to sampler_kernels.cc.
#ifndef TF_CANDSAMP_CC_LIB_SAMPLER_MATH_SAMPLER_LOOPS_ISA_H_
#define TF_CANDSAMP_CC_LIB_SAMPLER_MATH_SAMPLER_LOOPS_ISA_H_

#include "cc/lib/sampler_math/sampler_loops.h"

namespace candsamp {
namespace baseline {
extern const SamplerLoops kSamplers;
}
namespace avx2 {
extern const SamplerLoops kSamplers;
}
namespace avx512 {
extern const SamplerLoops kSamplers;
}
}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_SAMPLER_MATH_SAMPLER_LOOPS_ISA_H_
