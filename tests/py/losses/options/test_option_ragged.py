# SPDX-License-Identifier: Apache-2.0
"""Options of the ragged functions: values, gradients and statistics, against NumPy in float64."""

import dataclasses

import loss_cases as lc
import ml_dtypes
import numpy as np
import pytest
import ragged_cases as rc
import tensorflow as tf
from calls import in_mode

import tf_candsamp as tfcs

# Numbers that float32 holds, in which ops keep them.
SCORES = {
    "temperature": {"temperature": 0.25},
    "normalize": {"normalize": True, "temperature": 0.125},
    "softcap": {"logit_softcap": 1.5},
    "all": {"normalize": True, "temperature": 0.0625, "logit_softcap": 5.0},
}
TOLERANCE = {tf.float32: 3e-6, tf.float64: 1e-14}

every_score = pytest.mark.parametrize("score", SCORES)
every_kind = pytest.mark.parametrize("kind", rc.KINDS)
both = pytest.mark.parametrize("kind", lc.LOSSES)


def case_of(score, seed=0, **changes):
    sizes = {"rows": 30, "classes": 40, "depth": 6, "candidates": (0, 30)} | changes
    return rc.random_case(seed, **sizes, options=SCORES[score])


def tolerance(score, dtype):
    # Errors of a logit are those of its terms, over the temperature.
    return TOLERANCE[dtype] / SCORES[score].get("temperature", 1)


@pytest.mark.parametrize("table", [tf.Variable, tf.constant])
@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda t: t.name)
@every_score
@every_kind
def test_agrees_with_reference(kind, score, dtype, table):
    for biases in (True, False):
        case = case_of(score, biases=biases).rounded(dtype)
        actual = lc.evaluate(kind, case, dtype, table=table)
        lc.assert_result(actual, lc.expected(kind, case), tolerance(score, dtype))


@every_score
@every_kind
def test_long_rows(kind, score):
    """Rows of several segments, whose results are merged, with hits and many labels."""
    case = case_of(score, rows=4, classes=3000, candidates=(1500, 4000), labels=(1, 700)).rounded(
        tf.float32
    )
    actual, expected = lc.evaluate(kind, case), lc.expected(kind, case)
    lc.assert_result(actual, expected, 3 * tolerance(score, tf.float32))


@pytest.mark.parametrize("pair", lc.TYPE_PAIRS, ids=lc.type_names)
@every_score
@every_kind
def test_types(kind, score, pair):
    case = case_of(score, scale=0.5).rounded(*pair)
    actual = lc.evaluate(kind, case, *pair)  # asserts the types
    epsilon = max(float(ml_dtypes.finfo(t.as_numpy_dtype).eps) for t in pair)
    epsilon *= 40 if pair[0] in lc.EPSILON else 0.75
    lc.assert_result(actual, lc.expected(kind, case), epsilon)


@every_kind
def test_gradients_are_differences(kind):
    """In float64, by central differences of the op itself."""
    case = case_of("all", rows=3, classes=6, depth=3, candidates=(2, 6))
    result = lc.evaluate(kind, case, tf.float64)
    arguments = [case.weights, case.biases, case.inputs]

    def total(*arrays):
        value = case.apply(kind, *(tf.constant(x, tf.float64) for x in arrays))
        return float(tf.reduce_sum(value * case.grad(kind)))

    for position, gradient in enumerate(result.gradients):
        for index in np.ndindex(gradient.shape):
            ends = []
            for step in (1e-5, -1e-5):
                moved = [x.copy() for x in arguments]
                moved[position][index] += step
                ends.append(total(*moved))
            difference = (ends[0] - ends[1]) / 2e-5
            np.testing.assert_allclose(gradient[index], difference, rtol=1e-5, atol=1e-7)


@every_score
@every_kind
def test_shards_of_a_table(kind, score):
    """The gradient ops find the rows of each shard: the bits of one table."""
    case = case_of(score).rounded(tf.float32)
    whole = lc.evaluate(kind, case)
    parts = [tf.Variable(p) for p in tf.split(tf.constant(case.weights, tf.float32), [7, 0, 33])]
    biases = tf.Variable(tf.constant(case.biases, tf.float32))
    inputs = tf.constant(case.inputs, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        value = case.apply(kind, parts, biases, inputs)
    grad = tf.constant(case.grad(kind), tf.float32)
    *of_weights, of_biases, of_inputs = tape.gradient(value, [*parts, biases, inputs], grad)
    np.testing.assert_array_equal(value, whole.value)
    dense = np.concatenate([lc.as_dense(g) for g in of_weights])
    np.testing.assert_array_equal(dense, whole.gradients.weights)
    np.testing.assert_array_equal(lc.as_dense(of_biases), whole.gradients.biases)
    np.testing.assert_array_equal(of_inputs, whole.gradients.inputs)


@every_score
@every_kind
def test_infinite_biases(kind, score):
    """Minus infinity masks a class, under a softcap, too, and gradients are finite."""
    case = case_of(score, labels=(1, 1)).rounded(tf.float32)
    case.biases[[3, 4, 17]] = -np.inf
    case.labels = [np.where(np.isin(row, (3, 4)), 5, row) for row in case.labels]
    case.labels[0] = np.array([17])
    result, expected = lc.evaluate(kind, case), lc.expected(kind, case)
    assert np.isinf(expected.value).any() and np.isfinite(expected.value).any()
    assert all(np.isfinite(part).all() for part in result.gradients)
    lc.assert_result(result, expected, tolerance(score, tf.float32))


@both
def test_rows_of_zeros_and_of_extreme_norms(kind):
    """A row of zeros has cosines and gradients of 0; other norms may be near the type's limits."""
    case = case_of("normalize")
    case.weights[:4] = 0
    case.weights[4:8] *= 1e25
    case.weights[8:12] *= 1e-25
    case.inputs[:2] = 0
    case = case.rounded(tf.float32)
    result, expected = lc.evaluate(kind, case), lc.expected(kind, case)
    lc.assert_close(result.value, expected.value, 3e-5)
    lc.assert_close(result.gradients.inputs, expected.gradients.inputs, 3e-5)
    for got, want in zip(result.gradients.weights, expected.gradients.weights, strict=True):
        lc.assert_close(got, want, 1e-4)


@pytest.mark.parametrize("seed", [1, 2])
@every_score
@both
def test_stats(kind, score, seed):
    """Short rows and rows of several segments, with hits and without."""
    changes = {1: {"rows": 80, "candidates": (0, 9)}, 2: {"candidates": (500, 1500), "rows": 9}}
    case = case_of(score, seed, classes=60, **changes[seed]).rounded(tf.float32)
    case.remove_accidental_hits = seed == 1
    case.label_log_q = [row - (2 + 3 * (i % 3)) for i, row in enumerate(case.label_log_q)]
    log_sum_exp, is_top = case.stats()
    assert is_top.any() and not is_top.all()
    asking = dataclasses.replace(case, options=case.options | {"return_stats": True})
    tables = [tf.constant(x, tf.float32) for x in (case.weights, case.biases, case.inputs)]
    loss, stats = asking.apply(kind, *tables)
    np.testing.assert_array_equal(stats.label_is_top, is_top)
    bound = 4 * tolerance(score, tf.float32)
    np.testing.assert_allclose(stats.log_sum_exp, log_sum_exp, rtol=bound, atol=bound)
    np.testing.assert_array_equal(loss, case.apply(kind, *tables))
    assert stats.label_is_top.dtype == tf.bool and stats.log_sum_exp.dtype == loss.dtype


def test_stats_of_empty_and_masked_rows():
    """No class, masked classes, a NaN: minus infinity or NaN, and never on top."""
    biases = [0.0, 0.0, -np.inf]
    loss, stats = tfcs.ragged_nce_loss(
        tf.ones([3, 1]),
        tf.constant(biases),
        tf.ragged.constant([[], [2], [1], [1]], dtype=tf.int64),
        tf.constant([[1.0], [1.0], [np.nan], [1.0]]),
        tf.ragged.constant([[], [2], [0], []], dtype=tf.int64),
        return_stats=True,
    )
    assert loss[0] == 0
    np.testing.assert_array_equal(stats.log_sum_exp, [-np.inf, -np.inf, np.nan, 1])
    assert stats.label_is_top.numpy().tolist() == [False, False, False, True]


@pytest.mark.parametrize("mode", ["eager", "function"])
@every_kind
def test_gradients_in_functions(kind, mode):
    """With a variable, whose rows the gradient must not read again: the same bits."""
    case = case_of("all").rounded(tf.float32)
    weights = tf.Variable(tf.constant(case.weights, tf.float32))
    inputs = tf.constant(case.inputs, tf.float32)

    def gradient():
        with tf.GradientTape() as tape:
            value = case.apply(kind, weights, tf.constant(case.biases, tf.float32), inputs)
            total = tf.reduce_sum(value * tf.constant(case.grad(kind), tf.float32))
            weights.assign(tf.zeros_like(weights))
        return tf.convert_to_tensor(tape.gradient(total, weights))

    expected = lc.evaluate(kind, case).gradients.weights
    np.testing.assert_array_equal(in_mode(mode, gradient), expected)


@every_kind
def test_wrong_values(kind):
    case = case_of("temperature")
    for options, error, message in (
        ({"temperature": 0.0}, ValueError, "temperature must be positive and finite, got 0.0"),
        ({"logit_softcap": np.nan}, ValueError, "logit_softcap must be positive and finite, got"),
        ({"temperature": "1"}, TypeError, "temperature must be a number, got '1'"),
        ({"normalize": 1}, TypeError, "normalize must be True or False, got 1"),
    ):
        with pytest.raises(error, match=message):
            bad = dataclasses.replace(case, options=options)
            bad.apply(kind, case.weights, case.biases, case.inputs)
