// SPDX-License-Identifier: Apache-2.0
// The kernel that fails where somebody asks for a second derivative.
#include <string>

#include "cc/kernels/framework/status_kernel.h"

namespace candsamp {
namespace {

class NotTwiceDifferentiableOp : public StatusKernel {
 public:
  explicit NotTwiceDifferentiableOp(OpKernelConstruction* context) : StatusKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("op_name", &op_name_));
  }

 private:
  absl::Status Run(OpKernelContext* context, OpRuntime&) override {
    OpInputList grads;
    TF_RETURN_IF_ERROR(context->input_list("grads", &grads));
    for (const Tensor& grad : grads) {
      if (IsZero(grad)) continue;
      return absl::UnimplementedError(absl::StrCat(
          "the gradient of ", op_name_,
          " has no gradient itself: second derivatives of tf_candsamp's losses are not "
          "implemented"));
    }
    context->set_output(0, context->input(0));
    return absl::OkStatus();
  }

  // In every float type a number is zero if all its bits are 0 but the sign, in the last byte.
  static bool IsZero(const Tensor& tensor) {
    const size_t size = tensorflow::DataTypeSize(tensor.dtype());
    const unsigned char* bytes = static_cast<const unsigned char*>(tensor.data());
    unsigned char set = 0;
    for (size_t k = 0; k < tensor.TotalBytes(); ++k) {
      set |= (k + 1) % size == 0 ? bytes[k] & 0x7f : bytes[k];
    }
    return set == 0;
  }

  std::string op_name_;
};

REGISTER_KERNEL_BUILDER(Name("Candsamp>NotTwiceDifferentiable").Device(tensorflow::DEVICE_CPU),
                        NotTwiceDifferentiableOp);
// The gradients, which are looked at, come to the host.
REGISTER_KERNEL_BUILDER(
    Name("Candsamp>NotTwiceDifferentiable").Device(tensorflow::DEVICE_GPU).HostMemory("grads"),
    NotTwiceDifferentiableOp);

}  // namespace
}  // namespace candsamp
