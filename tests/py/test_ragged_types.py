"""Ragged losses: every pair of types, half types against the error of rounding the exact result."""

import ml_dtypes
import numpy as np
import pytest
import ragged_cases as rc
import tensorflow as tf

import tf_candsamp as tfcs

HALF_PAIRS = [pair for pair in rc.TYPE_PAIRS if pair[0] in (tf.bfloat16, tf.float16)]
SHAPES = {
    "small": {},
    "deep": {"rows": 20, "depth": 100, "candidates": (0, 200), "classes": 500, "scale": 0.1},
    "long_rows": {"rows": 3, "candidates": (600, 3000), "depth": 16, "classes": 5000},
    "hot_class": {"rows": 1000, "classes": 3},
    "many_labels": {"rows": 4, "labels": (9, 40)},
}
# The float32 part of the error, in its epsilons and relative to the largest value.
FLOAT32_FACTOR = {"hot_class": 70}


def names(pair):
    return "-".join(dtype.name for dtype in pair)


def ulp(values, dtype):
    """The distance of neighbours in `dtype` at each value; 0 for infinities."""
    info = ml_dtypes.finfo(dtype.as_numpy_dtype)
    _, exponent = np.frexp(np.where(np.isfinite(values), values, 0))
    return np.ldexp(1.0, np.maximum(exponent - 1, info.minexp) - info.nmant)


def assert_rounded(name, actual, exact, dtype, factor):
    """Half an ulp for rounding the result, and the error of float32 arithmetic before that."""
    if exact is None:
        assert actual is None
        return
    largest = np.abs(exact).max(initial=1 if name == "value" else 0)
    allowed = factor * np.finfo(np.float32).eps * largest
    if dtype != tf.float32:
        allowed = allowed + 0.5 * ulp(exact, dtype)
    excess = np.abs(actual - exact) / allowed
    assert excess.max(initial=0) <= 1, f"{name}: {excess.max()} times the allowed error"


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("pair", HALF_PAIRS, ids=names)
@pytest.mark.parametrize("kind", rc.KINDS)
def test_half_types_only_round(kind, pair, shape):
    case = rc.random_case(1, **SHAPES[shape]).rounded(*pair)
    actual, exact = rc.evaluate(kind, case, *pair), rc.expected(kind, case)
    types = (rc.value_type(kind, pair[0]), pair[1], pair[1], pair[0])
    factor = FLOAT32_FACTOR.get(shape, 16)
    for (name, got), (_, want), dtype in zip(rc.parts(actual), rc.parts(exact), types, strict=True):
        assert_rounded(name, got, want, dtype, factor)


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("table", [tf.Variable, tf.identity], ids=["variable", "tensor"])
@pytest.mark.parametrize("pair", rc.TYPE_PAIRS, ids=names)
@pytest.mark.parametrize("kind", rc.KINDS)
def test_each_gradient_has_the_type_of_its_tensor(kind, pair, table, biases):
    case = rc.random_case(2, biases=biases).rounded(*pair)
    actual = rc.evaluate(kind, case, *pair, table=table)  # asserts the types
    # 1.5 ulp: half a one, and room for results that are small beside their terms.
    tolerance = max(float(ml_dtypes.finfo(t.as_numpy_dtype).eps) for t in pair)
    tolerance *= 8 if pair[0] in (tf.float32, tf.float64) else 0.75
    rc.assert_result(actual, rc.expected(kind, case), tolerance)


@pytest.mark.parametrize("kind", rc.LOSSES)
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
    actual, exact = rc.evaluate(kind, case, dtype), rc.expected(kind, case)
    np.testing.assert_allclose(actual.value, exact.value, rtol=1e-6)


@pytest.mark.parametrize("kind", rc.LOSSES)
@pytest.mark.parametrize("dtype", [tf.bfloat16, tf.float16], ids=lambda t: t.name)
def test_hits_and_masks_make_no_nan_in_half_types(kind, dtype):
    case = rc.random_case(3, classes=6, log_q=False).rounded(dtype)
    case.biases[4] = -np.inf
    case.labels = [np.array([i % 4]) for i in range(7)]
    actual = rc.evaluate(kind, case, dtype)
    rc.assert_result(actual, rc.expected(kind, case), 2.0**-7)


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
        assert rc.as_float64(logits)[0] == np.float16(3 * smallest * x)
        assert rc.as_float64(by_weights.values)[0, 0] == (
            np.inf if x > 1 else np.float16(65504 * x)
        )
        assert rc.as_float64(by_inputs)[0, 0] == np.float16(65504 * 3 * smallest)


@pytest.mark.parametrize("kind", rc.LOSSES)
def test_float16_logits_beyond_its_range_give_a_finite_loss(kind):
    case = rc.Case(
        weights=np.array([[-300.0], [300.0]]),
        biases=None,
        labels=[np.array([0])],
        inputs=np.array([[300.0]]),
        candidates=[np.array([1])],
    )
    exact = rc.expected(kind, case).value
    assert exact[0] > 65504
    np.testing.assert_allclose(rc.evaluate(kind, case, tf.float16).value, exact, rtol=1e-6)
