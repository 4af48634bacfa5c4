// What the ops of the losses share: shapes, attributes, outputs of gradients.
//
// Tables (`weights`, `biases`) are lists: one entry, or shards. An entry is a dense tensor, or in
// the ops named Resource... perhaps the handle of a variable, which is read in place under its
// lock.
#ifndef TF_CANDSAMP_CC_OPS_LOSS_SHAPES_H_
#define TF_CANDSAMP_CC_OPS_LOSS_SHAPES_H_

#include "absl/status/status.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace candsamp {

using tensorflow::shape_inference::DimensionHandle;
using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

// The shape of the input `name`, which must have the given rank.
absl::Status Input(InferenceContext* c, const char* name, int rank, ShapeHandle* shape);

// Merges the depth of `weights` into *depth, that of inputs, and checks that each table has a row
// for each class: as far as tensors' and variables' shapes are known. An op that is not told how
// many classes there are passes -1. REQUIRES: weights and biases are the op's first inputs.
absl::Status MergeTables(InferenceContext* c, const ShapeHandle& inputs, int64_t num_classes,
                         DimensionHandle* depth);

// The outputs weight_rows and bias_rows.
absl::Status TableRowsShapes(InferenceContext* c, int first_output);

// Outputs of the gradient ops: inputs_grad, then indices, values and shapes of the slices of each
// shard of weights and of biases.
absl::Status GradShapes(InferenceContext* c);

}  // namespace candsamp

#define CANDSAMP_TABLE_ATTRS(table_types)                 \
  Attr("T: {float, double, bfloat16, half}")              \
      .Attr("W: {float, double, bfloat16, half}")         \
      .Attr("weight_types: list({" table_types "}) >= 1") \
      .Attr("bias_types: list({" table_types "}) >= 0")
#define CANDSAMP_DENSE "float, double, bfloat16, half"
#define CANDSAMP_DENSE_OR_VARIABLE "resource, " CANDSAMP_DENSE

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
      .SetShapeFn(::candsamp::GradShapes)

#endif  // TF_CANDSAMP_CC_OPS_LOSS_SHAPES_H_
