// SPDX-License-Identifier: Apache-2.0
// The dense losses of half inputs on a CUDA device.
#include "cc/cuda/core/cub_launcher.cu.h"
#include "cc/cuda/losses/define_sampled_launchers.h"

namespace candsamp {

CANDSAMP_DEFINE_SAMPLED_LAUNCHERS(CubLauncher, Half, Half)
CANDSAMP_DEFINE_SAMPLED_LAUNCHERS(CubLauncher, Half, float)
CANDSAMP_DEFINE_OFFSETS(CubLauncher, Half)

}  // namespace candsamp
