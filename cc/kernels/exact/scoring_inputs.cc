// SPDX-License-Identifier: Apache-2.0
#include "cc/kernels/exact/scoring_inputs.h"

#include <cmath>

#include "cc/kernels/framework/class_id_checks.h"
#include "cc/kernels/framework/status_kernel.h"

namespace candsamp {
namespace {

ClassLimit LimitOf(const ScoringAttributes& attributes, int64_t num_classes) {
  if (attributes.num_classes != kUnknownSize) return {num_classes, "num_classes = "};
  return {num_classes, "", ", the rows that weights and biases have"};
}

}  // namespace

absl::Status ScoringAttributes::Read(OpKernelConstruction* context, bool with_softcap) {
  TF_RETURN_IF_ERROR(context->GetAttr("num_classes", &num_classes));
  TF_RETURN_IF_ERROR(ReadPartition(context, &partition));
  float temperature, softcap = 0;
  TF_RETURN_IF_ERROR(context->GetAttr("temperature", &temperature));
  TF_RETURN_IF_ERROR(context->GetAttr("normalize", &options.normalize));
  if (with_softcap) TF_RETURN_IF_ERROR(context->GetAttr("logit_softcap", &softcap));
  if (!(temperature > 0) || !std::isfinite(temperature)) {
    return absl::InvalidArgumentError(
        absl::StrCat("temperature must be positive and finite, got ", temperature));
  }
  if (!(softcap >= 0) || !std::isfinite(softcap)) {
    return absl::InvalidArgumentError(
        absl::StrCat("logit_softcap must be positive and finite, or 0 for none, got ", softcap));
  }
  options.temperature = temperature;
  options.softcap = softcap;
  return absl::OkStatus();
}

absl::Status CheckLabels(const Tensor& labels, int64_t rows, const ScoringAttributes& attributes,
                         int64_t num_classes) {
  if (labels.dims() != 2 || labels.dim_size(0) != rows || labels.dim_size(1) < 1) {
    return absl::InvalidArgumentError(absl::StrCat("labels must have a row for each of inputs, ",
                                                   rows, ", and at least one column, got shape ",
                                                   labels.shape().DebugString()));
  }
  return CheckClassIds("labels", labels, LimitOf(attributes, num_classes));
}

absl::Status ReadExcludedShapes(OpKernelContext* context, int64_t rows, RaggedIds* ids) {
  OpInputList values, splits;
  TF_RETURN_IF_ERROR(context->input_list("exclude", &values));
  TF_RETURN_IF_ERROR(context->input_list("exclude_splits", &splits));
  *ids = {nullptr, nullptr};
  if (values.size() == 0) return absl::OkStatus();
  if (values.size() != 1 || splits.size() != 1 || values[0].dims() != 1 || splits[0].dims() != 1) {
    return absl::InvalidArgumentError(
        "exclude must be at most one pair of values and row splits of rank 1");
  }
  *ids = {Data<int64_t>(values[0]), Data<int64_t>(splits[0])};
  TF_RETURN_IF_ERROR(ToStatus(
      CheckRowSplits("exclude", ids->splits, splits[0].NumElements(), values[0].NumElements())));
  if (splits[0].NumElements() - 1 == rows) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("exclude must have as many rows as inputs, ", rows,
                                                 ", got ", splits[0].NumElements() - 1));
}

absl::Status ReadExcluded(OpKernelContext* context, OpRuntime& runtime, int64_t rows,
                          const ScoringAttributes& attributes, int64_t num_classes,
                          ExcludedClasses* excluded) {
  RaggedIds ids;
  TF_RETURN_IF_ERROR(ReadExcludedShapes(context, rows, &ids));
  if (ids.splits == nullptr) return absl::OkStatus();
  // Says the row of a bad id, unlike the check of a vector.
  const DescribePlace in_row = [&](int64_t position) {
    const int64_t row =
        std::upper_bound(ids.splits, ids.splits + rows + 1, position) - ids.splits - 1;
    return absl::StrCat(" in row ", row);
  };
  TF_RETURN_IF_ERROR(ToStatus(CheckClassIds("exclude", ids.values, ids.splits[rows],
                                            LimitOf(attributes, num_classes), in_row)));
  *excluded = ExcludedClasses(runtime, ids, rows);
  return absl::OkStatus();
}

absl::Status ReadK(OpKernelContext* context, int64_t num_classes, int64_t* k) {
  const Tensor* input;
  TF_RETURN_IF_ERROR(context->input("k", &input));
  if (input->dims() != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("k must be a scalar, got shape ", input->shape().DebugString()));
  }
  *k = *Data<int64_t>(*input);
  if (*k >= 0 && *k <= num_classes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("k must be in [0, ", num_classes, "], the number of classes, got ", *k));
}

}  // namespace candsamp
