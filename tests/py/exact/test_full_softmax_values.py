# SPDX-License-Identifier: Apache-2.0
"""The full softmax and its gradients against NumPy in float64."""

import exact_cases as ec
import loss_cases as lc
import numpy as np
import pytest
import tensorflow as tf

import tf_candsamp as tfcs

KIND = "full_softmax"
# Fewer classes than a block, a block, several panels, tails of rows and of classes.
SHAPES = {
    "tiny": {"rows": 1, "classes": 1, "depth": 1, "num_true": 1},
    "small": {"rows": 7, "classes": 50, "depth": 5},
    "one_block": {"rows": 64, "classes": 192, "depth": 16},
    "tails": {"rows": 131, "classes": 1000, "depth": 37, "num_true": 3},
    "panels": {"rows": 520, "classes": 3500, "depth": 24, "num_true": 1},
    "deep": {"rows": 40, "classes": 1700, "depth": 300, "scale": 0.1},
    "no_depth": {"rows": 3, "classes": 20, "depth": 0},
}


@pytest.mark.parametrize("options", ec.OPTIONS.values(), ids=ec.OPTIONS)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("dtype", [tf.float32, tf.float64], ids=lambda dtype: dtype.name)
def test_is_the_definition(shape, options, dtype):
    case = ec.random_case(1, **shape, **options).rounded(dtype)
    tolerance = {tf.float32: 4e-6, tf.float64: 2e-14}[dtype]
    lc.assert_result(lc.evaluate(KIND, case, dtype), lc.expected(KIND, case), tolerance, floor=0.1)


@pytest.mark.parametrize("options", [ec.OPTIONS["plain"], ec.OPTIONS["all"]], ids=["plain", "all"])
@pytest.mark.parametrize("pair", lc.TYPE_PAIRS, ids=lc.type_names)
@pytest.mark.parametrize("table", [tf.Variable, tf.identity], ids=["variable", "tensor"])
def test_types(pair, table, options):
    case = ec.random_case(2, rows=9, classes=300, depth=8, scale=0.5, **options).rounded(*pair)
    lc.assert_types(KIND, case, pair, table)


def test_without_biases():
    case = ec.random_case(3, biases=False).rounded(tf.float32)
    lc.assert_result(lc.evaluate(KIND, case), lc.expected(KIND, case), 4e-6)


def test_labels_of_one_dimension_are_one_column():
    case = ec.random_case(4, num_true=1)
    flat = tfcs.full_softmax_loss(case.weights, case.biases, case.labels[:, 0], case.inputs)
    np.testing.assert_array_equal(flat, case.apply(KIND, case.weights, case.biases, case.inputs))


@pytest.mark.parametrize("options", [{}, ec.OPTIONS["all"]], ids=["plain", "all"])
@pytest.mark.parametrize("strategy", ["div", "mod"])
@pytest.mark.parametrize("shards", [1, 2, 3])
@pytest.mark.parametrize("dtype", [tf.float32, tf.float16], ids=lambda dtype: dtype.name)
def test_shards_and_padded_tables(shards, strategy, options, dtype):
    """Rows beyond num_classes get the gradient 0, wherever they are in the shards."""
    classes, num_classes = 606, 500
    case = ec.random_case(
        5, rows=20, classes=classes, depth=6, num_classes=num_classes, **options
    ).rounded(dtype)

    def dealt(table):
        if strategy == "div":
            return np.split(table, shards)
        return [table[k::shards] for k in range(shards)]

    def joined(parts):
        if strategy == "div":
            return np.concatenate(parts)
        table = np.zeros((classes, *parts[0].shape[1:]))
        for k, part in enumerate(parts):
            table[k::shards] = part
        return table

    weights = [tf.Variable(part, dtype=dtype) for part in dealt(case.weights)]
    biases = [tf.Variable(part, dtype=dtype) for part in dealt(case.biases)]
    inputs = tf.Variable(case.inputs, dtype=dtype)
    case.options["partition_strategy"] = strategy
    with tf.GradientTape() as tape:
        loss = case.apply(KIND, weights, biases, inputs)
        total = tf.reduce_sum(loss * tf.constant(case.grad(KIND), loss.dtype))
    of_weights, of_biases, of_inputs = tape.gradient(total, (weights, biases, inputs))
    expected = lc.expected(KIND, case)
    tolerance = 4e-6 if dtype == tf.float32 else 2**-10
    lc.assert_close(loss, expected.value, 4e-6)
    lc.assert_close(
        joined([lc.as_float64(g) for g in of_weights]), expected.gradients.weights, tolerance
    )
    lc.assert_close(
        joined([lc.as_float64(g) for g in of_biases]), expected.gradients.biases, tolerance
    )
    lc.assert_close(lc.as_float64(of_inputs), expected.gradients.inputs, tolerance)
    assert not joined([lc.as_float64(g) for g in of_weights])[num_classes:].any()


def test_is_the_composition_of_tensorflow():
    """Also in the last of many classes, where errors of the online sum would show."""
    rng = np.random.default_rng(6)
    weights = tf.Variable(rng.normal(0, 0.3, [20_000, 12]), dtype=tf.float32)
    biases = tf.Variable(rng.normal(0, 0.3, 20_000), dtype=tf.float32)
    inputs = tf.constant(rng.normal(0, 2, [33, 12]), tf.float32)
    labels = rng.integers(19_000, 20_000, 33)
    with tf.GradientTape(persistent=True) as tape:
        ours = tfcs.full_softmax_loss(weights, biases, labels, inputs)
        logits = tf.linalg.matmul(inputs, weights, transpose_b=True) + biases
        theirs = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    np.testing.assert_allclose(ours, theirs, rtol=3e-6)
    for source in (weights, biases):
        got, want = tape.gradient(ours, source), tape.gradient(theirs, source)
        assert isinstance(got, tf.Tensor)
        lc.assert_close(got, want, 1e-5)


def test_masked_classes_weigh_nothing():
    """Biases of minus infinity: some classes, a whole block, and a label."""
    case = ec.random_case(8, rows=6, classes=600, depth=4, num_true=1)
    case.biases[[1, 3, 599]] = -np.inf
    case.biases[192:384] = -np.inf
    case.labels[:, 0] = [0, 2, 4, 400, 598, 3]
    result = lc.evaluate(KIND, case)
    assert result.value[5] == np.inf and np.isfinite(result.value[:5]).all()
    lc.assert_result(result, lc.expected(KIND, case), 4e-6)


def test_a_row_whose_classes_are_all_masked():
    case = ec.random_case(9, rows=3, classes=300, depth=4, num_true=1)
    case.biases[:] = -np.inf
    result = lc.evaluate(KIND, case)
    assert (result.value == np.inf).all()
    lc.assert_result(result, lc.expected(KIND, case), 4e-6)


@pytest.mark.parametrize("at", [0, 191, 192, 399])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_one_bad_logit_makes_the_losses_nan_or_infinite(bad, at):
    case = ec.random_case(10, rows=6, classes=400, depth=4, num_true=1)
    case.biases[at] = bad
    case.labels[:] = (at + 1) % 400
    loss = case.apply(KIND, case.weights, case.biases, case.inputs)
    assert not np.isfinite(loss).any()


def test_rows_do_not_depend_on_one_another():
    case = ec.random_case(11, rows=70, classes=400, depth=4)
    before = lc.evaluate(KIND, case)
    case.inputs[[0, 5, 64], 1] = np.nan
    after = lc.evaluate(KIND, case)
    kept = np.setdiff1d(np.arange(70), [0, 5, 64])
    np.testing.assert_array_equal(after.value[kept], before.value[kept])
    np.testing.assert_array_equal(after.gradients.inputs[kept], before.gradients.inputs[kept])
    assert np.isnan(after.value[[0, 5, 64]]).all()


def test_large_logits_neither_overflow_nor_vanish():
    """Rounding a logit of thousands changes a probability by about a ten-thousandth."""
    case = ec.random_case(12, rows=9, classes=700, depth=8, scale=300.0).rounded(tf.float32)
    result, expected = lc.evaluate(KIND, case), lc.expected(KIND, case)
    assert expected.value.min() > 1000
    lc.assert_close(result.value, expected.value, 1e-6)
    lc.assert_result(result, expected, 1e-3)


def test_rows_of_zeros_and_of_extreme_norms():
    """The squares of a row may overflow. Norms below 1e-6 count as 1e-6, and are constant then."""
    case = ec.random_case(13, rows=6, classes=50, depth=4, normalize=True)
    case.weights[[3, 49]], case.inputs[2] = 0, 0
    case.weights[5] *= 1e25
    case.weights[6] *= 1e-7
    case.inputs[4] *= 1e-8
    case = case.rounded(tf.float32)
    result, expected = lc.evaluate(KIND, case), lc.expected(KIND, case)
    lc.assert_close(result.value, expected.value, 4e-6)
    lc.assert_close(result.gradients.biases, expected.gradients.biases, 4e-6)
    for got, want in (
        (result.gradients.inputs, expected.gradients.inputs),
        (result.gradients.weights, expected.gradients.weights),
    ):
        # Each row is as large as one over its norm.
        scale = np.abs(want).max(1, keepdims=True, initial=1e-30)
        np.testing.assert_allclose(got / scale, want / scale, atol=2e-5)


@pytest.mark.parametrize("classes", [0, 20])
def test_empty_batches(classes):
    weights, biases = tf.Variable(tf.ones([classes, 3])), tf.Variable(tf.ones([classes]))
    inputs = tf.zeros([0, 3])
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        loss = tfcs.full_softmax_loss(weights, biases, tf.zeros([0], tf.int64), inputs)
    assert loss.shape == [0]
    for gradient, source in zip(
        tape.gradient(loss, [weights, biases, inputs]), [weights, biases, inputs], strict=True
    ):
        np.testing.assert_array_equal(gradient, tf.zeros_like(source))
