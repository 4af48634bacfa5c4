// SPDX-License-Identifier: Apache-2.0
// The dense losses of float and double inputs on a CUDA device.
#include "cc/cuda/core/cub_launcher.cu.h"
#include "cc/cuda/losses/define_sampled_launchers.h"

namespace candsamp {

CANDSAMP_DEFINE_SAMPLED_LAUNCHERS(CubLauncher, float, float)
CANDSAMP_DEFINE_SAMPLED_LAUNCHERS(CubLauncher, double, double)
CANDSAMP_DEFINE_LOG_COUNTS(CubLauncher, float)
CANDSAMP_DEFINE_LOG_COUNTS(CubLauncher, double)
CANDSAMP_DEFINE_OFFSETS(CubLauncher, float)
CANDSAMP_DEFINE_OFFSETS(CubLauncher, double)

}  // namespace candsamp
