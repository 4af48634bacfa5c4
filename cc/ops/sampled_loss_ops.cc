// Ops of the losses whose rows share their candidates, and of their gradient.
#include <string>

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
  c->set_output(1, c->Vector(classes));
  c->set_output(2, c->Matrix(classes, depth));
  c->set_output(3, labels);
  c->set_output(4, candidates);
  c->set_output(5, candidates);
  c->set_output(6, labels);
  c->set_output(7, c->Matrix(c->UnknownDim(), rows));
  c->set_output(8, c->UnknownShapeOfRank(2));
  return TableRowsShapes(c, 9);
}

constexpr char kLossDoc[] = R"doc(
Row i has the labels t_1 .. t_T = labels[i]; all rows have the candidates n_1 .. n_S =
sampled_candidates; and z(c) = <weights[c], inputs[i]> + biases[c] - log(expected count of c). With
remove_accidental_hits a candidate equal to one of its row's labels is dropped.

For inputs [[1, 0], [0, 1]], weights [[1, 2], [3, 4], [5, 6]], no biases, labels [[0], [1]],
sampled_candidates [1, 2] and all expected counts 1: row 0 has z = 1 for its label and 3, 5 for the
candidates; row 1 has z = 4 for its label and 6 for candidate 2; the other, the same class, is
dropped.

weights: one table [V, D], or shards. Rows that belong to no class may follow.
biases: none, or [V], in one piece or shards; likewise.
inputs: [B, D].
labels: [B, T].
sampled_candidates: [S].
true_expected_count: [B, T], positive and finite.
sampled_expected_count: [S], likewise.
loss: [B].
class_ids: [U], the distinct classes: C candidates as they first occur, then labels that are none.
class_rows: [U, D], their rows of weights.
label_classes: [B, T], which of these each label is.
sample_columns: [S], which each candidate is.
sample_offsets: [S], what is added to each candidate's dot products; the lowest finite number where
a bias of minus infinity masks the class.
label_logit_grad: [B, T], the derivative of the row's loss with respect to the label's logit.
scales: [N, B], of N blocks of candidates: what makes slopes derivatives of the row's loss.
slopes: [B, C], block by block, for the gradient op alone: of softmax exp(z - the row's largest z
of the block), of NCE sigmoid(z), added up for repeated candidates; [0, 0] with recompute.
weight_rows: how many rows each shard of weights has.
bias_rows: likewise.
num_classes: V, or -1: as many classes as have rows in weights and biases.
num_sampled: S, or -1: not given.
num_true: T.
recompute: whether the gradient op is to compute `slopes` again rather than be given them.
partition_strategy: whether shards hold consecutive rows, or row i is in shard i mod their number.
T: type of inputs. W: type of the tables. A: type of sums and losses, double iff T is.
Tshape: type of the dense shape of the gradient's slices.
)doc";

}  // namespace

#define CANDSAMP_SAMPLED_LOSS_OP(name, table_types, formula) \
  REGISTER_OP(name)                                          \
      .Input("weights: weight_types")                        \
      .Input("biases: bias_types")                           \
      .Input("inputs: T")                                    \
      .Input("labels: int64")                                \
      .Input("sampled_candidates: int64")                    \
      .Input("true_expected_count: A")                       \
      .Input("sampled_expected_count: A")                    \
      .Output("loss: A")                                     \
      .Output("class_ids: int64")                            \
      .Output("class_rows: W")                               \
      .Output("label_classes: int64")                        \
      .Output("sample_columns: int64")                       \
      .Output("sample_offsets: A")                           \
      .Output("label_logit_grad: A")                         \
      .Output("scales: A")                                   \
      .Output("slopes: A")                                   \
      .Output("weight_rows: int64")                          \
      .Output("bias_rows: int64")                            \
      .CANDSAMP_TABLE_ATTRS(table_types)                     \
      .Attr("A: {float, double}")                            \
      .Attr("num_classes: int >= -1 = -1")                   \
      .Attr("num_sampled: int >= -1 = -1")                   \
      .Attr("num_true: int >= 1")                            \
      .Attr("remove_accidental_hits: bool = true")           \
      .Attr("recompute: bool = false")                       \
      .Attr("partition_strategy: {'div', 'mod'} = 'div'")    \
      .Attr("Tshape: {int32, int64} = DT_INT32")             \
      .SetShapeFn(LossShapes)                                \
      .Doc(std::string(formula) + kLossDoc)

constexpr char kSoftmaxFormula[] = "Sampled softmax: logsumexp(all z) - mean_k z(t_k).\n";
constexpr char kNceFormula[] = "Noise-contrastive estimation: sum softplus(z) - mean_k z(t_k).\n";

CANDSAMP_SAMPLED_LOSS_OP("Candsamp>SampledSoftmaxLoss", CANDSAMP_DENSE, kSoftmaxFormula);
CANDSAMP_SAMPLED_LOSS_OP("Candsamp>ResourceSampledSoftmaxLoss", CANDSAMP_DENSE_OR_VARIABLE,
                         kSoftmaxFormula)
    .SetIsStateful();
CANDSAMP_SAMPLED_LOSS_OP("Candsamp>NceLoss", CANDSAMP_DENSE, kNceFormula);
CANDSAMP_SAMPLED_LOSS_OP("Candsamp>ResourceNceLoss", CANDSAMP_DENSE_OR_VARIABLE, kNceFormula)
    .SetIsStateful();

REGISTER_OP("Candsamp>SampledLossGrad")
    .Input("grad: A")
    .Input("inputs: T")
    .Input("class_ids: int64")
    .Input("class_rows: W")
    .Input("label_classes: int64")
    .Input("sample_columns: int64")
    .Input("sample_offsets: A")
    .Input("label_logit_grad: A")
    .Input("scales: A")
    .Input("slopes: A")
    .Input("weight_rows: int64")
    .Input("bias_rows: int64")
    .Attr("A: {float, double}")
    .Attr("loss: {'softmax', 'nce'}")
    .Attr("remove_accidental_hits: bool")
    .Attr("recompute: bool")
    .Attr("partition_strategy: {'div', 'mod'} = 'div'")
    .CANDSAMP_GRAD_OUTPUTS.Doc(R"doc(
Gradient of the losses whose rows share their candidates, from what they kept.

With grad [B] the gradient with respect to the losses and g(c) = grad[i] times the derivative of
row i's loss with respect to z(c), inputs_grad[i] is the sum of g(c) * weights[c] over the row's
classes, and the row of class c is the sum of g(c) * inputs[i] over the rows i. Each shard's slices
have distinct indices, counted within the shard.
)doc");

}  // namespace tensorflow
