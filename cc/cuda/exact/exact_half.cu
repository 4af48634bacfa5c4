// SPDX-License-Identifier: Apache-2.0
// The ops that score all classes, of half inputs, on a CUDA device.
#include "cc/cuda/core/cub_launcher.cu.h"
#include "cc/cuda/exact/define_launchers.h"

namespace candsamp {

CANDSAMP_DEFINE_EXACT_LAUNCHERS(CubLauncher, Half, Half)
CANDSAMP_DEFINE_EXACT_LAUNCHERS(CubLauncher, Half, float)

}  // namespace candsamp
