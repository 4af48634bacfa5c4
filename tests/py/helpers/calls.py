# SPDX-License-Identifier: Apache-2.0
"""Calls in eager mode and in functions, and what the refused ones say."""

import functools
import re

import pytest
import tensorflow as tf

# Without AutoGraph, which takes longer than most tests to convert what they call. `in_mode` and the
# tests of tapes call with it, as users do.
graph_function = functools.partial(tf.function, autograph=False)
# What makes a function run in each mode.
MODES = {"eager": lambda function: function, "function": graph_function}
# Where a mistake in a shape is found: by Python, by the kernel, when the graph is built.
SHAPE_MODES = ("eager", "unknown_shapes", "known_shapes")
ERRORS = (ValueError, TypeError, tf.errors.InvalidArgumentError)


def in_mode(mode, function, *arguments):
    """function(*arguments), in a function with AutoGraph if the mode is that of a function."""
    return (function if mode == "eager" else tf.function(function))(*arguments)


def of_known_rank(tensor):
    """A spec that knows no dimension of the tensor."""
    if isinstance(tensor, tf.RaggedTensor):
        return tf.RaggedTensorSpec(
            [None, None], tensor.dtype, ragged_rank=1, row_splits_dtype=tensor.row_splits.dtype
        )
    return tf.TensorSpec([None] * tensor.shape.rank, tensor.dtype)


def of_unknown_rank(tensor):
    return tf.TensorSpec(None, tensor.dtype)


def in_shape_mode(mode, function, tensors, unknown=of_known_rank):
    """function(tensors); `unknown` makes the specs of a function that knows no shapes."""
    if mode == "eager":
        return function(tensors)
    signature = None
    if mode == "unknown_shapes":
        signature = [tf.nest.map_structure(unknown, tensors)]
    return graph_function(function, input_signature=signature)(tensors)


def refused(message, function, *args, errors=ERRORS, **kwargs):
    """Checks that a call fails with a message in which `message`, a pattern, is found."""
    with pytest.raises(errors) as caught:
        function(*args, **kwargs)
    text = re.sub(r"\s+", " ", str(caught.value))
    assert re.search(message, text), f"{type(caught.value).__name__}: {text}"
