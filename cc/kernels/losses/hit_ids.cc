// SPDX-License-Identifier: Apache-2.0
#include "cc/kernels/losses/hit_ids.h"

#include "cc/kernels/framework/tensor_data.h"

namespace candsamp {

absl::Status ReadHitShapes(OpKernelContext* context, SampledBatch* batch) {
  OpInputList labels, candidates;
  TF_RETURN_IF_ERROR(context->input_list("hit_labels", &labels));
  TF_RETURN_IF_ERROR(context->input_list("hit_candidates", &candidates));
  if (labels.size() == 0) return absl::OkStatus();
  if (labels.size() != 1 || candidates.size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("hit_labels and hit_candidates must be at most one tensor each, got ",
                     labels.size(), " and ", candidates.size()));
  }
  const TensorShape of_labels({batch->rows, batch->num_true});
  if (labels[0].shape() != of_labels) {
    return absl::InvalidArgumentError(absl::StrCat("hit_labels must have the shape of labels, ",
                                                   of_labels.DebugString(), ", got shape ",
                                                   labels[0].shape().DebugString()));
  }
  const TensorShape of_candidates({batch->num_sampled});
  if (candidates[0].shape() != of_candidates) {
    return absl::InvalidArgumentError(absl::StrCat(
        "hit_candidates must have the shape of sampled_candidates, ", of_candidates.DebugString(),
        ", got shape ", candidates[0].shape().DebugString()));
  }
  batch->label_hits = Data<int64_t>(labels[0]);
  batch->sample_hits = Data<int64_t>(candidates[0]);
  return absl::OkStatus();
}

absl::Status ReadHitIds(OpKernelContext* context, OpRuntime& runtime, SampledBatch* batch) {
  TF_RETURN_IF_ERROR(ReadHitShapes(context, batch));
  if (batch->sample_hits == nullptr) return absl::OkStatus();
  int64_t* column_hits = runtime.Allocate<int64_t>(batch->columns);
  int64_t seen = 0;
  for (int64_t k = 0; k < batch->num_sampled; ++k) {
    const int64_t column = batch->sample_columns[k];
    if (column == seen) column_hits[seen++] = batch->sample_hits[k];
    if (column_hits[column] == batch->sample_hits[k]) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("hit_candidates must be equal for equal candidates, got ", column_hits[column],
                     " and ", batch->sample_hits[k], " (at ", k, ") for one class"));
  }
  return absl::OkStatus();
}

}  // namespace candsamp
