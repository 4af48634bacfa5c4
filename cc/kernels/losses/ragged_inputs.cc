// SPDX-License-Identifier: Apache-2.0
#include "cc/kernels/losses/ragged_inputs.h"

#include "cc/kernels/framework/status_kernel.h"
#include "cc/kernels/framework/tensor_data.h"

namespace candsamp {
namespace {

absl::Status ReadRaggedIds(OpKernelContext* context, const std::string& name,
                           const std::string& splits_name, int64_t rows, RaggedIds* ids) {
  const Tensor *values, *splits;
  TF_RETURN_IF_ERROR(context->input(name, &values));
  TF_RETURN_IF_ERROR(context->input(splits_name, &splits));
  if (values->dims() != 1 || splits->dims() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": values and row splits must have rank 1, got shapes ",
                     values->shape().DebugString(), " and ", splits->shape().DebugString()));
  }
  *ids = {Data<int64_t>(*values), Data<int64_t>(*splits)};
  TF_RETURN_IF_ERROR(
      ToStatus(CheckRowSplits(name, ids->splits, splits->NumElements(), values->NumElements())));
  if (splits->NumElements() - 1 != rows) {
    return absl::InvalidArgumentError(absl::StrCat(name, " must have as many rows as inputs, ",
                                                   rows, ", got ", splits->NumElements() - 1));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadLabels(OpKernelContext* context, RaggedBatch* batch) {
  return ReadRaggedIds(context, "labels", "label_splits", batch->rows, &batch->labels);
}

absl::Status ReadCandidates(OpKernelContext* context, RaggedBatch* batch) {
  return ReadRaggedIds(context, "candidates", "candidate_splits", batch->rows, &batch->candidates);
}

absl::Status ReadLogQ(OpKernelContext* context, const std::string& name,
                      const std::string& ids_name, const RaggedIds& ids, int64_t rows,
                      const float** log_q) {
  OpInputList values, splits;
  TF_RETURN_IF_ERROR(context->input_list(name, &values));
  TF_RETURN_IF_ERROR(context->input_list(absl::StrCat(name, "_splits"), &splits));
  *log_q = nullptr;
  if (values.size() == 0) return absl::OkStatus();
  if (values.size() != 1 || splits.size() != 1 || values[0].dims() != 1 || splits[0].dims() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, " must be at most one pair of values and row splits of rank 1"));
  }
  TF_RETURN_IF_ERROR(ToStatus(CheckSameRowSplits(
      name, Data<int64_t>(splits[0]), splits[0].NumElements(), ids_name, ids.splits, rows + 1)));
  if (values[0].NumElements() != ids.splits[rows]) {
    return absl::InvalidArgumentError(absl::StrCat(name, " must have one value for each of ",
                                                   ids_name, ", ", ids.splits[rows], ", got ",
                                                   values[0].NumElements()));
  }
  *log_q = Data<float>(values[0]);
  return absl::OkStatus();
}

}  // namespace candsamp
