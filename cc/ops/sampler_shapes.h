// SPDX-License-Identifier: Apache-2.0
// Shared by the ops of the samplers: checks of shapes, outputs, and the docs of both.
#ifndef TF_CANDSAMP_CC_OPS_SAMPLER_SHAPES_H_
#define TF_CANDSAMP_CC_OPS_SAMPLER_SHAPES_H_

#include "cc/ops/tf_names.h"

namespace candsamp {

// The shape of the input `name`, which must be a scalar, a vector or a matrix.
absl::Status InputOfRank(InferenceContext* c, const char* name, int rank, ShapeHandle* shape);

// The outputs of a batch.
void SetBatchOutputs(InferenceContext* c, DimensionHandle num_sampled, ShapeHandle true_classes);

inline constexpr char kBatchDoc[] = R"doc(
unique: whether all candidates are different.
sampled_candidates: [S], the candidates in the order of their draws.
true_expected_count: [B, T], how often each true class is expected among the candidates.
sampled_expected_count: [S], how often each candidate is expected among the candidates.
)doc";

inline constexpr char kExactDoc[] = R"doc(
exact: false for TensorFlow's expected counts. True for exact ones, which differ with `unique` only:
  sums over the candidates, weighted by the inverse of their expected counts, are then unbiased.
)doc";

}  // namespace candsamp

#define CANDSAMP_BATCH_OUTPUTS              \
  Output("sampled_candidates: int64")       \
      .Output("true_expected_count: float") \
      .Output("sampled_expected_count: float")

#endif  // TF_CANDSAMP_CC_OPS_SAMPLER_SHAPES_H_
