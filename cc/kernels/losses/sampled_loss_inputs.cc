// SPDX-License-Identifier: Apache-2.0
#include "cc/kernels/losses/sampled_loss_inputs.h"

#include <cmath>

#include "cc/kernels/framework/tensor_data.h"
#include "cc/kernels/losses/class_table.h"
#include "cc/kernels/losses/loss_inputs.h"

namespace candsamp {

absl::Status SampledLossAttributes::Read(OpKernelConstruction* context, LossKind kind) {
  TF_RETURN_IF_ERROR(context->GetAttr("num_classes", &num_classes));
  TF_RETURN_IF_ERROR(context->GetAttr("num_sampled", &num_sampled));
  TF_RETURN_IF_ERROR(context->GetAttr("num_true", &num_true));
  TF_RETURN_IF_ERROR(context->GetAttr("remove_accidental_hits", &remove_accidental_hits));
  TF_RETURN_IF_ERROR(context->GetAttr("recompute", &recompute));
  TF_RETURN_IF_ERROR(ReadPartition(context, &partition));
  TF_RETURN_IF_ERROR(ReadLogitOptions(context, &options.logit));
  TF_RETURN_IF_ERROR(context->GetAttr("stats", &options.stats));
  if (kind == LossKind::kNce) {
    float weight;
    TF_RETURN_IF_ERROR(context->GetAttr("positive_weight", &weight));
    if (!(std::isfinite(weight) && weight > 0)) {
      return absl::InvalidArgumentError(
          absl::StrCat("positive_weight must be positive and finite, got ", weight));
    }
    options.positive_weight = weight;
    return absl::OkStatus();
  }
  TF_RETURN_IF_ERROR(context->GetAttr("corrected_log_q", &options.corrected_log_q));
  if (options.corrected_log_q && (num_true != 1 || !remove_accidental_hits)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "corrected_log_q needs num_true = 1 and remove_accidental_hits, got num_true = ", num_true,
        remove_accidental_hits ? "" : " and no removal"));
  }
  return absl::OkStatus();
}

absl::Status SampledLossAttributes::CheckShapes(int64_t rows, const Tensor& labels,
                                                const Tensor& candidates) const {
  if (labels.dims() != 2 || labels.dim_size(0) != rows || labels.dim_size(1) != num_true) {
    return absl::InvalidArgumentError(
        absl::StrCat("labels must have a row for each of inputs and num_true columns, [", rows,
                     ", ", num_true, "], got shape ", labels.shape().DebugString()));
  }
  if (candidates.dims() != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "sampled_candidates must be a vector, got shape ", candidates.shape().DebugString()));
  }
  if (num_sampled >= 0 && candidates.NumElements() != num_sampled) {
    return absl::InvalidArgumentError(
        absl::StrCat("sampled_candidates must hold num_sampled = ", num_sampled, " classes, got ",
                     candidates.NumElements()));
  }
  return absl::OkStatus();
}

ClassLimit SampledLossAttributes::LimitOf(int64_t classes_with_rows) const {
  if (num_classes != kUnknownSize) return {num_classes, "num_classes = "};
  return {classes_with_rows, "", ", the rows that weights and biases have"};
}

SampledBatch SampledLossAttributes::BatchOf(LossKind kind, int64_t rows, int64_t candidates) const {
  SampledBatch batch = {};
  batch.kind = kind;
  batch.remove_accidental_hits = remove_accidental_hits;
  batch.options = options;
  batch.rows = rows;
  batch.num_true = num_true;
  batch.num_sampled = candidates;
  return batch;
}

absl::Status SampledGradAttributes::Read(OpKernelConstruction* context) {
  std::string loss;
  TF_RETURN_IF_ERROR(context->GetAttr("loss", &loss));
  kind = loss == "nce" ? LossKind::kNce : LossKind::kSoftmax;
  TF_RETURN_IF_ERROR(context->GetAttr("remove_accidental_hits", &remove_accidental_hits));
  TF_RETURN_IF_ERROR(context->GetAttr("recompute", &recompute));
  TF_RETURN_IF_ERROR(ReadPartition(context, &partition));
  return ReadLogitOptions(context, &options.logit);
}

absl::Status CountStrides(const char* name, const Tensor& counts, const char* of,
                          const Tensor& classes, int64_t strides[2]) {
  strides[0] = strides[1] = 0;
  const int missing = classes.dims() - counts.dims();
  bool fits = missing >= 0;
  int64_t step = 1;
  for (int d = counts.dims() - 1; fits && d >= 0; step *= counts.dim_size(d--)) {
    fits = counts.dim_size(d) == classes.dim_size(d + missing) || counts.dim_size(d) == 1;
    if (counts.dim_size(d) != 1) strides[d + missing] = step;
  }
  if (fits) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(name, " must have the shape of ", of, ", ", classes.shape().DebugString(),
                   ", or broadcast to it, got shape ", counts.shape().DebugString()));
}

absl::Status CheckShape(const char* name, const Tensor& tensor,
                        std::initializer_list<int64_t> expected) {
  const TensorShape shape(expected);
  if (tensor.shape() == shape) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(name, " must have shape ", shape.DebugString(),
                                                 ", got ", tensor.shape().DebugString()));
}

absl::Status SampledGradInputs::Read(OpKernelContext* context) {
  TF_RETURN_IF_ERROR(ReadInputs(context, {{"grad", &grad},
                                          {"inputs", &inputs},
                                          {"class_ids", &class_ids},
                                          {"class_rows", &class_rows},
                                          {"label_classes", &label_classes},
                                          {"sample_columns", &sample_columns},
                                          {"sample_offsets", &sample_offsets},
                                          {"sample_biases", &sample_biases},
                                          {"label_logit_grad", &label_logit_grad},
                                          {"scales", &scales},
                                          {"slopes", &slopes}}));
  if (inputs->dims() == 2 && label_classes->dims() == 2) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("inputs and label_classes must have rank 2, got shapes ",
                   inputs->shape().DebugString(), " and ", label_classes->shape().DebugString()));
}

SampledBatch SampledGradInputs::BatchOf(const SampledGradAttributes& attributes) const {
  SampledBatch batch = {};
  batch.kind = attributes.kind;
  batch.remove_accidental_hits = attributes.remove_accidental_hits;
  batch.options = attributes.options;
  batch.rows = inputs->dim_size(0);
  batch.num_true = label_classes->dim_size(1);
  batch.num_sampled = sample_columns->NumElements();
  batch.classes = class_ids->NumElements();
  batch.label_classes = Data<int64_t>(*label_classes);
  batch.sample_columns = Data<int64_t>(*sample_columns);
  return batch;
}

absl::Status SampledGradInputs::CheckShapes(const SampledBatch& batch,
                                            int64_t scales_of_row) const {
  TF_RETURN_IF_ERROR(CheckShape("label_classes", *label_classes, {batch.rows, batch.num_true}));
  TF_RETURN_IF_ERROR(CheckShape("grad", *grad, {batch.rows}));
  TF_RETURN_IF_ERROR(CheckShape("class_ids", *class_ids, {batch.classes}));
  TF_RETURN_IF_ERROR(CheckShape("class_rows", *class_rows, {batch.classes, depth()}));
  TF_RETURN_IF_ERROR(CheckShape("sample_columns", *sample_columns, {batch.num_sampled}));
  TF_RETURN_IF_ERROR(CheckShape("sample_offsets", *sample_offsets, {batch.num_sampled}));
  if (batch.options.logit.softcap != 0) {
    TF_RETURN_IF_ERROR(CheckShape("sample_biases", *sample_biases, {batch.num_sampled}));
  }
  TF_RETURN_IF_ERROR(
      CheckShape("label_logit_grad", *label_logit_grad, {batch.rows, batch.num_true}));
  return CheckShape("scales", *scales, {scales_of_row, batch.rows});
}

}  // namespace candsamp
