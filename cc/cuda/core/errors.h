// What a CUDA error means to the user of an op, in one sentence.
#ifndef TF_CANDSAMP_CC_CUDA_CORE_ERRORS_H_
#define TF_CANDSAMP_CC_CUDA_CORE_ERRORS_H_

#include <string>

namespace candsamp {

// `error` is a cudaError_t that is not cudaSuccess. Asks the driver for its version.
std::string CudaErrorText(int error);

// The same, given the newest CUDA version that the driver supports as the runtime numbers it
// (13000 for 13.0): 0 where no driver is installed, negative where that is not known.
std::string CudaErrorText(int error, int driver_version);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_CORE_ERRORS_H_
