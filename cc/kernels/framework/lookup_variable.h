// SPDX-License-Identifier: Apache-2.0
// Looks up variables by their handles.
#ifndef TF_CANDSAMP_CC_KERNELS_FRAMEWORK_LOOKUP_VARIABLE_H_
#define TF_CANDSAMP_CC_KERNELS_FRAMEWORK_LOOKUP_VARIABLE_H_

#include <string>

#include "cc/kernels/framework/tf_names.h"
#include "tensorflow/core/framework/resource_mgr.h"

namespace candsamp {

// Finds the variable of a handle that an op was given as `name`.
inline absl::Status LookupVariable(OpKernelContext* context, const std::string& name,
                                   const tensorflow::ResourceHandle& handle,
                                   RefCountPtr<Var>* variable) {
  const absl::Status found = tensorflow::LookupResource(context, handle, variable);
  if (!absl::IsNotFound(found)) return found;
  return absl::FailedPreconditionError(
      absl::StrCat(name, " is a variable that is not initialized: ", found.message()));
}

// Finds the variable whose handle is the input `name`.
inline absl::Status LookupVariable(OpKernelContext* context, const char* name,
                                   RefCountPtr<Var>* variable) {
  const Tensor* input;
  TF_RETURN_IF_ERROR(context->input(name, &input));
  if (input->NumElements() != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        name, " must be one variable's handle, got shape ", input->shape().DebugString()));
  }
  return LookupVariable(context, name,
                        *static_cast<const tensorflow::ResourceHandle*>(input->data()), variable);
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_FRAMEWORK_LOOKUP_VARIABLE_H_
