// SPDX-License-Identifier: Apache-2.0
#include "cc/ops/loss_shapes.h"

#include <string>
#include <vector>

#include "cc/lib/rows/table_shape.h"

namespace candsamp {

using tensorflow::DataType;

absl::Status Input(InferenceContext* c, const char* name, int rank, ShapeHandle* shape) {
  std::vector<ShapeHandle> shapes;
  TF_RETURN_IF_ERROR(c->input(name, &shapes));
  if (c->WithRank(shapes[0], rank, shape).ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(name, " must have rank ", rank, ", got shape ", c->DebugString(shapes[0])));
}

namespace {

// What is known of the sizes of a table, all its shards together.
struct KnownTable {
  DimensionHandle rows;
  DimensionHandle depth;  // of a matrix
};

// The shape of an input; of a handle, that of its variable.
ShapeHandle ShapeOfEntry(InferenceContext* c, int input, DataType type) {
  if (type != tensorflow::DT_RESOURCE) return c->input(input);
  const auto* variable = c->input_handle_shapes_and_types(input);
  return variable && variable->size() == 1 ? (*variable)[0].shape : c->UnknownShape();
}

absl::Status ReadTable(InferenceContext* c, const std::string& table, int first_input,
                       const std::vector<DataType>& types, int rank, KnownTable* known) {
  const int shards = static_cast<int>(types.size());
  *known = {c->MakeDim(0), c->UnknownDim()};
  for (int k = 0; k < shards; ++k) {
    ShapeHandle shard = ShapeOfEntry(c, first_input + k, types[k]);
    const std::string name = shards > 1 ? absl::StrCat(table, "[", k, "]") : table;
    const std::string shape = c->DebugString(shard);
    if (!c->WithRank(shard, rank, &shard).ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, " must have rank ", rank, ", got shape ", shape));
    }
    TF_RETURN_IF_ERROR(c->Add(known->rows, c->Dim(shard, 0), &known->rows));
    if (rank == 1) continue;
    const std::string expected = c->DebugString(known->depth);
    if (!c->Merge(known->depth, c->Dim(shard, 1), &known->depth).ok()) {
      return absl::InvalidArgumentError(absl::StrCat(
          name, " must have the depth of the first shard, ", expected, ", got shape ", shape));
    }
  }
  return absl::OkStatus();
}

absl::Status ToStatus(const std::string& message) {
  return message.empty() ? absl::OkStatus() : absl::InvalidArgumentError(message);
}

}  // namespace

absl::Status MergeTables(InferenceContext* c, const ShapeHandle& inputs, int64_t num_classes,
                         DimensionHandle* depth) {
  std::vector<DataType> weight_types, bias_types;
  TF_RETURN_IF_ERROR(c->GetAttr("weight_types", &weight_types));
  TF_RETURN_IF_ERROR(c->GetAttr("bias_types", &bias_types));
  KnownTable weights, biases;
  TF_RETURN_IF_ERROR(ReadTable(c, "weights", 0, weight_types, 2, &weights));
  TF_RETURN_IF_ERROR(
      ReadTable(c, "biases", static_cast<int>(weight_types.size()), bias_types, 1, &biases));
  const TableSizes sizes = {c->Value(weights.rows), c->Value(weights.depth), c->Value(*depth),
                            num_classes};
  TF_RETURN_IF_ERROR(ToStatus(CheckDepth(sizes, c->DebugString(inputs))));
  TF_RETURN_IF_ERROR(ToStatus(CheckWeightRows(sizes)));
  if (!bias_types.empty()) {
    TF_RETURN_IF_ERROR(ToStatus(CheckBiasValues(c->Value(biases.rows), num_classes)));
  }
  return c->Merge(*depth, weights.depth, depth);
}

absl::Status TableRowsShapes(InferenceContext* c, int first_output) {
  for (const char* attr : {"weight_types", "bias_types"}) {
    std::vector<DataType> types;
    TF_RETURN_IF_ERROR(c->GetAttr(attr, &types));
    c->set_output(first_output++, c->Vector(types.size()));
  }
  return absl::OkStatus();
}

absl::Status StatsShapes(InferenceContext* c, int first_output, const DimensionHandle& rows) {
  bool stats;
  TF_RETURN_IF_ERROR(c->GetAttr("stats", &stats));
  c->set_output(first_output, stats ? c->Vector(rows) : c->Vector(0));
  c->set_output(first_output + 1, stats ? c->Vector(rows) : c->Vector(0));
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
