// SPDX-License-Identifier: Apache-2.0
// The launchers of the dense losses, on threads that stand for a device. See host_runtime.cc.
#include "cc/cuda/losses/define_sampled_launchers.h"
#include "cc/cuda/matrix/cublaslt_products.h"
#include "tests/cuda/host/host_launcher.h"
#include "tests/cuda/host/host_products.h"

namespace candsamp {

int CublasLtProducts::Multiply(DeviceRuntime& runtime, const MatrixProduct& product) {
  return HostProducts().Multiply(runtime, product);
}

CANDSAMP_DEFINE_LOG_COUNTS(HostLauncher, float)
CANDSAMP_DEFINE_LOG_COUNTS(HostLauncher, double)
CANDSAMP_DEFINE_OFFSETS(HostLauncher, float)
CANDSAMP_DEFINE_OFFSETS(HostLauncher, double)
CANDSAMP_DEFINE_OFFSETS(HostLauncher, Bfloat16)
CANDSAMP_DEFINE_OFFSETS(HostLauncher, Half)
CANDSAMP_DEFINE_SAMPLED_LAUNCHERS(HostLauncher, float, float)
CANDSAMP_DEFINE_SAMPLED_LAUNCHERS(HostLauncher, double, double)
CANDSAMP_DEFINE_SAMPLED_LAUNCHERS(HostLauncher, Bfloat16, Bfloat16)
CANDSAMP_DEFINE_SAMPLED_LAUNCHERS(HostLauncher, Half, Half)
CANDSAMP_DEFINE_SAMPLED_LAUNCHERS(HostLauncher, Bfloat16, float)
CANDSAMP_DEFINE_SAMPLED_LAUNCHERS(HostLauncher, Half, float)

}  // namespace candsamp
