# SPDX-License-Identifier: Apache-2.0
"""Gradients of the loss ops, which an op of its own computes from what the loss op kept."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import tensorflow as tf

from tf_candsamp._library import no_gradient, ops

# For each input that is a list: the op's attribute that gives its length.
_LENGTHS = {
    "weights": "weight_types",
    "biases": "bias_types",
    "hit_labels": "hit_ids_count",
    "hit_candidates": "hit_ids_count",
    "label_log_q": "label_log_q_count",
    "label_log_q_splits": "label_log_q_count",
    "candidate_log_q": "candidate_log_q_count",
    "candidate_log_q_splits": "candidate_log_q_count",
}

# The operation that produced the gradient of an output that nothing differentiates, in a graph.
_ZEROS = ("ZerosLike", "Fill", "Const", "BroadcastTo")


def register_gradient(gradient: Callable[..., Any], *op_names: str) -> None:
    """Makes `gradient` the gradient function of ops of this package."""
    for name in op_names:
        tf.RegisterGradient(f"Candsamp>{name}")(gradient)


def inputs_by_name(op: tf.Operation, names: Iterable[str]) -> dict[str, Any]:
    """The op's inputs by the names of its arguments, which are given in order; lists as lists."""
    inputs: dict[str, Any] = {}
    position = 0
    for name in names:
        if name not in _LENGTHS:
            inputs[name] = op.inputs[position]
            position += 1
            continue
        length = op.get_attr(_LENGTHS[name])
        if not isinstance(length, int):
            length = len(length)  # of a list of types
        inputs[name] = list(op.inputs[position : position + length])
        position += length
    return inputs


# The loss ops' outputs behind the loss that are for the user.
STATS: tuple[str, ...] = ("log_sum_exp", "label_is_top")


def kept_by_name(op: tf.Operation, names: Iterable[str]) -> dict[str, tf.Tensor]:
    """The op's outputs behind the first, by their names: what it kept for its gradient op."""
    outputs = zip(names, op.outputs[1:], strict=True)
    return {name: output for name, output in outputs if name not in STATS}


def gradients_of_inputs(
    op: tf.Operation,
    grads: Sequence[tf.Tensor | None],
    inputs: dict[str, Any],
    gradient_op: Callable[..., Any],
    **arguments: Any,
) -> list[Any]:
    """The gradient of each of the op's inputs, in order.

    Args:
      op: a loss op.
      grads: the gradients with respect to its outputs.
      inputs: its inputs, see `inputs_by_name`.
      gradient_op: what computes gradients of weights, biases and inputs.
      **arguments: what the gradient op takes besides.
    """
    slices = gradient_op(
        grad=first_order(op, *grads),
        inputs=inputs["inputs"],
        Tshape=op.get_attr("Tshape"),
        num_weights=len(inputs["weights"]),
        num_biases=len(inputs["biases"]),
        **arguments,
    )
    known = {
        "weights": _shards(slices.weight_indices, slices.weight_values, slices.weight_shapes),
        "biases": _shards(slices.bias_indices, slices.bias_values, slices.bias_shapes),
        "inputs": [slices.inputs_grad],
    }
    in_order: list[Any] = []
    for name, value in inputs.items():
        size = len(value) if isinstance(value, list) else 1
        in_order.extend(known.get(name, [None] * size))
    return in_order


def _shards(
    indices: list[tf.Tensor], values: list[tf.Tensor], shapes: list[tf.Tensor]
) -> list[tf.IndexedSlices]:
    # tf.identity: the tape loses sight of an index tensor that is an op's own output.
    return [
        tf.IndexedSlices(v, tf.identity(i), s)
        for i, v, s in zip(indices, values, shapes, strict=True)
    ]


def first_order(
    op: tf.Operation, grad: tf.Tensor | None, *grads_of_kept: tf.Tensor | None
) -> tf.Tensor | None:
    """`grad`, which fails if what the op kept for its gradient is differentiated, too."""
    if tf.executing_eagerly():  # the gradient of the gradient op has failed already
        return grad
    grads = [g for g in _floats(grads_of_kept) if g.op.type not in _ZEROS]
    return _unless_differentiated(op, grad, grads) if grads else grad


def no_second_derivative(op: tf.Operation, *grads: tf.Tensor | None) -> list[tf.Tensor | None]:
    """The gradient of a gradient op: an error as soon as it is computed."""
    floats = _floats(grads)
    return [
        _unless_differentiated(op, tf.zeros_like(x), floats) if x.dtype.is_floating else None
        for x in op.inputs
    ]


def _floats(grads: Iterable[tf.Tensor | None]) -> list[tf.Tensor]:
    return [g for g in grads if g is not None and g.dtype.is_floating]


def _unless_differentiated(
    op: tf.Operation, value: tf.Tensor | None, grads: list[tf.Tensor]
) -> tf.Tensor:
    """`value`, which fails at run time if any of `grads` is not zero.

    An error when the graph is built would break a first-order step that is only traced under an
    outer tape.
    """
    return ops.candsamp_not_twice_differentiable(value, grads, op_name=op.type)


no_gradient("NotTwiceDifferentiable")
