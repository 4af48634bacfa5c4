#include "cc/kernels/loss_inputs.h"

namespace candsamp {

using tensorflow::Tensor;

absl::Status CheckInputs(const Tensor& inputs, int64_t depth) {
  if (inputs.dims() != 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("inputs must have rank 2, got shape ", inputs.shape().DebugString()));
  }
  if (inputs.dim_size(1) != depth) {
    return absl::InvalidArgumentError(absl::StrCat("inputs must have the depth of weights, ", depth,
                                                   ", got shape ", inputs.shape().DebugString()));
  }
  return absl::OkStatus();
}

}  // namespace candsamp
