// SPDX-License-Identifier: Apache-2.0
// Ops that update some rows of a variable, and of an optimizer's slots beside it, in place.
#include <string>
#include <vector>

#include "cc/ops/tf_names.h"

namespace candsamp {
namespace {

absl::Status Vector(InferenceContext* c, const char* name, DimensionHandle* size) {
  std::vector<ShapeHandle> shapes;
  TF_RETURN_IF_ERROR(c->input(name, &shapes));
  ShapeHandle vector;
  if (!c->WithRank(shapes[0], 1, &vector).ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, " must be a vector, got shape ", c->DebugString(shapes[0])));
  }
  *size = c->Dim(vector, 0);
  return absl::OkStatus();
}

// Checks that there is a gradient for each index. Returns the shape of the gradient.
absl::Status SlicesShape(InferenceContext* c, ShapeHandle* gradient) {
  DimensionHandle size, rows;
  TF_RETURN_IF_ERROR(Vector(c, "indices", &size));
  std::vector<ShapeHandle> shapes;
  TF_RETURN_IF_ERROR(c->input("gradient", &shapes));
  *gradient = shapes[0];
  if (!c->RankKnown(*gradient)) return absl::OkStatus();
  if (c->Rank(*gradient) < 1 || !c->Merge(c->Dim(*gradient, 0), size, &rows).ok()) {
    return absl::InvalidArgumentError(absl::StrCat("gradient must have ", c->DebugString(size),
                                                   " rows, one for each index, got shape ",
                                                   c->DebugString(*gradient)));
  }
  return absl::OkStatus();
}

absl::Status UpdateShapes(InferenceContext* c) {
  ShapeHandle gradient;
  return SlicesShape(c, &gradient);
}

absl::Status SumShapes(InferenceContext* c) {
  ShapeHandle gradient, sums;
  TF_RETURN_IF_ERROR(SlicesShape(c, &gradient));
  const DimensionHandle rows = c->UnknownDim();
  c->set_output(0, c->Vector(rows));
  if (c->RankKnown(gradient)) {
    TF_RETURN_IF_ERROR(c->ReplaceDim(gradient, 0, rows, &sums));
    gradient = sums;
  }
  c->set_output(1, gradient);
  return absl::OkStatus();
}

constexpr char kUpdateDoc[] = R"doc(
table: a variable of type W and shape [V, ...]. A row of it is updated once, with the sum of its
  gradients in the order of their positions. Other rows, and their slots, stay as they are.
indices: [N], rows of the table; one may occur several times.
gradient: [N, ...], a gradient for each index. Its type is that in which W is computed (float, or
  double where W is double), or a half type under float.
learning_rate: a scalar.
weight_decay: a scalar; a row first shrinks by the product of this and learning_rate.
W: the type of the table. Slots are double where it is double, else float.
G: the type of gradient.
)doc";

std::string UpdateDoc(const char* doc) { return std::string(doc) + (kUpdateDoc + 1); }

}  // namespace

#define CANDSAMP_SLICES Input("indices: int64").Input("gradient: G").Input("learning_rate: double")
#define CANDSAMP_UPDATE_ATTRS                     \
  Input("weight_decay: double")                   \
      .Attr("W: {float, double, bfloat16, half}") \
      .Attr("G: {float, double, bfloat16, half}") \
      .SetIsStateful()                            \
      .SetShapeFn(UpdateShapes)

REGISTER_OP("Candsamp>RowSgd")
    .Input("table: resource")
    .CANDSAMP_SLICES.CANDSAMP_UPDATE_ATTRS.Doc(UpdateDoc(R"doc(
Updates rows by gradient descent.

For a table that holds [[1, 2], [3, 4], [5, 6]], indices [2, 0, 2], gradient [[1, 0], [2, 2], [1, 4]],
learning_rate 0.5 and weight_decay 0: then table holds [[0, 1], [3, 4], [4, 4]].
)doc"));

REGISTER_OP("Candsamp>RowMomentum")
    .Input("table: resource")
    .Input("momentum: resource")
    .CANDSAMP_SLICES.Input("factor: double")
    .Attr("nesterov: bool = false")
    .CANDSAMP_UPDATE_ATTRS.Doc(UpdateDoc(R"doc(
Updates rows by gradient descent with momentum.

For a table that holds [[1, 2], [3, 4]], a momentum of [[2, 0], [1, 1]], indices [0], gradient
[[2, 4]], learning_rate 0.5, factor 0.5 and weight_decay 0: the momentum of row 0 is
0.5 [2, 0] - 0.5 [2, 4]. So then momentum holds [[0, -2], [1, 1]], and table holds [[1, 0], [3, 4]].

momentum: a variable of the table's shape, the moving sum of steps.
factor: a scalar, how much of the momentum is kept.
nesterov: whether a step looks ahead: table += factor * momentum - learning_rate * gradient.
)doc"));

REGISTER_OP("Candsamp>RowAdagrad")
    .Input("table: resource")
    .Input("accumulator: resource")
    .CANDSAMP_SLICES.Input("epsilon: double")
    .CANDSAMP_UPDATE_ATTRS.Doc(UpdateDoc(R"doc(
Updates rows by Adagrad.

For a table that holds [[1, 2], [3, 4]], an accumulator of [[1, 1], [7, 9]], indices [1], gradient
[[3, 0]], learning_rate 2, epsilon 0 and weight_decay 0: then accumulator holds [[1, 1], [16, 9]], and
table holds [[1, 2], [1.5, 4]].

accumulator: a variable of the table's shape, the sum of squares of the gradients.
epsilon: a scalar, added to the sum of squares before its root divides the gradient.
)doc"));

REGISTER_OP("Candsamp>RowRmsprop")
    .Input("table: resource")
    .Input("velocity: resource")
    .Input("momentum: num_momentums * resource")
    .Input("average_gradient: num_averages * resource")
    .CANDSAMP_SLICES.Input("rho: double")
    .Input("factor: double")
    .Input("epsilon: double")
    .Attr("num_momentums: int >= 0")
    .Attr("num_averages: int >= 0")
    .CANDSAMP_UPDATE_ATTRS.Doc(UpdateDoc(R"doc(
Updates rows by RMSprop; the means of rows without a gradient stay as they are.

For a table that holds [[1, 2], [3, 4]], a velocity of [[0, 0], [16, 4]], no momentum, no average_gradient,
indices [1], gradient [[4, 2]], learning_rate 2, rho 0.5, factor 0, epsilon 0 and weight_decay 0: then
velocity holds [[0, 0], [16, 4]], and table holds [[1, 2], [1, 2]].

velocity: a variable of the table's shape, the moving mean of the gradients' squares.
momentum: a variable, the moving sum of steps; or none.
average_gradient: a variable, the moving mean of gradients, whose square is taken off the velocity; or
  none.
rho: a scalar, how much of the means is kept.
factor: a scalar, how much of the momentum is kept.
epsilon: a scalar, added to the velocity before its root divides the gradient.
num_momentums: 0 or 1.
num_averages: 0 or 1.
)doc"));

REGISTER_OP("Candsamp>RowAdam")
    .Input("table: resource")
    .Input("momentum: resource")
    .Input("velocity: resource")
    .Input("velocity_hat: num_velocity_hats * resource")
    .CANDSAMP_SLICES.Input("beta_1: double")
    .Input("beta_2: double")
    .Input("epsilon: double")
    .Input("step: int64")
    .Attr("num_velocity_hats: int >= 0")
    .CANDSAMP_UPDATE_ATTRS.Doc(UpdateDoc(R"doc(
Updates rows by Adam, or AdamW with weight_decay; moments of rows without a gradient stay as they are.

For a table that holds [[1, 2], [3, 4]], a momentum of [[0, 0], [0, 0]], a velocity of
[[0, 0], [0, 0]], no velocity_hat, indices [1], gradient [[4, -2]], learning_rate 0.5, beta_1 0.5,
beta_2 0.75, epsilon 0, step 1 and weight_decay 0: then momentum holds [[0, 0], [2, -1]], velocity
holds [[0, 0], [4, 1]], and table holds [[1, 2], [2.5, 4.5]].

momentum: a variable of the table's shape, the moving mean of gradients.
velocity: a variable, the moving mean of their squares.
velocity_hat: a variable, the largest velocity so far, which then takes the velocity's place (AMSGrad);
  or none.
beta_1: a scalar, how much of the momentum is kept.
beta_2: a scalar, how much of the velocity is kept.
epsilon: a scalar, added to the root of the velocity.
step: a scalar, the number of this step of the whole training, counted from 1. It corrects the bias of
  the means.
num_velocity_hats: 0 or 1.
)doc"));

REGISTER_OP("Candsamp>RowFtrl")
    .Input("table: resource")
    .Input("accumulator: resource")
    .Input("linear: resource")
    .CANDSAMP_SLICES.Input("learning_rate_power: double")
    .Input("l1: double")
    .Input("l2: double")
    .Input("l2_shrinkage: double")
    .Input("beta: double")
    .CANDSAMP_UPDATE_ATTRS.Doc(UpdateDoc(R"doc(
Updates rows by FTRL-Proximal.

For a table that holds [[0, 0], [3, 4]], an accumulator of [[9, 16], [1, 1]], a linear of
[[0, 0], [7, 8]], indices [0], gradient [[4, -3]], learning_rate 0.5, learning_rate_power -0.5, l1 2,
l2 0, l2_shrinkage 0, beta 0 and weight_decay 0: the roots of the sums of squares are 5. So then
accumulator holds [[25, 25], [1, 1]], linear holds [[4, -3], [7, 8]], and table holds
[[-0.2, 0.1], [3, 4]].

accumulator: a variable of the table's shape, the sum of squares of the gradients.
linear: a variable, the sum of the gradients, shifted by the steps.
learning_rate_power: a scalar; the sum of squares is raised to its negative.
l1: a scalar; values whose linear is not larger become 0.
l2: a scalar, added twice to the denominator.
l2_shrinkage: a scalar; twice this share of the value is added to the gradient.
beta: a scalar; over learning_rate it is added to the denominator.
)doc"));

REGISTER_OP("Candsamp>SumRepeatedRows")
    .Input("indices: int64")
    .Input("gradient: G")
    .Output("rows: int64")
    .Output("sums: G")
    .Attr("G: {float, double, bfloat16, half}")
    .SetShapeFn(SumShapes)
    .Doc(R"doc(
Sums slices of one row, so that each row occurs once.

For indices [5, 3, 5] and gradient [[1, 0], [2, 2], [4, 1]]: rows [3, 5], sums [[2, 2], [5, 1]].

indices: [N], not negative.
gradient: [N, ...].
rows: [U], the distinct indices: ascending or, on a CPU, as they came if each occurs once.
sums: [U, ...], for each of them the sum of its gradients in the order of their positions.
G: the type of gradient. Halves are summed in float.
)doc");

}  // namespace candsamp
