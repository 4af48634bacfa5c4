// SPDX-License-Identifier: Apache-2.0
// The launchers of the ops that score all classes, on threads that stand for a device. See
// host_runtime.cc.
#include "cc/cuda/exact/define_launchers.h"
#include "tests/cuda/host/host_launcher.h"

namespace candsamp {

CANDSAMP_DEFINE_EXACT_LAUNCHERS(HostLauncher, float, float)
CANDSAMP_DEFINE_EXACT_LAUNCHERS(HostLauncher, double, double)
CANDSAMP_DEFINE_EXACT_LAUNCHERS(HostLauncher, Bfloat16, Bfloat16)
CANDSAMP_DEFINE_EXACT_LAUNCHERS(HostLauncher, Half, Half)
CANDSAMP_DEFINE_EXACT_LAUNCHERS(HostLauncher, Bfloat16, float)
CANDSAMP_DEFINE_EXACT_LAUNCHERS(HostLauncher, Half, float)

}  // namespace candsamp
