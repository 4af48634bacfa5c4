// Ops of the losses over per-row classes, and of their gradients. Optional arguments are lists of
// at most one entry.
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "cc/ops/loss_shapes.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace tensorflow {
namespace {

using candsamp::DimensionHandle;
using candsamp::InferenceContext;
using candsamp::Input;
using candsamp::MergeTables;
using candsamp::ShapeHandle;
using candsamp::TableRowsShapes;

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

absl::Status LossShapes(InferenceContext* c) {
  ShapeHandle inputs, labels, candidates;
  TF_RETURN_IF_ERROR(Input(c, "inputs", 2, &inputs));
  TF_RETURN_IF_ERROR(Input(c, "labels", 1, &labels));
  TF_RETURN_IF_ERROR(Input(c, "candidates", 1, &candidates));
  DimensionHandle rows = c->Dim(inputs, 0), depth = c->Dim(inputs, 1);
  TF_RETURN_IF_ERROR(MergeRows(c, "labels", "label_splits", &rows));
  TF_RETURN_IF_ERROR(MergeRows(c, "candidates", "candidate_splits", &rows));
  TF_RETURN_IF_ERROR(MergeTables(c, inputs, -1, &depth));
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
  TF_RETURN_IF_ERROR(MergeTables(c, inputs, -1, &depth));
  c->set_output(0, candidates);
  c->set_output(1, c->Matrix(InferenceContext::kUnknownDim, depth));
  c->set_output(2, c->Vector(InferenceContext::kUnknownDim));
  return TableRowsShapes(c, 3);
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
label_log_q: log_q of each label, finite; none: 0.
candidate_log_q: likewise.
T: type of inputs. W: type of the tables. A: type of sums and losses, double iff T is.
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
      .Output("loss: A")                                              \
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

REGISTER_OP("Candsamp>RaggedLossGrad")
    .Input("grad: A")
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

}  // namespace tensorflow
