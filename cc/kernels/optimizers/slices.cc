// SPDX-License-Identifier: Apache-2.0
#include "cc/kernels/optimizers/slices.h"

namespace candsamp {

absl::Status ReadSlices(OpKernelContext* context, Slices* slices) {
  TF_RETURN_IF_ERROR(
      ReadInputs(context, {{"indices", &slices->indices}, {"gradient", &slices->gradient}}));
  if (slices->indices->dims() != 1) {
    return absl::InvalidArgumentError(absl::StrCat("indices must be a vector, got shape ",
                                                   slices->indices->shape().DebugString()));
  }
  if (slices->gradient->dims() < 1 || slices->gradient->dim_size(0) != slices->size()) {
    return absl::InvalidArgumentError(absl::StrCat("gradient must have ", slices->size(),
                                                   " rows, one for each index, got shape ",
                                                   slices->gradient->shape().DebugString()));
  }
  return absl::OkStatus();
}

}  // namespace candsamp
