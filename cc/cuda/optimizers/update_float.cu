// SPDX-License-Identifier: Apache-2.0
// The row optimizers of tables of floats on a CUDA device.
#include "cc/cuda/core/cub_launcher.cu.h"
#include "cc/cuda/optimizers/define_launchers.h"

namespace candsamp {

CANDSAMP_DEFINE_GROUP_ROWS(CubLauncher)
CANDSAMP_DEFINE_UPDATES(CubLauncher, float)
CANDSAMP_DEFINE_SUM_ROWS(CubLauncher, float)

}  // namespace candsamp
