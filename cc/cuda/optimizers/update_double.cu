// SPDX-License-Identifier: Apache-2.0
// The row optimizers of tables of doubles on a CUDA device.
#include "cc/cuda/core/cub_launcher.cu.h"
#include "cc/cuda/optimizers/define_launchers.h"

namespace candsamp {

CANDSAMP_DEFINE_UPDATES(CubLauncher, double)
CANDSAMP_DEFINE_SUM_ROWS(CubLauncher, double)

}  // namespace candsamp
