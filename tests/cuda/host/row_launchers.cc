// SPDX-License-Identifier: Apache-2.0
// The launchers over rows, on threads that stand for a device. See host_runtime.cc.
#include "cc/cuda/rows/define_launchers.h"
#include "tests/cuda/host/host_launcher.h"

namespace candsamp {

CANDSAMP_DEFINE_ROW_LAUNCHERS(HostLauncher)

}  // namespace candsamp
