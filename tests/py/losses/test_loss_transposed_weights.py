# SPDX-License-Identifier: Apache-2.0
"""Weights as a dense layer keeps them, [depth, num_classes]: the error asks whether they are."""

import re

import loss_cases as lc
import numpy as np
import pytest
import ragged_arguments as ragged
import ragged_cases as rc
import sampled_arguments as sampled
import sampled_cases as sc
import tensorflow as tf
from calls import ERRORS, SHAPE_MODES

HINT = r"; weights has shape \[{},{}\]: transposed\? It must be \[num_classes, depth\]"
# Of five classes and depth two.
KERNEL = np.ones([2, 5], np.float32)
MESSAGE = r"inputs must have the depth of weights, 5, got shape \[3,2\]" + HINT.format(2, 5)

# As a graph says whose inputs' depth is not known while that of a variable is.
BY_ROWS = "weights must have at least num_classes = 5 rows, got 2" + HINT.format(2, 5)

EVERY_KIND = [(sampled, kind) for kind in lc.LOSSES] + [(ragged, kind) for kind in rc.KINDS]
for_modes = pytest.mark.parametrize("mode", SHAPE_MODES)


@for_modes
@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("family, kind", EVERY_KIND, ids=lambda x: getattr(x, "__name__", x))
def test_losses(family, kind, biases, mode):
    changes = {} if biases else {"biases": None}
    family.check(kind, mode, MESSAGE, weights=KERNEL, **changes)
    by_rows = family is sampled and mode == "unknown_shapes"
    message = BY_ROWS if by_rows else MESSAGE
    family.check(kind, mode, message, weights=tf.Variable(KERNEL), **changes)
    family.check(kind, mode, message, weights=[tf.Variable(KERNEL)], **changes)


@for_modes
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_by_the_number_of_classes_alone(kind, mode):
    """Inputs of another depth, too."""
    message = r"inputs must have the depth of weights, 6, got shape \[3,3\]" + HINT.format(2, 6)
    kernel = np.ones([2, 6], np.float32)  # padded
    sampled.check(kind, mode, message, weights=kernel, inputs=np.ones([3, 3], np.float32))


@for_modes
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_no_such_question_otherwise(kind, mode):
    for changes in (
        {"weights": np.ones([4, 5], np.float32), "inputs": np.ones([3, 5], np.float32)},
        {"inputs": np.ones([3, 3], np.float32)},
        {"weights": np.ones([2, 4], np.float32), "inputs": np.ones([3, 3], np.float32)},
    ):
        with pytest.raises(ERRORS) as caught:
            sampled.run(kind, mode, sampled.arguments(**changes))
        assert re.search("must have", str(caught.value))
        assert "transposed" not in str(caught.value)


@pytest.mark.parametrize("shape", [[None, 2], [3, 2]], ids=str)
@pytest.mark.parametrize("table", [tf.Variable, tf.identity], ids=["variable", "tensor"])
@pytest.mark.parametrize("family", ["sampled", "ragged"])
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_when_the_graph_is_built(kind, family, table, shape):
    """Before any data are there."""
    weights = table(KERNEL)

    @tf.function
    def loss(inputs):
        if family == "sampled":
            return sc.FUNCTIONS[kind](weights, None, [[1]] * 3, inputs, 2, 5)
        return rc.FUNCTIONS[kind](weights, None, [1] * 3, inputs, [[0]] * 3)

    with pytest.raises(ValueError, match=HINT.format(2, 5)):
        loss.get_concrete_function(tf.TensorSpec(shape))


@pytest.mark.parametrize("kind", lc.LOSSES)
def test_when_the_graph_is_built_for_inputs_of_unknown_depth(kind):
    @tf.function
    def loss(inputs):
        return sc.FUNCTIONS[kind](KERNEL, None, [[1]] * 3, inputs, 2, 5)

    with pytest.raises(ValueError, match=BY_ROWS):
        loss.get_concrete_function(tf.TensorSpec(None))


@pytest.mark.parametrize("kind", rc.KINDS)
def test_variable_of_unknown_shape_is_found_by_the_kernel(kind):
    weights = tf.Variable(KERNEL, shape=tf.TensorShape(None))
    values = ragged.arguments()
    del values["weights"]
    loss = tf.function(lambda **values: ragged.call(kind, values | {"weights": weights}))
    with pytest.raises(tf.errors.InvalidArgumentError, match=MESSAGE):
        loss(**values)
