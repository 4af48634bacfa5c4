// SPDX-License-Identifier: Apache-2.0
// The row optimizers of tables of halves on a CUDA device.
#include "cc/cuda/core/cub_launcher.cu.h"
#include "cc/cuda/optimizers/define_launchers.h"

namespace candsamp {

CANDSAMP_DEFINE_WIDEN(CubLauncher, Half)
CANDSAMP_DEFINE_UPDATES(CubLauncher, Half)
CANDSAMP_DEFINE_SUM_ROWS(CubLauncher, Half)

}  // namespace candsamp
