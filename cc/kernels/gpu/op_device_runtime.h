// SPDX-License-Identifier: Apache-2.0
// A DeviceRuntime for an op that runs on a GPU.
#ifndef TF_CANDSAMP_CC_KERNELS_GPU_OP_DEVICE_RUNTIME_H_
#define TF_CANDSAMP_CC_KERNELS_GPU_OP_DEVICE_RUNTIME_H_

#include "cc/cuda/core/device_runtime.h"
#include "cc/kernels/framework/op_runtime.h"
#include "cc/kernels/gpu/cuda_stream.h"

namespace candsamp {

// Scratch is the op's: TensorFlow reuses it in the order of the stream once the op has returned. If
// there is none left, OpRuntime throws, and the op's status says so.
class OpDeviceRuntime : public DeviceRuntime {
 public:
  OpDeviceRuntime(OpKernelContext* context, OpRuntime& runtime)
      : runtime_(runtime), stream_(CudaStreamOf(context)) {}

  CudaStream stream() const override { return stream_; }
  void* AllocateBytes(size_t bytes) override { return runtime_.AllocateBytes(bytes); }

 private:
  OpRuntime& runtime_;
  CudaStream stream_;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_GPU_OP_DEVICE_RUNTIME_H_
