// SPDX-License-Identifier: Apache-2.0
// Tags by which op kernels are chosen at compile time.
#ifndef TF_CANDSAMP_CC_KERNELS_FRAMEWORK_DEVICES_H_
#define TF_CANDSAMP_CC_KERNELS_FRAMEWORK_DEVICES_H_

namespace candsamp {

struct CpuDevice;
struct GpuDevice;

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_FRAMEWORK_DEVICES_H_
