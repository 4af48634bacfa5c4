// SPDX-License-Identifier: Apache-2.0
// The launchers of the ragged losses, on threads that stand for a device. See host_runtime.cc.
#include "cc/cuda/losses/define_ragged_launchers.h"
#include "tests/cuda/host/host_launcher.h"

namespace candsamp {

CANDSAMP_DEFINE_RAGGED_LAUNCHERS(HostLauncher, float, float)
CANDSAMP_DEFINE_RAGGED_LAUNCHERS(HostLauncher, double, double)
CANDSAMP_DEFINE_RAGGED_LAUNCHERS(HostLauncher, Bfloat16, Bfloat16)
CANDSAMP_DEFINE_RAGGED_LAUNCHERS(HostLauncher, Half, Half)
CANDSAMP_DEFINE_RAGGED_LAUNCHERS(HostLauncher, Bfloat16, float)
CANDSAMP_DEFINE_RAGGED_LAUNCHERS(HostLauncher, Half, float)
CANDSAMP_DEFINE_RAGGED_INPUT_LAUNCHERS(HostLauncher, float)
CANDSAMP_DEFINE_RAGGED_INPUT_LAUNCHERS(HostLauncher, double)
CANDSAMP_DEFINE_RAGGED_INPUT_LAUNCHERS(HostLauncher, Bfloat16)
CANDSAMP_DEFINE_RAGGED_INPUT_LAUNCHERS(HostLauncher, Half)

}  // namespace candsamp
