// SPDX-License-Identifier: Apache-2.0
#include "cc/kernels/losses/loss_inputs.h"

#include <cmath>

#include "cc/kernels/framework/status_kernel.h"

namespace candsamp {

absl::Status CheckSizes(const Tensor& inputs, int64_t rows, int64_t depth, int64_t biases,
                        int64_t num_classes) {
  if (inputs.dims() != 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("inputs must have rank 2, got shape ", inputs.shape().DebugString()));
  }
  const TableSizes sizes = {rows, depth, inputs.dim_size(1), num_classes};
  TF_RETURN_IF_ERROR(ToStatus(CheckDepth(sizes, inputs.shape().DebugString())));
  TF_RETURN_IF_ERROR(ToStatus(CheckWeightRows(sizes)));
  return ToStatus(CheckBiasValues(biases, num_classes));
}

absl::Status CheckSameRows(int64_t biases, int64_t rows) {
  if (biases == rows) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "biases must have as many values as weights has rows, ", rows, ", got ", biases));
}

absl::Status ReadLogitOptions(OpKernelConstruction* context, LogitOptions* options) {
  float temperature, softcap;
  TF_RETURN_IF_ERROR(context->GetAttr("temperature", &temperature));
  TF_RETURN_IF_ERROR(context->GetAttr("logit_softcap", &softcap));
  TF_RETURN_IF_ERROR(context->GetAttr("normalize", &options->normalize));
  // Normal numbers, whose reciprocals are finite.
  const auto good = [](float x) { return std::isnormal(x) && x > 0; };
  if (!good(temperature)) {
    return absl::InvalidArgumentError(
        absl::StrCat("temperature must be positive and finite, got ", temperature));
  }
  if (softcap != 0 && !good(softcap)) {
    return absl::InvalidArgumentError(
        absl::StrCat("logit_softcap must be positive and finite, or 0 for none, got ", softcap));
  }
  options->temperature = temperature;
  options->softcap = softcap;
  return absl::OkStatus();
}

}  // namespace candsamp
