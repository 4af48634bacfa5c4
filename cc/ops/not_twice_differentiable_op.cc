// SPDX-License-Identifier: Apache-2.0
// The op that fails where a second derivative of a loss is asked for.
#include "cc/ops/tf_names.h"
#include "tensorflow/core/framework/common_shape_fns.h"

namespace candsamp {

REGISTER_OP("Candsamp>NotTwiceDifferentiable")
    .Input("value: T")
    .Input("grads: grad_types")
    .Output("output: T")
    .Attr("T: {float, double, bfloat16, half}")
    .Attr("grad_types: list({float, double, bfloat16, half}) >= 0")
    .Attr("op_name: string")
    .SetShapeFn(tensorflow::shape_inference::UnchangedShape)
    .Doc(R"doc(
Returns `value` if all of `grads` are zero; otherwise fails and names the op `op_name`.

A loss has no second derivative. A first-order step that runs under an outer tape brings zeros here.

For value [1, 2] and grads [[0, 0]]: output [1, 2]. For grads [[0, 1]]: an error.

value: of any shape.
grads: of any shapes, the gradients with respect to what a loss op keeps for its gradient op.
output: value.
T: the type of value.
grad_types: the types of grads.
op_name: the op whose gradient would be differentiated.
)doc");

}  // namespace candsamp
