"""What the wrappers of all losses share: their tables and inputs, and gradients of their ops."""

import tensorflow as tf

from tf_candsamp._library import ops
from tf_candsamp._tables import open_table
from tf_candsamp._tensors import to_tensor

_HALF_TYPES = (tf.bfloat16, tf.float16)
_INPUT_TYPES = (tf.float32, tf.float64, *_HALF_TYPES)


def tables_and_inputs(weights, biases, inputs):
    """The three arguments as `Table`, `Table` and tensor, their types checked."""
    if weights is None:
        raise ValueError("weights must be a table of classes, got None.")
    weights = open_table("weights", weights, rank=2)
    biases = open_table("biases", biases, rank=1, dtype=weights.dtype)
    inputs = to_tensor("inputs", inputs, weights.dtype)
    if inputs.dtype not in _INPUT_TYPES:
        raise TypeError(
            f"inputs must be float32, float64, bfloat16 or float16, got {inputs.dtype.name}."
        )
    half = inputs.dtype in _HALF_TYPES
    if weights.dtype != inputs.dtype and not (half and weights.dtype == tf.float32):
        expected = inputs.dtype.name + (" or float32" if half else "")
        raise TypeError(
            f"weights must be of type {expected} for inputs of type {inputs.dtype.name}, got "
            f"{weights.dtype.name}."
        )
    return weights, biases, inputs


def op_for(name, weights, biases):
    """The op that takes handles, if there are any, or the stateless one of the same function."""
    resource = "resource_" if weights.has_variable or biases.has_variable else ""
    return getattr(ops, f"candsamp_{resource}{name}")


def sum_type(inputs):
    """The type in which products are summed."""
    return tf.float64 if inputs.dtype == tf.float64 else tf.float32


def type_attributes(weights, biases):
    """The attributes of a loss op that say which types its tables have."""
    return {
        "W": weights.dtype,
        "Tshape": tf.int64 if tf.int64 in (weights.shape_dtype, biases.shape_dtype) else tf.int32,
    }


def inputs_by_name(op, arguments):
    """Maps the names of an op's arguments to its input tensors, lists to lists."""
    names, position = {}, 0
    for name, length in arguments:
        if length is None:
            names[name] = op.inputs[position]
            position += 1
            continue
        size = op.get_attr(length)
        size = size if isinstance(size, int) else len(size)
        names[name] = list(op.inputs[position : position + size])
        position += size
    return names


def gradients(given, slices):
    """The gradient of each input, in order, from the outputs of a gradient op."""

    def shards(indices, values, shapes):
        # tf.identity: the tape loses sight of an index tensor that is an op's own output.
        return [
            tf.IndexedSlices(v, tf.identity(i), s)
            for i, v, s in zip(indices, values, shapes, strict=True)
        ]

    known = {
        "weights": shards(slices.weight_indices, slices.weight_values, slices.weight_shapes),
        "biases": shards(slices.bias_indices, slices.bias_values, slices.bias_shapes),
        "inputs": slices.inputs_grad,
    }
    in_order = []
    for argument, value in given.items():
        gradient = known.get(argument, [None] * len(value) if isinstance(value, list) else None)
        in_order.extend(gradient if isinstance(value, list) else [gradient])
    return in_order


# What a graph holds as the gradient of an output that nothing differentiates.
_ZEROS = ("ZerosLike", "Fill", "Const", "BroadcastTo")


def _unless_differentiated(op, value, grads):
    """`value`, or an error at run time if any of `grads` is not zero.

    An error when the graph is built would break a first-order step that is merely traced under an
    outer tape.
    """
    return ops.candsamp_not_twice_differentiable(value, grads, op_name=op.type)


def first_order(op, grad, grads_of_kept):
    """The op's `grad`, unless what it keeps for its gradient op is differentiated, too."""
    if tf.executing_eagerly():  # the gradient of the gradient op has failed already
        return grad
    grads = [g for g in grads_of_kept if g is not None and g.op.type not in _ZEROS]
    return _unless_differentiated(op, grad, grads) if grads else grad


def no_second_derivative(op, *grads):
    """The gradient of a gradient op: an error as soon as it is asked for."""
    grads = [g for g in grads if g is not None and g.dtype.is_floating]
    return [
        _unless_differentiated(op, tf.zeros_like(x), grads) if x.dtype.is_floating else None
        for x in op.inputs
    ]


tf.no_gradient("Candsamp>NotTwiceDifferentiable")
