// SPDX-License-Identifier: Apache-2.0
#include "cc/ops/sampler_shapes.h"

#include <vector>

namespace candsamp {

absl::Status InputOfRank(InferenceContext* c, const char* name, int rank, ShapeHandle* shape) {
  std::vector<ShapeHandle> shapes;
  TF_RETURN_IF_ERROR(c->input(name, &shapes));
  if (c->WithRank(shapes[0], rank, shape).ok()) return absl::OkStatus();
  const char* kind = rank == 2 ? "a matrix" : rank == 1 ? "a vector" : "a scalar";
  return absl::InvalidArgumentError(
      absl::StrCat(name, " must be ", kind, ", got shape ", c->DebugString(shapes[0])));
}

void SetBatchOutputs(InferenceContext* c, DimensionHandle num_sampled, ShapeHandle true_classes) {
  c->set_output(0, c->Vector(num_sampled));
  c->set_output(1, true_classes);
  c->set_output(2, c->Vector(num_sampled));
}

}  // namespace candsamp
