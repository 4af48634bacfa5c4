// The op that says that a loss has no second derivative.
#include "tensorflow/core/framework/common_shape_fns.h"
#include "tensorflow/core/framework/op.h"

namespace tensorflow {

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
