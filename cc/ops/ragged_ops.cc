// SPDX-License-Identifier: Apache-2.0
// Ops of the losses whose rows have candidates of their own, and of their gradients. An optional
// argument is a list of at most one entry.
#include <string>
#include <vector>

#include "cc/ops/loss_shapes.h"

namespace candsamp {
namespace {

// Merges into *rows, the number of rows of inputs, that of the ragged argument `name`.
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
  TF_RETURN_IF_ERROR(StatsShapes(c, 1, rows));
  c->set_output(3, labels);
  c->set_output(4, candidates);
  c->set_output(5, c->Matrix(rows, depth));
  c->set_output(6, c->Matrix(c->UnknownDim(), depth));
  return TableRowsShapes(c, 7);
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
  float softcap;
  TF_RETURN_IF_ERROR(c->GetAttr("logit_softcap", &softcap));
  c->set_output(3, softcap == 0 ? c->Vector(0) : candidates);
  return TableRowsShapes(c, 4);
}

// What both kinds of loss say of themselves, after their formula.
constexpr char kRaggedLossDoc[] = R"doc(
Row i has the labels t_1 .. t_T = labels[label_splits[i] : label_splits[i + 1]], the candidates n_1
.. n_S likewise, and z(c) = <weights[c], inputs[i]> + biases[c] - log_q.

For inputs [[1, 0], [0, 1]], weights [[1, 2], [3, 4], [5, 6]], no biases, labels [0, 1] with splits
[0, 1, 2] and candidates [1, 2, 1] with splits [0, 2, 3]: row 0 has z = 1 for its label and 3, 5 for
its candidates. Row 1 has z = 4 for its label; remove_accidental_hits drops its candidate, which is
the same class.

labels: [L], all in [0, V).
label_splits: [B + 1], the row splits of labels.
label_log_q: [L], log_q of each label, finite. Where the list is empty, log_q is 0.
label_log_q_splits: [B + 1], the row splits of label_log_q, those of labels.
candidates: [N], all in [0, V).
candidate_splits: [B + 1], the row splits of candidates.
candidate_log_q: [N], log_q of each candidate, finite. Where the list is empty, log_q is 0.
candidate_log_q_splits: [B + 1], the row splits of candidate_log_q, those of candidates.
label_log_q_count: 1 or 0, whether label_log_q is given.
candidate_log_q_count: 1 or 0, whether candidate_log_q is given.
label_logit_grad: [L], the derivative of the row's loss with respect to the label's logit; with a
  softcap, to what is capped.
candidate_logit_grad: [N], the derivative of the row's loss with respect to the candidate's logit,
  likewise.
unscaled_inputs_grad: [B, D], the derivative of the row's loss with respect to the row of inputs.
rows: with `normalize` [U, D], the rows of the distinct classes in ascending order, for the gradient;
  else [0, D].
)doc";

std::string RaggedLossDoc(const char* formula) {
  return std::string(formula) + kRaggedLossDoc + kLossDoc + kLogitOptionsDoc + kStatsDoc +
         kTablesDoc + kShardRowsDoc;
}

constexpr char kLogitsDoc[] = R"doc(
Scores each row's candidates: logits[k] = <weights[c], inputs[i]> + biases[c], c = candidates[k].

For inputs [[1, 0], [0, 1]], weights [[1, 2], [3, 4], [5, 6]], no biases and candidates [1, 2, 1]
with splits [0, 2, 3]: logits [3, 5, 4].

candidates: [N], all in [0, V).
candidate_splits: [B + 1], the row splits of candidates.
logits: [N].
rows: [U, D], the rows of the distinct candidates in ascending order of class, for the gradient;
  [0, D] where weights are dense tensors, which the gradient op can read again.
row_ids: [N], which row of `rows` belongs to each candidate; empty where `rows` is.
slopes: with a softcap [N], its derivative at each logit; else [0].
A: the type in which products are summed: double where T is double, else float.
)doc";

}  // namespace

#define CANDSAMP_RAGGED_LOSS_OP(name, table_types, formula)           \
  REGISTER_OP(name)                                                   \
      .CANDSAMP_TABLE_INPUTS.Input("labels: int64")                   \
      .Input("label_splits: int64")                                   \
      .Input("label_log_q: label_log_q_count * float")                \
      .Input("label_log_q_splits: label_log_q_count * int64")         \
      .Input("candidates: int64")                                     \
      .Input("candidate_splits: int64")                               \
      .Input("candidate_log_q: candidate_log_q_count * float")        \
      .Input("candidate_log_q_splits: candidate_log_q_count * int64") \
      .Output("loss: A")                                              \
      .CANDSAMP_STATS_OUTPUTS.Output("label_logit_grad: A")           \
      .Output("candidate_logit_grad: A")                              \
      .Output("unscaled_inputs_grad: A")                              \
      .Output("rows: W")                                              \
      .CANDSAMP_TABLE_OUTPUTS(table_types)                            \
      .CANDSAMP_LOSS_ATTRS.Attr("label_log_q_count: int >= 0")        \
      .Attr("candidate_log_q_count: int >= 0")                        \
      .SetShapeFn(LossShapes)                                         \
      .Doc(RaggedLossDoc(formula))

constexpr char kSoftmaxFormula[] =
    "Sampled softmax with candidates per row: logsumexp(all z) - mean_k z(t_k).\n";
constexpr char kNceFormula[] =
    "Noise-contrastive estimation with candidates per row: sum softplus(z) - mean_k z(t_k).\n";

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
    .Input("rows: W")
    .Attr("A: {float, double}")
    .CANDSAMP_LOGIT_ATTRS.CANDSAMP_GRAD_OUTPUTS.Doc(std::string(R"doc(
Gradient of the ragged losses, from what the loss op kept.

inputs_grad[i] is grad[i] * unscaled_inputs_grad[i]. The gradient of the row of class c is the sum,
over the occurrences of c in rows i, of grad[i] * the occurrence's logit gradient * inputs[i]. The
slices of each shard have distinct, ascending indices.

For grad [2, 1], inputs [[1, 0], [0, 1]], labels [0, 1] with splits [0, 1, 2], candidates [1] with
splits [0, 1, 1], label_logit_grad [-0.5, 0] and candidate_logit_grad [0.5], and weight_rows [3]:
weight_indices [0, 1], weight_values [[-1, 0], [1, 0]] and weight_shapes [3, 2].

grad: [B], the gradient with respect to the losses.
inputs: [B, D].
labels: [L].
label_splits: [B + 1].
candidates: [N].
candidate_splits: [B + 1].
label_logit_grad: [L], from the loss op.
candidate_logit_grad: [N], from the loss op.
unscaled_inputs_grad: [B, D], from the loss op.
rows: [U, D] or [0, D], from the loss op.
A: the type of losses.
)doc") + kLogitOptionsDoc + kShardRowsDoc + kGradDoc);

#define CANDSAMP_RAGGED_LOGITS_OP(name, table_types)    \
  REGISTER_OP(name)                                     \
      .CANDSAMP_TABLE_INPUTS.Input("candidates: int64") \
      .Input("candidate_splits: int64")                 \
      .Output("logits: T")                              \
      .Output("rows: W")                                \
      .Output("row_ids: int64")                         \
      .Output("slopes: A")                              \
      .CANDSAMP_TABLE_OUTPUTS(table_types)              \
      .Attr("A: {float, double}")                       \
      .CANDSAMP_LOGIT_ATTRS.SetShapeFn(LogitsShapes)    \
      .Doc(std::string(kLogitsDoc) + kLogitOptionsDoc + kTablesDoc + kShardRowsDoc)

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
    .Input("slopes: A")
    .Attr("A: {float, double}")
    .CANDSAMP_LOGIT_ATTRS.Attr("num_rows: int >= 1")
    .CANDSAMP_GRAD_OUTPUTS.Doc(std::string(R"doc(
Gradient of the scores of each row's candidates.

inputs_grad[i] is the sum of grad[k] * the row of class candidates[k] over the candidates k of row
i. The gradient of the row of class c is the sum of grad[k] * inputs[i] over the occurrences k of c
in rows i.

For grad [1, 2, 3], inputs [[1, 0], [0, 1]], candidates [1, 2, 1] with splits [0, 2, 3], rows
[[3, 4], [5, 6]] with row_ids [0, 1, 0], and weight_rows [3]: inputs_grad [[13, 16], [9, 12]],
weight_indices [1, 2], weight_values [[1, 3], [2, 0]] and weight_shapes [3, 2].

grad: [N], the gradient with respect to the logits.
inputs: [B, D].
candidates: [N].
candidate_splits: [B + 1].
rows: the rows of classes: those that the op of the scores kept, or weights itself in its shards.
row_ids: [N], which row of `rows` belongs to each candidate.
slopes: [N] or [0], from the op of the scores.
A: as in the op of the scores.
num_rows: the number of shards of `rows`.
)doc") + kLogitOptionsDoc + kShardRowsDoc +
                               kGradDoc);

}  // namespace candsamp
