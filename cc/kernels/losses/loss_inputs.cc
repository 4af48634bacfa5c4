// SPDX-License-Identifier: Apache-2.0
#include "cc/kernels/losses/loss_inputs.h"

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

}  // namespace candsamp
