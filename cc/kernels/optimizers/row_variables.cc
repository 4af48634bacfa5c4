// SPDX-License-Identifier: Apache-2.0
#include "cc/kernels/optimizers/row_variables.h"

#include <algorithm>
#include <utility>

#include "cc/kernels/framework/lookup_variable.h"

namespace candsamp {
namespace {

using tensorflow::DataTypeString;

absl::Status CheckVariable(const std::string& name, const Var& variable, const Tensor& tensor,
                           tensorflow::DataType type) {
  if (!variable.is_initialized) {
    return absl::FailedPreconditionError(
        absl::StrCat(name, " is a variable that is not initialized"));
  }
  if (tensor.dtype() != type) {
    return absl::InvalidArgumentError(absl::StrCat(name, " must be of type ", DataTypeString(type),
                                                   ", got ", DataTypeString(tensor.dtype())));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status RowVariables::Open(OpKernelContext* context, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    OpInputList handles;
    TF_RETURN_IF_ERROR(context->input_list(name, &handles));
    for (const Tensor& handle : handles) {
      if (handle.NumElements() != 1) {
        return absl::InvalidArgumentError(absl::StrCat(
            name, " must be one variable's handle, got shape ", handle.shape().DebugString()));
      }
      RefCountPtr<Var> variable;
      TF_RETURN_IF_ERROR(
          LookupVariable(context, name, *Data<tensorflow::ResourceHandle>(handle), &variable));
      for (const Named& other : variables_) {
        if (other.variable.get() == variable.get()) {
          return absl::InvalidArgumentError(
              absl::StrCat(name, " must be another variable than ", other.name));
        }
      }
      variables_.push_back({name, std::move(variable)});
    }
  }
  std::vector<tensorflow::mutex*> mutexes;
  for (const Named& named : variables_) mutexes.push_back(named.variable->mu());
  std::sort(mutexes.begin(), mutexes.end());
  for (tensorflow::mutex* mutex : mutexes) locks_.emplace_back(*mutex);
  return absl::OkStatus();
}

absl::Status RowVariables::Check(tensorflow::DataType table_type,
                                 tensorflow::DataType slot_type) const {
  for (size_t k = 0; k < variables_.size(); ++k) {
    const auto& [name, variable] = variables_[k];
    const Tensor& tensor = *variable->tensor();
    TF_RETURN_IF_ERROR(CheckVariable(name, *variable, tensor, k == 0 ? table_type : slot_type));
    if (k == 0 && tensor.dims() < 1) {
      return absl::InvalidArgumentError(absl::StrCat(name, " must have rows, got a scalar"));
    }
    if (tensor.shape() != shape()) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, " must have the shape of ", variables_[0].name, ", ",
                       shape().DebugString(), ", got ", tensor.shape().DebugString()));
    }
  }
  return absl::OkStatus();
}

absl::Status RowVariables::MakeWritable(OpKernelContext* context, const Copy& copy) {
  for (const Named& named : variables_) {
    Tensor* const tensor = named.variable->tensor();
    if (tensor->RefCountIsOne() || tensor->NumElements() == 0) continue;
    Tensor own;
    TF_RETURN_IF_ERROR(context->allocate_temp(tensor->dtype(), tensor->shape(), &own));
    TF_RETURN_IF_ERROR(copy(own.data(), tensor->data(), tensor->TotalBytes()));
    *tensor = own;
  }
  return absl::OkStatus();
}

}  // namespace candsamp
