# SPDX-License-Identifier: Apache-2.0
"""Static shapes of losses with shared candidates, shapes with a zero."""

import loss_cases as lc
import numpy as np
import pytest
import sampled_cases as sc
import tensorflow as tf


@pytest.mark.parametrize(
    "weights, inputs, labels, sampled, batch",
    [
        ([11, 4], [7, 4], [7, 2], [3], 7),
        ([11, 4], [None, 4], [7, 2], [None], 7),
        ([11, 4], [7, None], [None, 2], [3], 7),
        ([None, None], [None, None], [None, None], [None], None),
        (None, [7, 4], None, None, 7),
        ([11, 4], None, [7, 2], [3], 7),
        (None, None, None, None, None),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_static_shapes(kind, weights, inputs, labels, sampled, batch):
    found = {}

    @tf.function(
        input_signature=[
            tf.TensorSpec(weights),
            tf.TensorSpec(inputs),
            tf.TensorSpec(labels, tf.int64),
            tf.TensorSpec(sampled, tf.int64),
        ]
    )
    def step(weights, inputs, labels, sampled):
        with tf.GradientTape() as tape:
            tape.watch([weights, inputs])
            loss = sc.FUNCTIONS[kind](
                weights, None, labels, inputs, 3, 11, 2, sampled_values=(sampled, 0.5, 0.5)
            )
        found["loss"] = loss.shape.as_list()
        by_weights, by_inputs = tape.gradient(loss, [weights, inputs])
        found["shape_type"] = by_weights.dense_shape.dtype
        return loss, by_weights, by_inputs

    case = sc.random_case(1, rows=7, classes=11, depth=4, num_sampled=3)
    case.true_expected_count[:] = case.sampled_expected_count[:] = 0.5
    case.remove_accidental_hits = kind == "softmax"
    case = case.rounded(tf.float32)
    case.biases = None
    loss, _by_weights, _by_inputs = step(
        tf.constant(case.weights, tf.float32),
        tf.constant(case.inputs, tf.float32),
        case.labels,
        case.sampled,
    )
    assert found == {"loss": [batch], "shape_type": tf.int32}
    want = lc.expected(kind, case)
    lc.assert_close(loss, want.value, 1e-6)


SIZES = [
    {"rows": 0},
    {"num_sampled": 0},
    {"rows": 0, "num_sampled": 0},
    {"depth": 0},
    {"depth": 1},
    {"depth": 0, "num_sampled": 0},
    {"rows": 0, "depth": 0},
    {"num_sampled": 1, "num_true": 1, "rows": 1, "classes": 1, "depth": 1},
    {"depth": 0, "num_sampled": 900, "classes": 1000, "rows": 70},
]


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("table", [tf.Variable, tf.identity], ids=["variable", "tensor"])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_small_sizes(kind, sizes, table, recompute):
    case = sc.random_case(1, **sizes, recompute=recompute).rounded(tf.float64)
    actual = lc.evaluate(kind, case, tf.float64, table=table)
    lc.assert_result(actual, lc.expected(kind, case), 16 * lc.EPSILON[tf.float64], floor=1)


@pytest.mark.parametrize("kind", lc.LOSSES)
def test_no_candidates_softmax_over_labels_alone(kind):
    case = sc.random_case(2, num_sampled=0, num_true=1).rounded(tf.float64)
    if kind == "softmax":
        np.testing.assert_array_equal(lc.evaluate(kind, case, tf.float64).value, 0)


@pytest.mark.parametrize("rows", [2**31 - 1, 2**31, 2**33])
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_more_rows_than_int32_holds(kind, rows):
    found = []

    @tf.function(input_signature=[tf.TensorSpec([rows, 4])])
    def step(weights):
        with tf.GradientTape() as tape:
            tape.watch(weights)
            loss = sc.FUNCTIONS[kind](
                weights, None, [[1]], tf.ones([1, 4]), 1, rows, sampled_values=([2], 1.0, 1.0)
            )
        found.append(tape.gradient(loss, weights).dense_shape.dtype)
        return loss

    step.get_concrete_function()
    assert found == [tf.int64 if rows > 2**31 - 1 else tf.int32]
