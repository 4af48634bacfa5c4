// SPDX-License-Identifier: Apache-2.0
// The row optimizers of tables of bfloat16 on a CUDA device.
#include "cc/cuda/core/cub_launcher.cu.h"
#include "cc/cuda/optimizers/define_launchers.h"

namespace candsamp {

CANDSAMP_DEFINE_WIDEN(CubLauncher, Bfloat16)
CANDSAMP_DEFINE_UPDATES(CubLauncher, Bfloat16)
CANDSAMP_DEFINE_SUM_ROWS(CubLauncher, Bfloat16)

}  // namespace candsamp
