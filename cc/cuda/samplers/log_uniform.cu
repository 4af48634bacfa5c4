// SPDX-License-Identifier: Apache-2.0
// Draws from a LogUniformView on a CUDA device.
#include "cc/cuda/core/cuda_launcher.cu.h"
#include "cc/cuda/samplers/define_launchers.h"
#include "cc/cuda/samplers/log_uniform.h"

namespace candsamp {

CANDSAMP_DEFINE_LAUNCHERS(CudaLauncher, LogUniformView)

}  // namespace candsamp
