// The kernel that fails where a second derivative is asked for.
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "cc/kernels/framework/run_kernel.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace candsamp {
namespace {

using tensorflow::OpInputList;
using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;

class NotTwiceDifferentiableOp : public OpKernel {
 public:
  explicit NotTwiceDifferentiableOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("op_name", &op_name_));
  }

  void Compute(OpKernelContext* context) override {
    candsamp::Compute(context, [&](OpRuntime&) -> absl::Status {
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
    });
  }

 private:
  // Whatever the float type: all bits but the sign, in an element's last byte, are 0.
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

}  // namespace
}  // namespace candsamp
