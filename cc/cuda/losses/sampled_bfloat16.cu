// SPDX-License-Identifier: Apache-2.0
// The dense losses of bfloat16 inputs on a CUDA device.
#include "cc/cuda/core/cub_launcher.cu.h"
#include "cc/cuda/losses/define_sampled_launchers.h"

namespace candsamp {

CANDSAMP_DEFINE_SAMPLED_LAUNCHERS(CubLauncher, Bfloat16, Bfloat16)
CANDSAMP_DEFINE_SAMPLED_LAUNCHERS(CubLauncher, Bfloat16, float)
CANDSAMP_DEFINE_OFFSETS(CubLauncher, Bfloat16)

}  // namespace candsamp
