// SPDX-License-Identifier: Apache-2.0
// The ragged losses of float and double inputs on a CUDA device.
#include "cc/cuda/core/cub_launcher.cu.h"
#include "cc/cuda/losses/define_ragged_launchers.h"

namespace candsamp {

CANDSAMP_DEFINE_RAGGED_LAUNCHERS(CubLauncher, float, float)
CANDSAMP_DEFINE_RAGGED_LAUNCHERS(CubLauncher, double, double)
CANDSAMP_DEFINE_RAGGED_INPUT_LAUNCHERS(CubLauncher, float)
CANDSAMP_DEFINE_RAGGED_INPUT_LAUNCHERS(CubLauncher, double)

}  // namespace candsamp
