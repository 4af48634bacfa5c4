// SPDX-License-Identifier: Apache-2.0
// The kernel that counts a sampler's steps.
#include <mutex>

#include "cc/kernels/framework/lookup_variable.h"
#include "cc/kernels/framework/status_kernel.h"
#include "cc/kernels/framework/tensor_data.h"

namespace candsamp {
namespace {

class CountStepOp : public StatusKernel {
 public:
  using StatusKernel::StatusKernel;

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime&) override {
    RefCountPtr<Var> steps;
    TF_RETURN_IF_ERROR(LookupVariable(context, "steps", &steps));
    Tensor* step;
    TF_RETURN_IF_ERROR(context->allocate_output(0, TensorShape({}), &step));
    std::lock_guard<tensorflow::mutex> lock(*steps->mu());
    if (!steps->is_initialized) {
      return absl::FailedPreconditionError("steps is a variable that is not initialized");
    }
    Tensor* const held = steps->tensor();
    if (held->dtype() != tensorflow::DT_INT64 || held->NumElements() != 1) {
      return absl::InvalidArgumentError(absl::StrCat("steps must be an int64 scalar, got ",
                                                     tensorflow::DataTypeString(held->dtype()),
                                                     " of shape ", held->shape().DebugString()));
    }
    // A tensor of its own: readers of the present one keep their value.
    Tensor next;
    TF_RETURN_IF_ERROR(context->allocate_temp(tensorflow::DT_INT64, held->shape(), &next));
    const uint64_t now = static_cast<uint64_t>(*Data<int64_t>(*held)) + 1;
    *MutableData<int64_t>(&next) = *MutableData<int64_t>(step) = static_cast<int64_t>(now);
    *held = next;
    return absl::OkStatus();
  }
};

REGISTER_KERNEL_BUILDER(Name("Candsamp>CountStep").Device(tensorflow::DEVICE_CPU), CountStepOp);

}  // namespace
}  // namespace candsamp
