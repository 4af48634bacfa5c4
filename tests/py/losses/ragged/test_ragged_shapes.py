# SPDX-License-Identifier: Apache-2.0
"""Static shapes of the ragged functions."""

import loss_cases as lc
import pytest
import ragged_cases as rc
import tensorflow as tf

import tf_candsamp as tfcs

HUGE = 2**33


def shapes_of(kind, weights, inputs, labels=None, rows=None, biases=None):
    """Static shapes of value and gradients, in a function of arguments of these shapes."""
    found = {}
    candidates = tf.RaggedTensorSpec([rows, None], tf.int64)
    specs = [tf.TensorSpec(weights), tf.TensorSpec(inputs), candidates]
    if kind != "logits":
        specs.append(tf.TensorSpec(labels, tf.int64))
    if biases is not None:
        specs.append(tf.TensorSpec(biases))

    @tf.function(input_signature=specs)
    def trace(weights, inputs, candidates, *rest):
        rest = list(rest)
        labels = None if kind == "logits" else rest.pop(0)
        tables = [weights, *rest]
        arguments = [weights, rest[0] if rest else None, labels, inputs, candidates]
        if kind == "logits":
            del arguments[2]
        with tf.GradientTape() as tape:
            tape.watch([*tables, inputs])
            value = rc.FUNCTIONS[kind](*arguments)
            value = value if kind != "logits" else value.flat_values
        gradients = tape.gradient(value, [*tables, inputs])
        found["value"] = value.shape.as_list()
        found["weights"] = gradients[0].values.shape.as_list()
        found["indices"] = gradients[0].indices.shape.as_list()
        found["shape"] = gradients[0].dense_shape.shape.as_list()
        found["shape_type"] = gradients[0].dense_shape.dtype
        found["inputs"] = gradients[-1].shape.as_list()
        return value

    trace.get_concrete_function()
    return found


@pytest.mark.parametrize(
    "inputs, labels, rows, batch",
    [
        ([7, 4], [7], 7, 7),
        ([7, None], [None], None, 7),
        ([None, 4], [7], None, 7),
        ([None, None], [7, 2], None, 7),
        ([None, 4], [None, 3], 7, 7),
        ([None, 4], [None], None, None),
        ([HUGE, 4], [None], None, HUGE),
        ([None, 4], [HUGE], None, HUGE),
        ([None, 4], [HUGE, 2], None, HUGE),
        (None, [7], None, 7),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_shapes_of_losses(kind, inputs, labels, rows, batch):
    found = shapes_of(kind, [11, 4], inputs, labels, rows)
    assert found["value"] == [batch]
    assert found["indices"] == [None]
    assert found["shape"] == [2]
    if inputs is not None:
        assert found["weights"] in ([None, 4], [None, inputs[1]])
        assert found["inputs"] in ([batch, 4], inputs)


@pytest.mark.parametrize("inputs", [[7, 4], [None, 4], [None, None], [HUGE, 4]], ids=str)
def test_shapes_of_logits(inputs):
    found = shapes_of("logits", [11, 4], inputs)
    assert found["value"] == [None]
    assert found["weights"][0] is None and found["weights"][1] in (inputs[1], 4)
    assert found["inputs"] == inputs


@pytest.mark.parametrize("kind", rc.KINDS)
def test_logits_keep_the_static_shape_of_candidates(kind):
    @tf.function
    def trace(candidates):
        logits = tfcs.ragged_candidate_logits(tf.ones([5, 2]), None, tf.ones([3, 2]), candidates)
        assert logits.shape.as_list() == [3, None]
        return logits

    assert trace(rc.ragged([[1], [2, 3], []])).to_list() == [[2], [2, 2], []]


@pytest.mark.parametrize("rows", [2**31 - 1, 2**31, HUGE, None])
@pytest.mark.parametrize("kind", rc.KINDS)
def test_more_rows_than_int32_holds(kind, rows):
    """The type of the slices' dense shape is int32 as long as that can hold it."""
    found = shapes_of(kind, [rows, 4], [None, 4], [None], None, [rows])
    assert found["shape_type"] == (tf.int64 if rows and rows > 2**31 - 1 else tf.int32)


@pytest.mark.parametrize("kind", rc.KINDS)
def test_unknown_rank_of_tables(kind):
    found = shapes_of(kind, None, [7, 4], [7], 7)
    assert found["value"] == ([None] if kind == "logits" else [7])
