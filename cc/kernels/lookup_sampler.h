// Looks up a sampler that lives in a variable and a table.
#ifndef TF_CANDSAMP_CC_KERNELS_LOOKUP_SAMPLER_H_
#define TF_CANDSAMP_CC_KERNELS_LOOKUP_SAMPLER_H_

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/resource_mgr.h"
#include "tensorflow/core/framework/resource_var.h"

namespace candsamp {

// The inputs that Table::kVariable names, a variable, and `table`.
template <typename Table>
absl::Status LookupSampler(tensorflow::OpKernelContext* context,
                           tensorflow::core::RefCountPtr<tensorflow::Var>* variable,
                           tensorflow::core::RefCountPtr<Table>* table) {
  const tensorflow::Tensor *variable_input, *table_input;
  TF_RETURN_IF_ERROR(context->input(Table::kVariable, &variable_input));
  TF_RETURN_IF_ERROR(context->input("table", &table_input));
  if (variable_input->NumElements() != 1 || table_input->NumElements() != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        Table::kVariable, " and table must be one handle each, got shapes ",
        variable_input->shape().DebugString(), " and ", table_input->shape().DebugString()));
  }
  const auto handle = [](const tensorflow::Tensor* input) -> const tensorflow::ResourceHandle& {
    return *static_cast<const tensorflow::ResourceHandle*>(input->data());
  };
  const absl::Status found = tensorflow::LookupResource(context, handle(variable_input), variable);
  if (absl::IsNotFound(found)) {
    return absl::FailedPreconditionError(absl::StrCat(
        Table::kVariable, " is a variable that is not initialized: ", found.message()));
  }
  TF_RETURN_IF_ERROR(found);
  return tensorflow::LookupResource(context, handle(table_input), table);
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_LOOKUP_SAMPLER_H_
