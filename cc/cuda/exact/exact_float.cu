// SPDX-License-Identifier: Apache-2.0
// The ops that score all classes, of float and double inputs, on a CUDA device.
#include "cc/cuda/core/cub_launcher.cu.h"
#include "cc/cuda/exact/define_launchers.h"

namespace candsamp {

CANDSAMP_DEFINE_EXACT_LAUNCHERS(CubLauncher, float, float)
CANDSAMP_DEFINE_EXACT_LAUNCHERS(CubLauncher, double, double)

}  // namespace candsamp
