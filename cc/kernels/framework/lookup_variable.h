// Looks up the variable that a sampler's state is in.
#ifndef TF_CANDSAMP_CC_KERNELS_FRAMEWORK_LOOKUP_VARIABLE_H_
#define TF_CANDSAMP_CC_KERNELS_FRAMEWORK_LOOKUP_VARIABLE_H_

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/resource_mgr.h"
#include "tensorflow/core/framework/resource_var.h"

namespace candsamp {

// The variable whose handle the input `name` is.
inline absl::Status LookupVariable(tensorflow::OpKernelContext* context, const char* name,
                                   tensorflow::core::RefCountPtr<tensorflow::Var>* variable) {
  const tensorflow::Tensor* input;
  TF_RETURN_IF_ERROR(context->input(name, &input));
  if (input->NumElements() != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        name, " must be one variable's handle, got shape ", input->shape().DebugString()));
  }
  const absl::Status found = tensorflow::LookupResource(
      context, *static_cast<const tensorflow::ResourceHandle*>(input->data()), variable);
  if (absl::IsNotFound(found)) {
    return absl::FailedPreconditionError(
        absl::StrCat(name, " is a variable that is not initialized: ", found.message()));
  }
  return found;
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_FRAMEWORK_LOOKUP_VARIABLE_H_
