// SPDX-License-Identifier: Apache-2.0
// Ops that score all classes: the full softmax and its gradient, ranks of labels, the best classes.
#include <string>

#include "cc/ops/loss_shapes.h"

namespace candsamp {
namespace {

// Checks tables and inputs, and reads how many rows inputs have and how deep they are.
absl::Status ReadScoring(InferenceContext* c, ShapeHandle* inputs, DimensionHandle* rows) {
  TF_RETURN_IF_ERROR(Input(c, "inputs", 2, inputs));
  *rows = c->Dim(*inputs, 0);
  DimensionHandle depth = c->Dim(*inputs, 1);
  int64_t num_classes;
  TF_RETURN_IF_ERROR(c->GetAttr("num_classes", &num_classes));
  return MergeTables(c, *inputs, num_classes, &depth);
}

absl::Status MergeLabels(InferenceContext* c, DimensionHandle* rows, ShapeHandle* labels) {
  TF_RETURN_IF_ERROR(Input(c, "labels", 2, labels));
  const std::string expected = c->DebugString(*rows);
  if (c->Merge(*rows, c->Dim(*labels, 0), rows).ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("labels must have as many rows as inputs, ",
                                                 expected, ", got shape ",
                                                 c->DebugString(*labels)));
}

absl::Status LossShapes(InferenceContext* c) {
  ShapeHandle inputs, labels;
  DimensionHandle rows;
  TF_RETURN_IF_ERROR(ReadScoring(c, &inputs, &rows));
  TF_RETURN_IF_ERROR(MergeLabels(c, &rows, &labels));
  for (int k = 0; k < 3; ++k) c->set_output(k, c->Vector(rows));
  return absl::OkStatus();
}

absl::Status LossGradShapes(InferenceContext* c) {
  ShapeHandle inputs;
  DimensionHandle rows;
  TF_RETURN_IF_ERROR(ReadScoring(c, &inputs, &rows));
  c->set_output(0, inputs);
  // The shards of weights and biases are the first inputs, and their gradients the next outputs.
  for (int k = 1; k < c->num_outputs(); ++k) c->set_output(k, c->input(k - 1));
  return absl::OkStatus();
}

absl::Status RankShapes(InferenceContext* c) {
  ShapeHandle inputs, labels;
  DimensionHandle rows;
  TF_RETURN_IF_ERROR(ReadScoring(c, &inputs, &rows));
  TF_RETURN_IF_ERROR(MergeLabels(c, &rows, &labels));
  c->set_output(0, labels);
  return absl::OkStatus();
}

absl::Status TopShapes(InferenceContext* c) {
  ShapeHandle inputs, of_k;
  DimensionHandle rows;
  TF_RETURN_IF_ERROR(ReadScoring(c, &inputs, &rows));
  TF_RETURN_IF_ERROR(Input(c, "k", 0, &of_k));
  int excludes;
  TF_RETURN_IF_ERROR(c->GetAttr("exclude_count", &excludes));
  const int at = c->num_inputs() - 1 - 2 * excludes;
  DimensionHandle k;
  TF_RETURN_IF_ERROR(c->MakeDimForScalarInput(at, &k));
  for (int output = 0; output < 2; ++output) c->set_output(output, c->Matrix(rows, k));
  return absl::OkStatus();
}

constexpr char kScoringDoc[] = R"doc(
weights: [V, D], one table or shards of its rows.
biases: [V], in one piece or shards. Where the list is empty, all biases are 0.
inputs: [B, D].
T: the type of inputs.
W: the type of weights and biases.
weight_types: the type of each shard of weights. It is W or, for the handle of a variable, resource.
bias_types: the type of each shard of biases, likewise.
num_classes: how many classes there are, or -1 for as many as have rows in weights and biases. The
  tables may have more rows than there are classes.
temperature: what products are divided by, positive and finite.
normalize: whether rows of weights and inputs are divided by their Euclidean norms first.
partition_strategy: 'div' where shards hold consecutive rows, 'mod' where row i is in shard
  i % (number of shards).
)doc";

constexpr char kSoftcapDoc[] = R"doc(
logit_softcap: 0, or the cap of logits: a logit s becomes logit_softcap * tanh(s / logit_softcap).
A: the type of logits and losses, in which products are summed: double where T is double, else
  float.
)doc";

constexpr char kFullSoftmaxDoc[] = R"doc(
Softmax cross-entropy over all classes: logsumexp(all logits) - mean_k logit(t_k).

Row i has the labels t_1 .. t_T = labels[i], and logit(c) = <weights[c], inputs[i]> / temperature +
biases[c].

For inputs [[1, 0], [0, 1]], weights [[1, 2], [3, 4], [5, 6]], no biases and labels [[0], [2]]: row
0 has the logits 1, 3, 5 and row 1 has 2, 4, 6. So loss is [4.143, 0.143], max [5, 6] and sum
[1.154, 1.154].

labels: [B, T], all classes, T >= 1.
loss: [B].
max: [B], the largest logit of the row; 0 where all are minus infinity.
sum: [B], the sum of exp(logit - max).
)doc";

constexpr char kFullSoftmaxGradDoc[] = R"doc(
Gradient of the softmax cross-entropy over all classes. Computes the logits again.

Let g(i, c) be grad[i] times the derivative of row i's loss with respect to logit(c). Without
options inputs_grad[i] is the sum of g(i, c) * weights[c] over all classes c, the gradient of row c
of weights the sum of g(i, c) * inputs[i] over the rows i, and that of biases[c] the sum of g(i, c).
Rows of the tables that belong to no class have the gradient 0.

For inputs [[1, 0], [0, 1]], weights [[1, 2], [3, 4], [5, 6]], no biases, labels [[0], [2]], grad
[1, 0], max [5, 6] and sum [1.1537, 1.1537]: inputs_grad [[3.702, 3.702], [0, 0]] and weights_grad
[[-0.984, 0], [0.117, 0], [0.867, 0]].

labels: [B, T], as the loss op got them.
grad: [B], the gradient with respect to the losses.
max: [B], from the loss op.
sum: [B], from the loss op.
inputs_grad: [B, D].
weights_grad: for each shard of weights its gradient.
biases_grad: for each shard of biases its gradient.
)doc";

constexpr char kExcludeDoc[] = R"doc(
exclude: [N], classes that do not compete in a row, all of them rows after each other. Where the
  list is empty, all classes compete.
exclude_splits: [B + 1], the row splits of exclude.
exclude_count: 1 or 0, whether exclude is given.
)doc";

constexpr char kRankDoc[] = R"doc(
Ranks of labels: how many classes of the row are better than the label, leaving out excluded ones.

With logits as in FullSoftmaxLoss, a class is better if its logit is larger. Of equal logits the
lower id is better, and NaN is below all numbers. Numbers below the smallest normal one count as 0.

For inputs [[1, 0], [0, 1]], weights [[1, 2], [3, 4], [5, 6]], no biases, labels [[0], [2]], and
exclude [2] with splits [0, 1, 1]: row 0 has the logits 1, 3, 5 and row 1 has 2, 4, 6. So rank is
[[1], [0]].

labels: [B, T], all classes, T >= 1. A label competes even where it is excluded.
rank: [B, T].
)doc";

constexpr char kTopDoc[] = R"doc(
The best k classes of each row, best first, leaving out excluded ones.

The order is that of LabelRank: a label is among them exactly if its rank is below k. The softcap
changes the values, not the order.

For inputs [[1, 0], [0, 1]], weights [[1, 2], [3, 4], [5, 6]], no biases, k = 2, and exclude [2]
with splits [0, 1, 1]: row 0 has the logits 1, 3, 5 and row 1 has 2, 4, 6. So values is
[[3, 1], [6, 4]] and indices [[1, 0], [2, 1]].

k: how many. Each row must have as many classes that are not excluded.
values: [B, k], the logits of the classes.
indices: [B, k], the classes.
)doc";

}  // namespace

#define CANDSAMP_SCORING_ATTRS(table_types)               \
  Attr("T: {float, double, bfloat16, half}")              \
      .Attr("W: {float, double, bfloat16, half}")         \
      .Attr("weight_types: list({" table_types "}) >= 1") \
      .Attr("bias_types: list({" table_types "}) >= 0")   \
      .Attr("num_classes: int >= -1 = -1")                \
      .Attr("temperature: float = 1")                     \
      .Attr("normalize: bool = false")                    \
      .Attr("partition_strategy: {'div', 'mod'} = 'div'")

#define CANDSAMP_SOFTCAP_ATTRS Attr("logit_softcap: float = 0").Attr("A: {float, double}")

#define CANDSAMP_EXCLUDE_INPUTS                       \
  Input("exclude: exclude_count * int64")             \
      .Input("exclude_splits: exclude_count * int64") \
      .Attr("exclude_count: int >= 0")

REGISTER_OP("Candsamp>FullSoftmaxLoss")
    .CANDSAMP_TABLE_INPUTS.Input("labels: int64")
    .Output("loss: A")
    .Output("max: A")
    .Output("sum: A")
    .CANDSAMP_SCORING_ATTRS(CANDSAMP_DENSE)
    .CANDSAMP_SOFTCAP_ATTRS.SetShapeFn(LossShapes)
    .Doc(std::string(kFullSoftmaxDoc) + kScoringDoc + kSoftcapDoc);

REGISTER_OP("Candsamp>FullSoftmaxLossGrad")
    .CANDSAMP_TABLE_INPUTS.Input("labels: int64")
    .Input("grad: A")
    .Input("max: A")
    .Input("sum: A")
    .Output("inputs_grad: T")
    .Output("weights_grad: weight_types")
    .Output("biases_grad: bias_types")
    .CANDSAMP_SCORING_ATTRS(CANDSAMP_DENSE)
    .CANDSAMP_SOFTCAP_ATTRS.SetShapeFn(LossGradShapes)
    .Doc(std::string(kFullSoftmaxGradDoc) + kScoringDoc + kSoftcapDoc);

#define CANDSAMP_RANK_OP(name, table_types)          \
  REGISTER_OP(name)                                  \
      .CANDSAMP_TABLE_INPUTS.Input("labels: int64")  \
      .CANDSAMP_EXCLUDE_INPUTS.Output("rank: int64") \
      .CANDSAMP_SCORING_ATTRS(table_types)           \
      .SetShapeFn(RankShapes)                        \
      .Doc(std::string(kRankDoc) + kExcludeDoc + kScoringDoc)

CANDSAMP_RANK_OP("Candsamp>LabelRank", CANDSAMP_DENSE);
CANDSAMP_RANK_OP("Candsamp>ResourceLabelRank", CANDSAMP_DENSE_OR_VARIABLE).SetIsStateful();

#define CANDSAMP_TOP_OP(name, table_types)          \
  REGISTER_OP(name)                                 \
      .CANDSAMP_TABLE_INPUTS.Input("k: int64")      \
      .CANDSAMP_EXCLUDE_INPUTS.Output("values: A")  \
      .Output("indices: int64")                     \
      .CANDSAMP_SCORING_ATTRS(table_types)          \
      .CANDSAMP_SOFTCAP_ATTRS.SetShapeFn(TopShapes) \
      .Doc(std::string(kTopDoc) + kExcludeDoc + kScoringDoc + kSoftcapDoc)

CANDSAMP_TOP_OP("Candsamp>TopClasses", CANDSAMP_DENSE);
CANDSAMP_TOP_OP("Candsamp>ResourceTopClasses", CANDSAMP_DENSE_OR_VARIABLE).SetIsStateful();

REGISTER_OP("Candsamp>ShareVariable")
    .Input("variable: resource")
    .SetIsStateful()
    .SetShapeFn([](InferenceContext*) { return absl::OkStatus(); })
    .Doc(R"doc(
Lets the next reads of a variable share its memory.

After a sparse access TensorFlow copies the variable at each read, so that sparse updates may write
in place. This op ends that. The next sparse access copies the variable if a reader still holds its
memory, and so what was read stays as it was.

For a variable that was never accessed sparsely, nothing changes.

variable: the handle of a variable.
)doc");

}  // namespace candsamp
