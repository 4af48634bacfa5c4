// SPDX-License-Identifier: Apache-2.0
// Kernels over rows on a CUDA device.
#include "cc/cuda/core/cuda_launcher.cu.h"
#include "cc/cuda/rows/define_launchers.h"

namespace candsamp {

CANDSAMP_DEFINE_ROW_LAUNCHERS(CudaLauncher)

}  // namespace candsamp
