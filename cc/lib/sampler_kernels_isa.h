// What each compilation of sampler_kernels_isa.cc provides to sampler_kernels.cc.
#ifndef TF_CANDSAMP_CC_LIB_SAMPLER_KERNELS_ISA_H_
#define TF_CANDSAMP_CC_LIB_SAMPLER_KERNELS_ISA_H_

#include "cc/lib/sampler_kernels.h"

namespace candsamp {
namespace baseline {
extern const SamplerKernels kSamplers;
}
namespace avx2 {
extern const SamplerKernels kSamplers;
}
namespace avx512 {
extern const SamplerKernels kSamplers;
}
}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_SAMPLER_KERNELS_ISA_H_
