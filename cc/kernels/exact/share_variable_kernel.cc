// SPDX-License-Identifier: Apache-2.0
// The kernel after which a variable is read without a copy.
#include "cc/kernels/framework/lookup_variable.h"
#include "cc/kernels/framework/status_kernel.h"

namespace candsamp {
namespace {

class ShareVariableOp : public StatusKernel {
 public:
  using StatusKernel::StatusKernel;

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime&) override {
    RefCountPtr<Var> variable;
    TF_RETURN_IF_ERROR(LookupVariable(context, "variable", &variable));
    if (!variable->copy_on_read_mode) return absl::OkStatus();
    // Sparse updates that saw the mode on hold the lock.
    const tensorflow::mutex_lock lock(*variable->mu());
    variable->copy_on_read_mode = false;
    return absl::OkStatus();
  }
};

// It touches no memory of the device's.
REGISTER_KERNEL_BUILDER(Name("Candsamp>ShareVariable").Device(tensorflow::DEVICE_CPU),
                        ShareVariableOp);
REGISTER_KERNEL_BUILDER(Name("Candsamp>ShareVariable").Device(tensorflow::DEVICE_GPU),
                        ShareVariableOp);

}  // namespace
}  // namespace candsamp
