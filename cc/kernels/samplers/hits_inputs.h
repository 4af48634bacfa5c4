// Checks the inputs of compute_accidental_hits.
#ifndef TF_CANDSAMP_CC_KERNELS_SAMPLERS_HITS_INPUTS_H_
#define TF_CANDSAMP_CC_KERNELS_SAMPLERS_HITS_INPUTS_H_

#include <limits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "tensorflow/core/framework/tensor.h"

namespace candsamp {

inline absl::Status CheckHitsInputs(const tensorflow::Tensor& true_classes,
                                    const tensorflow::Tensor& candidates, int64_t num_true) {
  if (true_classes.dims() != 2 || true_classes.dim_size(1) != num_true) {
    return absl::InvalidArgumentError(
        absl::StrCat("true_classes must be a matrix of num_true = ", num_true,
                     " columns, got shape ", true_classes.shape().DebugString()));
  }
  if (candidates.dims() != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "sampled_candidates must be a vector, got shape ", candidates.shape().DebugString()));
  }
  if (true_classes.dim_size(0) > std::numeric_limits<int32_t>::max()) {
    return absl::InvalidArgumentError(
        absl::StrCat("true_classes must have fewer than 2^31 rows, got shape ",
                     true_classes.shape().DebugString()));
  }
  return absl::OkStatus();
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_SAMPLERS_HITS_INPUTS_H_
