// SPDX-License-Identifier: Apache-2.0
#include "cc/kernels/samplers/draws.h"

#include <utility>

#include "cc/kernels/framework/class_id_checks.h"
#include "cc/kernels/framework/status_kernel.h"
#include "cc/kernels/framework/tensor_data.h"
#include "cc/lib/classes/ragged_ids.h"

namespace candsamp {

absl::Status FindStream(OpKernelContext* context, const int64_t** values) {
  const Tensor* input;
  TF_RETURN_IF_ERROR(context->input("stream", &input));
  if (input->dims() != 1 || input->NumElements() != 3) {
    return absl::InvalidArgumentError(
        absl::StrCat("stream must have 3 values, got shape ", input->shape().DebugString()));
  }
  *values = Data<int64_t>(*input);
  return absl::OkStatus();
}

absl::Status CheckScalar(const char* name, const Tensor& value) {
  if (value.NumElements() == 1) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(name, " must be a scalar, got shape ", value.shape().DebugString()));
}

absl::Status CheckTrueClasses(const Tensor& true_classes, int64_t num_true) {
  if (true_classes.dims() != 2) {
    return absl::InvalidArgumentError(absl::StrCat("true_classes must be a matrix, got shape ",
                                                   true_classes.shape().DebugString()));
  }
  if (num_true >= 0 && true_classes.dim_size(1) != num_true) {
    return absl::InvalidArgumentError(absl::StrCat("true_classes must have num_true = ", num_true,
                                                   " columns, got shape ",
                                                   true_classes.shape().DebugString()));
  }
  return absl::OkStatus();
}

absl::Status CheckInRange(const char* name, const Tensor& ids, int64_t range) {
  return CheckClassIds(name, ids, {range, "", ", the range of the sampler"});
}

absl::Status PrepareBatch(OpKernelContext* context, const BatchOptions& options, int64_t support,
                          const Tensor& true_classes, BatchOutputs* outputs) {
  const int64_t num_sampled = options.num_sampled;
  if (num_sampled < 1 || num_sampled > kMostSampled) {
    return absl::InvalidArgumentError(
        absl::StrCat("num_sampled must be between 1 and ", kMostSampled, ", got ", num_sampled));
  }
  if (options.unique && num_sampled > support) {
    return absl::InvalidArgumentError(
        absl::StrCat("Sampler's range is too small: num_sampled must be at most ", support,
                     ", the number of classes that can be drawn, when unique, got ", num_sampled));
  }
  const TensorShape shape({num_sampled});
  TF_RETURN_IF_ERROR(context->allocate_output(0, shape, &outputs->candidates));
  TF_RETURN_IF_ERROR(
      context->allocate_output(1, true_classes.shape(), &outputs->true_expected_count));
  return context->allocate_output(2, shape, &outputs->sampled_expected_count);
}

absl::Status RowsInputs::Read(OpKernelContext* context) {
  TF_RETURN_IF_ERROR(ReadInputs(context, {{"num_sampled", &num_sampled},
                                          {"true_classes", &true_classes},
                                          {"true_splits", &true_splits}}));
  for (const auto& [name, tensor] : {std::pair{"num_sampled", num_sampled},
                                     {"true_classes", true_classes},
                                     {"true_splits", true_splits}}) {
    if (tensor->dims() != 1) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, " must be a vector, got shape ", tensor->shape().DebugString()));
    }
  }
  rows = num_sampled->NumElements();
  TF_RETURN_IF_ERROR(
      ToStatus(CheckRowSplits("true_classes", Data<int64_t>(*true_splits),
                              true_splits->NumElements(), true_classes->NumElements())));
  if (true_splits->NumElements() == rows + 1) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("true_classes must have a row for each value of num_sampled, ", rows, ", got ",
                   true_splits->NumElements() - 1));
}

absl::Status RowsInputs::WriteCandidateSplits(int64_t* splits) const {
  splits[0] = 0;
  const int64_t* sizes = Data<int64_t>(*num_sampled);
  for (int64_t row = 0; row < rows; ++row) {
    if (sizes[row] < 0 || sizes[row] > kMostSampled - splits[row]) {
      return absl::InvalidArgumentError(absl::StrCat("num_sampled[", row,
                                                     "] must not be negative, and the sum at most ",
                                                     kMostSampled, ", got ", sizes[row]));
    }
    splits[row + 1] = splits[row] + sizes[row];
  }
  return absl::OkStatus();
}

}  // namespace candsamp
