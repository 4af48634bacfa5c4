// SPDX-License-Identifier: Apache-2.0
// The ragged losses of half inputs on a CUDA device.
#include "cc/cuda/core/cub_launcher.cu.h"
#include "cc/cuda/losses/define_ragged_launchers.h"

namespace candsamp {

CANDSAMP_DEFINE_RAGGED_LAUNCHERS(CubLauncher, Half, Half)
CANDSAMP_DEFINE_RAGGED_LAUNCHERS(CubLauncher, Half, float)
CANDSAMP_DEFINE_RAGGED_INPUT_LAUNCHERS(CubLauncher, Half)

}  // namespace candsamp
