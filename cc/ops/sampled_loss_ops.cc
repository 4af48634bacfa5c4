// SPDX-License-Identifier: Apache-2.0
// Ops of the losses whose rows share their candidates, and of their gradient.
#include <string>

#include "cc/ops/loss_shapes.h"

namespace candsamp {
namespace {

absl::Status LossShapes(InferenceContext* c) {
  ShapeHandle inputs, labels, candidates;
  TF_RETURN_IF_ERROR(Input(c, "inputs", 2, &inputs));
  TF_RETURN_IF_ERROR(Input(c, "labels", 2, &labels));
  TF_RETURN_IF_ERROR(Input(c, "sampled_candidates", 1, &candidates));
  DimensionHandle rows = c->Dim(inputs, 0), depth = c->Dim(inputs, 1);
  const std::string expected = c->DebugString(rows);
  if (!c->Merge(rows, c->Dim(labels, 0), &rows).ok()) {
    return absl::InvalidArgumentError(absl::StrCat("labels must have as many rows as inputs, ",
                                                   expected, ", got shape ",
                                                   c->DebugString(labels)));
  }
  int64_t num_classes;
  TF_RETURN_IF_ERROR(c->GetAttr("num_classes", &num_classes));
  TF_RETURN_IF_ERROR(MergeTables(c, inputs, num_classes, &depth));
  const DimensionHandle classes = c->UnknownDim();
  c->set_output(0, c->Vector(rows));
  TF_RETURN_IF_ERROR(StatsShapes(c, 1, rows));
  c->set_output(3, c->Vector(classes));
  c->set_output(4, c->Matrix(classes, depth));
  c->set_output(5, labels);
  c->set_output(6, candidates);
  c->set_output(7, candidates);
  float softcap;
  TF_RETURN_IF_ERROR(c->GetAttr("logit_softcap", &softcap));
  c->set_output(8, softcap == 0 ? c->Vector(0) : candidates);
  c->set_output(9, labels);
  c->set_output(10, c->Matrix(c->UnknownDim(), rows));
  c->set_output(11, c->UnknownShapeOfRank(2));
  return TableRowsShapes(c, 12);
}

// What both losses say of themselves, after their formula.
constexpr char kSampledLossDoc[] = R"doc(
Row i has the labels t_1 .. t_T = labels[i]; all rows have the candidates n_1 .. n_S =
sampled_candidates; and z(c) = <weights[c], inputs[i]> + biases[c] - log(expected count of c).

For inputs [[1, 0], [0, 1]], weights [[1, 2], [3, 4], [5, 6]], no biases, labels [[0], [1]],
sampled_candidates [1, 2] and all expected counts 1: row 0 has z = 1 for its label and 3, 5 for the
candidates. Row 1 has z = 4 for its label and 6 for candidate 2; remove_accidental_hits drops its
other candidate, which is the label's class.

The tables may have more than V rows; those behind row V - 1 belong to no class.

labels: [B, T], all in [0, V).
sampled_candidates: [S], all in [0, V).
true_expected_count: [B, T], positive and finite.
sampled_expected_count: [S], positive and finite.
hit_labels: [B, T], ids by which hits are found. Where the list is empty, a hit is a candidate of
  a label's class; else one whose id in hit_candidates is that of a label.
hit_candidates: [S], equal for equal candidates. With hit_labels [[7], [8]] and hit_candidates
  [7, 9] above, row 0 drops candidate 1, and row 1 none.
hit_ids_count: 1 or 0, whether hit_labels and hit_candidates are given.
class_ids: [U], the distinct classes: first the C distinct candidates in the order in which they
  first occur, then the labels that are no candidates.
class_rows: [U, D], the rows of these classes.
label_classes: [B, T], the position of each label in class_ids.
sample_columns: [S], the position of each candidate in class_ids.
sample_offsets: [S], what is added to each candidate's dot products. Where a bias of minus infinity
  masks the class it is the lowest finite number.
sample_biases: with a softcap [S], the bias of each candidate, which is not in sample_offsets then;
  else [0].
label_logit_grad: [B, T], the derivative of the row's loss with respect to the label's logit; with a
  softcap, to what is capped.
scales: [N, B], for N blocks of candidates: the factor that turns a row's slopes of the block into
  derivatives of the row's loss.
slopes: [B, C], block by block, for the gradient op alone: logit gradients up to the factor in
  `scales`. For softmax exp(z - the row's largest z of the block), for NCE sigmoid(z), summed over
  the copies of a candidate; times the derivative of the softcap. With `recompute` [0, 0]. On a GPU
  [C, ?], in the type that products take, and with `recompute` [C, 0].
num_classes: V, or -1 for as many classes as have rows in weights and biases.
num_sampled: S, or -1 where it is not given.
num_true: T.
recompute: whether the gradient op computes `slopes` again instead of reading them.
partition_strategy: 'div' where shards hold consecutive rows, 'mod' where row i is in shard
  i % (number of shards).
)doc";

std::string SampledLossDoc(const char* formula, const char* of_kind) {
  return std::string(formula) + kSampledLossDoc + of_kind + kLossDoc + kLogitOptionsDoc +
         kStatsDoc + kTablesDoc + kShardRowsDoc;
}

}  // namespace

#define CANDSAMP_SAMPLED_LOSS_OP(name, table_types, formula, of_kind) \
  REGISTER_OP(name)                                                   \
      .CANDSAMP_TABLE_INPUTS.Input("labels: int64")                   \
      .Input("sampled_candidates: int64")                             \
      .Input("true_expected_count: A")                                \
      .Input("sampled_expected_count: A")                             \
      .Input("hit_labels: hit_ids_count * int64")                     \
      .Input("hit_candidates: hit_ids_count * int64")                 \
      .Output("loss: A")                                              \
      .CANDSAMP_STATS_OUTPUTS.Output("class_ids: int64")              \
      .Output("class_rows: W")                                        \
      .Output("label_classes: int64")                                 \
      .Output("sample_columns: int64")                                \
      .Output("sample_offsets: A")                                    \
      .Output("sample_biases: A")                                     \
      .Output("label_logit_grad: A")                                  \
      .Output("scales: A")                                            \
      .Output("slopes: A")                                            \
      .CANDSAMP_TABLE_OUTPUTS(table_types)                            \
      .CANDSAMP_LOSS_ATTRS.Attr("num_classes: int >= -1 = -1")        \
      .Attr("num_sampled: int >= -1 = -1")                            \
      .Attr("num_true: int >= 1")                                     \
      .Attr("hit_ids_count: int >= 0 = 0")                            \
      .Attr("recompute: bool = false")                                \
      .Attr("partition_strategy: {'div', 'mod'} = 'div'")             \
      .SetShapeFn(LossShapes)                                         \
      .Doc(SampledLossDoc(formula, of_kind))

constexpr char kSoftmaxFormula[] = "Sampled softmax: logsumexp(all z) - mean_k z(t_k).\n";
constexpr char kSoftmaxDoc[] = R"doc(
corrected_log_q: whether to correct log q as in "Correcting the LogQ Correction" (RecSys 2025). The
  z of the label p is without log q then, k candidates are left, Z = (S - its count) * sum exp(z) over
  them, and the loss is (1 - P) (log Z - z(p)) with the constant P = exp(z(p)) / (exp(z(p)) + Z / k).
  It needs one label for each row, and remove_accidental_hits.
)doc";
constexpr char kNceFormula[] = "Noise-contrastive estimation: sum softplus(z) - mean_k z(t_k).\n";
constexpr char kNceDoc[] = R"doc(
positive_weight: a factor of what labels add to the loss, softplus(z(t_k)) - z(t_k) / T; positive.
)doc";

CANDSAMP_SAMPLED_LOSS_OP("Candsamp>SampledSoftmaxLoss", CANDSAMP_DENSE, kSoftmaxFormula,
                         kSoftmaxDoc)
    .Attr("corrected_log_q: bool = false");
CANDSAMP_SAMPLED_LOSS_OP("Candsamp>ResourceSampledSoftmaxLoss", CANDSAMP_DENSE_OR_VARIABLE,
                         kSoftmaxFormula, kSoftmaxDoc)
    .Attr("corrected_log_q: bool = false")
    .SetIsStateful();
CANDSAMP_SAMPLED_LOSS_OP("Candsamp>NceLoss", CANDSAMP_DENSE, kNceFormula, kNceDoc)
    .Attr("positive_weight: float = 1.0");
CANDSAMP_SAMPLED_LOSS_OP("Candsamp>ResourceNceLoss", CANDSAMP_DENSE_OR_VARIABLE, kNceFormula,
                         kNceDoc)
    .Attr("positive_weight: float = 1.0")
    .SetIsStateful();

REGISTER_OP("Candsamp>SampledLossGrad")
    .Input("grad: A")
    .Input("inputs: T")
    .Input("class_ids: int64")
    .Input("class_rows: W")
    .Input("label_classes: int64")
    .Input("sample_columns: int64")
    .Input("sample_offsets: A")
    .Input("sample_biases: A")
    .Input("label_logit_grad: A")
    .Input("scales: A")
    .Input("slopes: A")
    .Input("hit_labels: hit_ids_count * int64")
    .Input("hit_candidates: hit_ids_count * int64")
    .Attr("A: {float, double}")
    .Attr("loss: {'softmax', 'nce'}")
    .Attr("remove_accidental_hits: bool")
    .Attr("recompute: bool")
    .CANDSAMP_LOGIT_ATTRS.Attr("hit_ids_count: int >= 0 = 0")
    .Attr("partition_strategy: {'div', 'mod'} = 'div'")
    .CANDSAMP_GRAD_OUTPUTS.Doc(std::string(R"doc(
Gradient of the losses whose rows share their candidates, from what the loss op kept.

Let g(i, c) be grad[i] times the derivative of row i's loss with respect to z(c). Then
inputs_grad[i] is the sum of g(i, c) * weights[c] over the classes c of row i, and the gradient of
the row of class c is the sum of g(i, c) * inputs[i] over the rows i. The slices of each shard have
distinct indices.

For grad [2, 1], inputs [[1, 0], [0, 1]], class_ids [1, 0], class_rows [[3, 4], [1, 2]],
label_classes [[1], [0]], sample_columns [0], label_logit_grad [[-0.5], [0]], scales [[0.5, 1]],
slopes [[1], [0]] and weight_rows [3]: in row 0 g is 1 for class 1 and -1 for class 0, in row 1 it
is 0. So inputs_grad is [[2, 2], [0, 0]], weight_indices [1, 0], weight_values [[1, 0], [-1, 0]] and
weight_shapes [3, 2].

grad: [B], the gradient with respect to the losses.
inputs: [B, D].
class_ids: [U], from the loss op.
class_rows: [U, D], from the loss op. Their memory becomes that of weight_values where nobody else
  holds it.
label_classes: [B, T], from the loss op.
sample_columns: [S], from the loss op.
sample_offsets: [S], from the loss op.
sample_biases: [S] or [0], from the loss op.
label_logit_grad: [B, T], from the loss op.
scales: [N, B], from the loss op.
slopes: from the loss op, on the same kind of device; with `recompute` their values are not read.
hit_labels: [B, T], as in the loss op; read with `recompute` alone.
hit_candidates: [S], likewise.
hit_ids_count: 1 or 0, whether hit_labels and hit_candidates are given.
loss: which loss it is.
A: the type of losses.
remove_accidental_hits: as in the loss op.
recompute: as in the loss op.
partition_strategy: as in the loss op.
)doc") + kLogitOptionsDoc + kShardRowsDoc +
                               kGradDoc);

}  // namespace candsamp
