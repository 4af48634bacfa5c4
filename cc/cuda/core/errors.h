// SPDX-License-Identifier: Apache-2.0
// The message of a CUDA error for the user of an op, in one sentence.
#ifndef TF_CANDSAMP_CC_CUDA_CORE_ERRORS_H_
#define TF_CANDSAMP_CC_CUDA_CORE_ERRORS_H_

#include <string>

namespace candsamp {

// `error` is a cudaError_t that is not cudaSuccess. Asks the driver for its version.
std::string CudaErrorText(int error);

// The same, given the newest CUDA version that the driver supports, numbered as the runtime does
// (13000 is 13.0). 0 means that no driver is installed; a negative version is unknown.
std::string CudaErrorText(int error, int driver_version);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_CUDA_CORE_ERRORS_H_
