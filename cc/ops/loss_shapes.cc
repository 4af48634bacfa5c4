#include "cc/ops/loss_shapes.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace candsamp {

using tensorflow::DataType;

absl::Status Input(InferenceContext* c, const char* name, int rank, ShapeHandle* shape) {
  std::vector<ShapeHandle> shapes;
  TF_RETURN_IF_ERROR(c->input(name, &shapes));
  if (c->WithRank(shapes[0], rank, shape).ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(name, " must have rank ", rank, ", got shape ", c->DebugString(shapes[0])));
}

absl::Status MergeDepth(InferenceContext* c, const ShapeHandle& inputs, DimensionHandle* depth) {
  std::vector<DataType> types;
  TF_RETURN_IF_ERROR(c->GetAttr("weight_types", &types));
  std::vector<ShapeHandle> shards;
  TF_RETURN_IF_ERROR(c->input("weights", &shards));
  DimensionHandle first = c->UnknownDim();
  for (size_t k = 0; k < shards.size(); ++k) {
    if (types[k] == tensorflow::DT_RESOURCE) continue;
    ShapeHandle shard;
    const std::string name = shards.size() > 1 ? absl::StrCat("weights[", k, "]") : "weights";
    const std::string shape = c->DebugString(shards[k]);
    if (!c->WithRank(shards[k], 2, &shard).ok()) {
      return absl::InvalidArgumentError(absl::StrCat(name, " must have rank 2, got shape ", shape));
    }
    const std::string expected = c->DebugString(first);
    if (!c->Merge(first, c->Dim(shard, 1), &first).ok()) {
      return absl::InvalidArgumentError(absl::StrCat(
          name, " must have the depth of the first shard, ", expected, ", got shape ", shape));
    }
  }
  if (c->Merge(*depth, first, depth).ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("inputs must have the depth of weights, ",
                                                 c->DebugString(first), ", got shape ",
                                                 c->DebugString(inputs)));
}

absl::Status TableRowsShapes(InferenceContext* c, int first_output) {
  for (const char* attr : {"weight_types", "bias_types"}) {
    std::vector<DataType> types;
    TF_RETURN_IF_ERROR(c->GetAttr(attr, &types));
    c->set_output(first_output++, c->Vector(types.size()));
  }
  return absl::OkStatus();
}

absl::Status GradShapes(InferenceContext* c) {
  ShapeHandle inputs;
  TF_RETURN_IF_ERROR(Input(c, "inputs", 2, &inputs));
  int num_weights, num_biases;
  TF_RETURN_IF_ERROR(c->GetAttr("num_weights", &num_weights));
  TF_RETURN_IF_ERROR(c->GetAttr("num_biases", &num_biases));
  const DimensionHandle depth = c->Dim(inputs, 1);
  c->set_output(0, inputs);
  for (int k = 0; k < num_weights; ++k) {
    const DimensionHandle classes = c->UnknownDim();
    c->set_output(1 + k, c->Vector(classes));
    c->set_output(1 + num_weights + k, c->Matrix(classes, depth));
    c->set_output(1 + 2 * num_weights + k, c->Vector(2));
  }
  for (int k = 0; k < num_biases; ++k) {
    const int first = 1 + 3 * num_weights;
    const DimensionHandle classes = c->UnknownDim();
    c->set_output(first + k, c->Vector(classes));
    c->set_output(first + num_biases + k, c->Vector(classes));
    c->set_output(first + 2 * num_biases + k, c->Vector(1));
  }
  return absl::OkStatus();
}

}  // namespace candsamp
