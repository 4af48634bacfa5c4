// SPDX-License-Identifier: Apache-2.0
// Shared by the ops of the losses: checks of shapes, inputs, outputs and attributes, and their
// docs.
//
// Tables (`weights`, `biases`) are lists: one entry, or shards. An entry is a dense tensor. In the
// ops named Resource... it may be the handle of a variable, which the kernel reads in place under
// its lock.
#ifndef TF_CANDSAMP_CC_OPS_LOSS_SHAPES_H_
#define TF_CANDSAMP_CC_OPS_LOSS_SHAPES_H_

#include "cc/ops/tf_names.h"

namespace candsamp {

// The shape of the input `name`, which must have the given rank.
absl::Status Input(InferenceContext* c, const char* name, int rank, ShapeHandle* shape);

// Merges the depth of `weights` into *depth, that of inputs, and checks that each table has a row
// for each class, as far as the shapes of tensors and variables are known. An op that is not told
// the number of classes passes -1. REQUIRES: weights and biases are the op's first inputs.
absl::Status MergeTables(InferenceContext* c, const ShapeHandle& inputs, int64_t num_classes,
                         DimensionHandle* depth);

// The outputs weight_rows and bias_rows.
absl::Status TableRowsShapes(InferenceContext* c, int first_output);

// The outputs log_sum_exp and label_is_top, from first_output on.
absl::Status StatsShapes(InferenceContext* c, int first_output, const DimensionHandle& rows);

// Outputs of the gradient ops: inputs_grad, then indices, values and shapes of the slices of each
// shard of weights and of biases.
absl::Status GradShapes(InferenceContext* c);

inline constexpr char kTablesDoc[] = R"doc(
weights: [V, D], one table or shards of its rows.
biases: [V], in one piece or shards. Where the list is empty, all biases are 0.
inputs: [B, D].
T: the type of inputs.
W: the type of weights and biases.
weight_types: the type of each shard of weights. It is W or, for the handle of a variable, resource.
bias_types: the type of each shard of biases, likewise.
Tshape: the type of the dense shapes of the gradient's slices.
)doc";

inline constexpr char kShardRowsDoc[] = R"doc(
weight_rows: [number of shards], how many rows each shard of weights has.
bias_rows: [number of shards], how many values each shard of biases has.
)doc";

inline constexpr char kLossDoc[] = R"doc(
loss: [B].
A: the type of losses, and in which products are summed: double where T is double, else float.
remove_accidental_hits: whether a row drops the candidates that equal one of its labels.
)doc";

inline constexpr char kLogitOptionsDoc[] = R"doc(
temperature: by which products are divided; positive.
normalize: whether the rows of weights and of inputs are divided by their Euclidean norms first. A
  row of zeros stays one, and its gradient is 0.
logit_softcap: c, where z is c * tanh(z / c) before log q is subtracted; 0 for no such bound.
)doc";

inline constexpr char kStatsDoc[] = R"doc(
log_sum_exp: [B] with `stats`, else [0]: the log of the sum of exp(z) over all classes of the row.
label_is_top: [B] with `stats`, else [0]: whether no z of the row is above that of one of its
  labels.
stats: whether these two are computed.
)doc";

inline constexpr char kGradDoc[] = R"doc(
inputs_grad: [B, D].
weight_indices: for each shard of weights its rows that have a gradient, each once, counted within
  the shard.
weight_values: for each shard the gradients of these rows.
weight_shapes: for each shard its shape.
bias_indices: for each shard of biases its values that have a gradient, likewise.
bias_values: for each shard the gradients of these values.
bias_shapes: for each shard its shape.
T: the type of inputs.
W: the type of weights and biases.
Tshape: the type of weight_shapes and bias_shapes.
num_weights: the number of shards of weights.
num_biases: the number of shards of biases, or 0.
)doc";

}  // namespace candsamp

#define CANDSAMP_DENSE "float, double, bfloat16, half"
#define CANDSAMP_DENSE_OR_VARIABLE "resource, " CANDSAMP_DENSE

// The first inputs of each op over tables.
#define CANDSAMP_TABLE_INPUTS \
  Input("weights: weight_types").Input("biases: bias_types").Input("inputs: T")

// Its last outputs, and the attributes that go with both.
#define CANDSAMP_TABLE_OUTPUTS(table_types)               \
  Output("weight_rows: int64")                            \
      .Output("bias_rows: int64")                         \
      .Attr("T: {float, double, bfloat16, half}")         \
      .Attr("W: {float, double, bfloat16, half}")         \
      .Attr("weight_types: list({" table_types "}) >= 1") \
      .Attr("bias_types: list({" table_types "}) >= 0")   \
      .Attr("Tshape: {int32, int64} = DT_INT32")

#define CANDSAMP_LOGIT_ATTRS           \
  Attr("temperature: float = 1.0")     \
      .Attr("normalize: bool = false") \
      .Attr("logit_softcap: float = 0.0")

#define CANDSAMP_LOSS_ATTRS                        \
  Attr("A: {float, double}")                       \
      .Attr("remove_accidental_hits: bool = true") \
      .CANDSAMP_LOGIT_ATTRS.Attr("stats: bool = false")

// The outputs behind the loss.
#define CANDSAMP_STATS_OUTPUTS Output("log_sum_exp: A").Output("label_is_top: bool")

// The last inputs of each gradient op, and its outputs.
#define CANDSAMP_GRAD_OUTPUTS                        \
  Input("weight_rows: int64")                        \
      .Input("bias_rows: int64")                     \
      .Output("inputs_grad: T")                      \
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

#endif  // TF_CANDSAMP_CC_OPS_LOSS_SHAPES_H_
