// SPDX-License-Identifier: Apache-2.0
// The launchers of the row optimizers, on threads that stand for a device. See host_runtime.cc.
#include "cc/cuda/optimizers/define_launchers.h"
#include "tests/cuda/host/host_launcher.h"

namespace candsamp {

CANDSAMP_DEFINE_GROUP_ROWS(HostLauncher)
CANDSAMP_DEFINE_UPDATES(HostLauncher, float)
CANDSAMP_DEFINE_UPDATES(HostLauncher, double)
CANDSAMP_DEFINE_UPDATES(HostLauncher, Bfloat16)
CANDSAMP_DEFINE_UPDATES(HostLauncher, Half)
CANDSAMP_DEFINE_SUM_ROWS(HostLauncher, float)
CANDSAMP_DEFINE_SUM_ROWS(HostLauncher, double)
CANDSAMP_DEFINE_SUM_ROWS(HostLauncher, Bfloat16)
CANDSAMP_DEFINE_SUM_ROWS(HostLauncher, Half)

}  // namespace candsamp
