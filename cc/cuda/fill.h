// A first kernel, to prove the build: to be replaced.
#ifndef TF_CANDSAMP_CC_CUDA_FILL_H_
#define TF_CANDSAMP_CC_CUDA_FILL_H_

#include <cstdint>

namespace candsamp {

// Sets out[0..count) to `value`, in order on `stream`, a cudaStream_t. Returns a cudaError_t.
int LaunchFill(void* stream, int64_t count, int64_t value, int64_t* out);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_FILL_H_
