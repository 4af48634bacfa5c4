# SPDX-License-Identifier: Apache-2.0
"""Ragged losses: every pair of types, half types against the error of rounding the exact result."""

import loss_cases as lc
import numpy as np
import pytest
import ragged_cases as rc
import tensorflow as tf

import tf_candsamp as tfcs

SHAPES = {
    "small": {},
    "deep": {"rows": 20, "depth": 100, "candidates": (0, 200), "classes": 500, "scale": 0.1},
    "long_rows": {"rows": 3, "candidates": (600, 3000), "depth": 16, "classes": 5000},
    "hot_class": {"rows": 1000, "classes": 3},
    "many_labels": {"rows": 4, "labels": (9, 40)},
}
# The float32 part of the error, in its epsilons and relative to the largest value.
FLOAT32_FACTOR = {"hot_class": 70}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("pair", lc.HALF_PAIRS, ids=lc.type_names)
@pytest.mark.parametrize("kind", rc.KINDS)
def test_half_types_only_round(kind, pair, shape):
    case = rc.random_case(1, **SHAPES[shape]).rounded(*pair)
    actual, exact = lc.evaluate(kind, case, *pair), lc.expected(kind, case)
    types = (lc.value_type(kind, pair[0]), pair[1], pair[1], pair[0])
    factor = FLOAT32_FACTOR.get(shape, 16)
    for (name, got), (_, want), dtype in zip(lc.parts(actual), lc.parts(exact), types, strict=True):
        lc.assert_rounded(name, got, want, dtype, factor)


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("table", [tf.Variable, tf.identity], ids=["variable", "tensor"])
@pytest.mark.parametrize("pair", lc.TYPE_PAIRS, ids=lc.type_names)
@pytest.mark.parametrize("kind", rc.KINDS)
def test_each_gradient_has_the_type_of_its_tensor(kind, pair, table, biases):
    lc.assert_types(kind, rc.random_case(2, biases=biases).rounded(*pair), pair, table)


@pytest.mark.parametrize("kind", lc.LOSSES)
@pytest.mark.parametrize("dtype", [tf.bfloat16, tf.float16], ids=lambda t: t.name)
def test_half_types_sum_in_float32(kind, dtype):
    """Ten thousand small terms, each lost in a half-precision sum."""
    case = rc.Case(
        weights=np.full([10_000, 1], -5.0),
        biases=None,
        labels=[np.array([0])],
        inputs=np.ones([1, 1]),
        candidates=[np.arange(1, 10_000)],
    )
    actual, exact = lc.evaluate(kind, case, dtype), lc.expected(kind, case)
    np.testing.assert_allclose(actual.value, exact.value, rtol=1e-6)


@pytest.mark.parametrize("kind", lc.LOSSES)
@pytest.mark.parametrize("dtype", [tf.bfloat16, tf.float16], ids=lambda t: t.name)
def test_hits_and_masks_make_no_nan_in_half_types(kind, dtype):
    case = rc.random_case(3, classes=6, log_q=False).rounded(dtype)
    case.biases[4] = -np.inf
    case.labels = [np.array([i % 4]) for i in range(7)]
    actual = lc.evaluate(kind, case, dtype)
    lc.assert_result(actual, lc.expected(kind, case), 2.0**-7)


def test_subnormal_half_numbers_count():
    """TensorFlow's threads flush subnormal floats; those of float16 are normal float32 numbers."""
    smallest = 2.0**-24
    weights = tf.Variable([[3 * smallest], [smallest]], dtype=tf.float16)
    for x in (1024.0, 5 * smallest):
        inputs = tf.constant([[x]], tf.float16)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            logits = tfcs.ragged_candidate_logits(weights, None, inputs, [[0]]).flat_values
        by_weights, by_inputs = tape.gradient(
            logits, [weights, inputs], tf.fill([1], tf.float16.max)
        )
        assert lc.as_float64(logits)[0] == np.float16(3 * smallest * x)
        assert lc.as_float64(by_weights.values)[0, 0] == (
            np.inf if x > 1 else np.float16(65504 * x)
        )
        assert lc.as_float64(by_inputs)[0, 0] == np.float16(65504 * 3 * smallest)


@pytest.mark.parametrize("kind", lc.LOSSES)
def test_float16_logits_beyond_its_range_give_a_finite_loss(kind):
    case = rc.Case(
        weights=np.array([[-300.0], [300.0]]),
        biases=None,
        labels=[np.array([0])],
        inputs=np.array([[300.0]]),
        candidates=[np.array([1])],
    )
    exact = lc.expected(kind, case).value
    assert exact[0] > 65504
    np.testing.assert_allclose(lc.evaluate(kind, case, tf.float16).value, exact, rtol=1e-6)
