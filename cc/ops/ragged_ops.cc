// Ops of the losses over per-row classes, and of their gradients.
//
// Tables (`weights`, `biases`) are lists: one entry, or shards of consecutive rows. An entry is a
// dense tensor, or in the ops named Resource... perhaps the handle of a variable, which is read in
// place under its lock. Optional arguments are lists of at most one entry.
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "tensorflow/core/framework/common_shape_fns.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace tensorflow {
namespace {

using shape_inference::DimensionHandle;
using shape_inference::InferenceContext;
using shape_inference::ShapeHandle;

absl::Status Input(InferenceContext* c, const char* name, int rank, ShapeHandle* shape) {
  std::vector<ShapeHandle> shapes;
  TF_RETURN_IF_ERROR(c->input(name, &shapes));
  if (c->WithRank(shapes[0], rank, shape).ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(name, " must have rank ", rank, ", got shape ", c->DebugString(shapes[0])));
}

// Merges the number of rows of the ragged argument `name` into *rows, that of inputs.
absl::Status MergeRows(InferenceContext* c, const char* name, const char* splits_name,
                       DimensionHandle* rows) {
  ShapeHandle splits;
  TF_RETURN_IF_ERROR(Input(c, splits_name, 1, &splits));
  DimensionHandle count;
  TF_RETURN_IF_ERROR(c->Subtract(c->Dim(splits, 0), 1, &count));
  const std::string expected = c->DebugString(*rows);
  if (c->Merge(*rows, count, rows).ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(name, " must have as many rows as inputs, ",
                                                 expected, ", got ", c->DebugString(count)));
}

// Merges the depth of the dense shards of `weights` into *depth, that of inputs.
absl::Status MergeDepth(InferenceContext* c, const ShapeHandle& inputs, DimensionHandle* depth) {
  std::vector<DataType> types;
  TF_RETURN_IF_ERROR(c->GetAttr("weight_types", &types));
  std::vector<ShapeHandle> shards;
  TF_RETURN_IF_ERROR(c->input("weights", &shards));
  DimensionHandle first = c->UnknownDim();
  for (size_t k = 0; k < shards.size(); ++k) {
    if (types[k] == DT_RESOURCE) continue;
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

absl::Status LossShapes(InferenceContext* c) {
  ShapeHandle inputs, labels, candidates;
  TF_RETURN_IF_ERROR(Input(c, "inputs", 2, &inputs));
  TF_RETURN_IF_ERROR(Input(c, "labels", 1, &labels));
  TF_RETURN_IF_ERROR(Input(c, "candidates", 1, &candidates));
  DimensionHandle rows = c->Dim(inputs, 0), depth = c->Dim(inputs, 1);
  TF_RETURN_IF_ERROR(MergeRows(c, "labels", "label_splits", &rows));
  TF_RETURN_IF_ERROR(MergeRows(c, "candidates", "candidate_splits", &rows));
  TF_RETURN_IF_ERROR(MergeDepth(c, inputs, &depth));
  c->set_output(0, c->Vector(rows));
  c->set_output(1, labels);
  c->set_output(2, candidates);
  c->set_output(3, c->Matrix(rows, depth));
  return TableRowsShapes(c, 4);
}

absl::Status LogitsShapes(InferenceContext* c) {
  ShapeHandle inputs, candidates;
  TF_RETURN_IF_ERROR(Input(c, "inputs", 2, &inputs));
  TF_RETURN_IF_ERROR(Input(c, "candidates", 1, &candidates));
  DimensionHandle rows = c->Dim(inputs, 0), depth = c->Dim(inputs, 1);
  TF_RETURN_IF_ERROR(MergeRows(c, "candidates", "candidate_splits", &rows));
  TF_RETURN_IF_ERROR(MergeDepth(c, inputs, &depth));
  c->set_output(0, candidates);
  c->set_output(1, c->Matrix(InferenceContext::kUnknownDim, depth));
  c->set_output(2, c->Vector(InferenceContext::kUnknownDim));
  return TableRowsShapes(c, 3);
}

// Outputs of both gradient ops: inputs_grad, then indices, values and shapes of the slices of each
// shard of weights and of biases.
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

constexpr char kLossDoc[] = R"doc(
Row i has the labels t_1 .. t_T = labels[label_splits[i] : label_splits[i + 1]] and the candidates
n_1 .. n_S likewise, and z(c) = <weights[c], inputs[i]> + biases[c] - log_q. With
remove_accidental_hits a candidate equal to one of its row's labels is dropped.

For inputs [[1, 0], [0, 1]], weights [[1, 2], [3, 4], [5, 6]], no biases, labels [0, 1] with splits
[0, 1, 2] and candidates [1, 2, 1] with splits [0, 2, 3]: row 0 has z = 1 for its label and 3, 5
for its candidates; row 1 has z = 4 for its label, and its candidate, the same class, is dropped.

weights: one table [V, D], or shards of consecutive rows.
biases: none, or [V], in one piece or shards.
inputs: [B, D].
loss: [B].
label_logit_grad: [L], the derivative of the row's loss with respect to the label's logit.
candidate_logit_grad: [N], likewise.
unscaled_inputs_grad: [B, D], the derivative of the row's loss with respect to the row of inputs.
weight_rows: how many rows each shard of weights has.
bias_rows: likewise.
T: type of inputs and loss. W: type of the tables. A: type of sums, double iff T is.
Tshape: type of the dense shape of the gradient's slices.
)doc";

constexpr char kLogitsDoc[] = R"doc(
Scores of each row's candidates: logits[k] = <weights[c], inputs[i]> + biases[c] for c = candidates[k]
in row i.

For inputs [[1, 0], [0, 1]], weights [[1, 2], [3, 4], [5, 6]], no biases and candidates [1, 2, 1]
with splits [0, 2, 3] the logits are [3, 5, 4].

rows: [U, D], the rows of the distinct candidates in ascending order of class, for the gradient;
  [0, D] when weights are dense tensors, which the gradient can read again.
row_ids: [N], where in `rows` each candidate's row is; empty when `rows` is.
)doc";

}  // namespace

#define CANDSAMP_TABLE_ATTRS(table_types)                 \
  Attr("T: {float, double, bfloat16, half}")              \
      .Attr("W: {float, double, bfloat16, half}")         \
      .Attr("weight_types: list({" table_types "}) >= 1") \
      .Attr("bias_types: list({" table_types "}) >= 0")
#define CANDSAMP_DENSE "float, double, bfloat16, half"
#define CANDSAMP_DENSE_OR_VARIABLE "resource, " CANDSAMP_DENSE

#define CANDSAMP_RAGGED_LOSS_OP(name, table_types, formula)           \
  REGISTER_OP(name)                                                   \
      .Input("weights: weight_types")                                 \
      .Input("biases: bias_types")                                    \
      .Input("inputs: T")                                             \
      .Input("labels: int64")                                         \
      .Input("label_splits: int64")                                   \
      .Input("label_log_q: label_log_q_count * float")                \
      .Input("label_log_q_splits: label_log_q_count * int64")         \
      .Input("candidates: int64")                                     \
      .Input("candidate_splits: int64")                               \
      .Input("candidate_log_q: candidate_log_q_count * float")        \
      .Input("candidate_log_q_splits: candidate_log_q_count * int64") \
      .Output("loss: T")                                              \
      .Output("label_logit_grad: A")                                  \
      .Output("candidate_logit_grad: A")                              \
      .Output("unscaled_inputs_grad: A")                              \
      .Output("weight_rows: int64")                                   \
      .Output("bias_rows: int64")                                     \
      .CANDSAMP_TABLE_ATTRS(table_types)                              \
      .Attr("A: {float, double}")                                     \
      .Attr("label_log_q_count: int >= 0")                            \
      .Attr("candidate_log_q_count: int >= 0")                        \
      .Attr("remove_accidental_hits: bool = true")                    \
      .Attr("Tshape: {int32, int64} = DT_INT32")                      \
      .SetShapeFn(LossShapes)                                         \
      .Doc(std::string(formula) + kLossDoc)

constexpr char kSoftmaxFormula[] =
    "Sampled softmax with classes per row: logsumexp(all z) - mean_k z(t_k).\n";
constexpr char kNceFormula[] =
    "Noise-contrastive estimation with classes per row: sum softplus(z) - mean_k z(t_k).\n";

CANDSAMP_RAGGED_LOSS_OP("Candsamp>RaggedSampledSoftmaxLoss", CANDSAMP_DENSE, kSoftmaxFormula);
CANDSAMP_RAGGED_LOSS_OP("Candsamp>ResourceRaggedSampledSoftmaxLoss", CANDSAMP_DENSE_OR_VARIABLE,
                        kSoftmaxFormula)
    .SetIsStateful();
CANDSAMP_RAGGED_LOSS_OP("Candsamp>RaggedNceLoss", CANDSAMP_DENSE, kNceFormula);
CANDSAMP_RAGGED_LOSS_OP("Candsamp>ResourceRaggedNceLoss", CANDSAMP_DENSE_OR_VARIABLE, kNceFormula)
    .SetIsStateful();

#define CANDSAMP_GRAD_OUTPUTS                        \
  Output("inputs_grad: T")                           \
      .Output("weight_indices: num_weights * int64") \
      .Output("weight_values: num_weights * W")      \
      .Output("weight_shapes: num_weights * Tshape") \
      .Output("bias_indices: num_biases * int64")    \
      .Output("bias_values: num_biases * W")         \
      .Output("bias_shapes: num_biases * Tshape")    \
      .Attr("T: {float, double, bfloat16, half}")    \
      .Attr("W: {float, double, bfloat16, half}")    \
      .Attr("Tshape: {int32, int64} = DT_INT32")     \
      .Attr("num_weights: int >= 1")                 \
      .Attr("num_biases: int >= 0")                  \
      .SetShapeFn(GradShapes)

REGISTER_OP("Candsamp>RaggedLossGrad")
    .Input("grad: T")
    .Input("inputs: T")
    .Input("labels: int64")
    .Input("label_splits: int64")
    .Input("candidates: int64")
    .Input("candidate_splits: int64")
    .Input("label_logit_grad: A")
    .Input("candidate_logit_grad: A")
    .Input("unscaled_inputs_grad: A")
    .Input("weight_rows: int64")
    .Input("bias_rows: int64")
    .Attr("A: {float, double}")
    .CANDSAMP_GRAD_OUTPUTS.Doc(R"doc(
Gradient of the ragged losses, from what they kept.

With grad [B] the gradient with respect to the losses, inputs_grad[i] = grad[i] * unscaled_inputs_grad[i],
and the row of class c is the sum of grad[i] * its logit gradient * inputs[i] over its occurrences in rows i.
Each shard's slices have distinct, ascending indices, counted from the shard's first row.
)doc");

#define CANDSAMP_RAGGED_LOGITS_OP(name, table_types) \
  REGISTER_OP(name)                                  \
      .Input("weights: weight_types")                \
      .Input("biases: bias_types")                   \
      .Input("inputs: T")                            \
      .Input("candidates: int64")                    \
      .Input("candidate_splits: int64")              \
      .Output("logits: T")                           \
      .Output("rows: W")                             \
      .Output("row_ids: int64")                      \
      .Output("weight_rows: int64")                  \
      .Output("bias_rows: int64")                    \
      .CANDSAMP_TABLE_ATTRS(table_types)             \
      .Attr("Tshape: {int32, int64} = DT_INT32")     \
      .SetShapeFn(LogitsShapes)                      \
      .Doc(kLogitsDoc)

CANDSAMP_RAGGED_LOGITS_OP("Candsamp>RaggedCandidateLogits", CANDSAMP_DENSE);
CANDSAMP_RAGGED_LOGITS_OP("Candsamp>ResourceRaggedCandidateLogits", CANDSAMP_DENSE_OR_VARIABLE)
    .SetIsStateful();

REGISTER_OP("Candsamp>RaggedCandidateLogitsGrad")
    .Input("grad: T")
    .Input("inputs: T")
    .Input("candidates: int64")
    .Input("candidate_splits: int64")
    .Input("rows: num_rows * W")
    .Input("row_ids: int64")
    .Input("weight_rows: int64")
    .Input("bias_rows: int64")
    .Attr("num_rows: int >= 1")
    .CANDSAMP_GRAD_OUTPUTS.Doc(R"doc(
Gradient of the scores of each row's candidates.

rows: the class rows, in shards; row_ids: [N], which of them each candidate's is.
)doc");

REGISTER_OP("Candsamp>NotTwiceDifferentiable")
    .Input("value: T")
    .Input("grads: grad_types")
    .Output("output: T")
    .Attr("T: {float, double, bfloat16, half}")
    .Attr("grad_types: list({float, double, bfloat16, half}) >= 0")
    .Attr("op_name: string")
    .SetShapeFn(shape_inference::UnchangedShape)
    .Doc(R"doc(
Passes `value` on if all of `grads` are zero; otherwise fails and names the op whose gradient was to
be differentiated. A first-order gradient that is taken under an outer tape brings zeros here.
)doc");

}  // namespace tensorflow
