# SPDX-License-Identifier: Apache-2.0
"""Losses of half-precision inputs are float32: sums neither overflow nor lose their last terms."""

import loss_cases as lc
import numpy as np
import pytest
import ragged_cases as rc
import sampled_cases as sc
import tensorflow as tf
from calls import MODES

HALF_PAIRS = [pair for pair in lc.TYPE_PAIRS if pair[0] in (tf.bfloat16, tf.float16)]
CANDIDATES = 32_768
FAMILIES = ("sampled", "ragged")


def names(pair):
    return "-".join(dtype.name for dtype in pair)


def case_of(family, weights, candidates, rows):
    """Rows of inputs 1 and label 0, and all their candidates."""
    if family == "ragged":
        return rc.Case(
            weights, None, [np.array([0])] * rows, np.ones([rows, 1]), [candidates] * rows
        )
    return sc.Case(
        weights=weights,
        biases=None,
        labels=np.zeros([rows, 1], np.int64),
        inputs=np.ones([rows, 1]),
        sampled=candidates,
        true_expected_count=np.ones([rows, 1]),
        sampled_expected_count=np.ones(len(candidates)),
    )


for_families = pytest.mark.parametrize("family", FAMILIES)
for_pairs = pytest.mark.parametrize("pair", HALF_PAIRS, ids=names)
for_kinds = pytest.mark.parametrize("kind", lc.LOSSES)


@for_pairs
@for_families
def test_nce_over_many_candidates_is_finite(family, pair):
    """32,768 times softplus(3) is above 65,504, the largest number of float16."""
    case = case_of(family, np.full([CANDIDATES + 1, 1], 3.0), np.arange(1, CANDIDATES + 1), 2)
    actual, exact = lc.evaluate("nce", case, *pair), lc.expected("nce", case)
    assert (exact.value > 65_504).all()
    np.testing.assert_allclose(actual.value, exact.value, rtol=1e-6)
    assert np.isfinite(actual.gradients.weights).all()


@for_pairs
@for_kinds
@for_families
def test_mean_is_exact(family, kind, pair):
    """A mean of losses that differ by less than half precision can tell apart."""
    case = case_of(family, np.full([1001, 1], 0.5), np.arange(1, 1001), 300)
    case.inputs = 1 + np.arange(300.0)[:, None] / 512
    case = case.rounded(*pair)
    loss = case.apply(
        kind, tf.constant(case.weights, pair[1]), None, tf.constant(case.inputs, pair[0])
    )
    exact = lc.expected(kind, case).value
    np.testing.assert_allclose(float(tf.reduce_mean(loss)), exact.mean(), rtol=2e-6)


@pytest.mark.parametrize("mode", ["eager", "function", "keras_input"])
@for_pairs
@for_kinds
@for_families
def test_types_of_loss_and_gradients(family, kind, pair, mode):
    """The loss is float32 wherever it is asked for; each gradient has the type of its tensor."""
    case = case_of(family, np.ones([9, 1]), np.arange(1, 9), 2)
    weights, inputs = tf.Variable(tf.ones([9, 1], pair[1])), tf.ones([2, 1], pair[0])
    if mode == "keras_input":
        keras = pytest.importorskip("keras", minversion="3")

        class Loss(keras.layers.Layer):
            def call(self, inputs):
                return case.apply(kind, weights, None, inputs)

        symbol = Loss(dtype=pair[0].name)(keras.Input([1], 2, dtype=pair[0].name))
        assert symbol.dtype == "float32"
        return

    def step():
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = case.apply(kind, weights, None, inputs)
            total = tf.reduce_sum(loss)
        return loss, tape.gradient(total, [weights, inputs])

    loss, (by_weights, by_inputs) = MODES[mode](step)()
    assert loss.dtype == tf.float32
    assert by_weights.values.dtype == pair[1]
    assert by_inputs.dtype == pair[0]


@for_kinds
@for_families
def test_losses_of_float64_stay_float64(family, kind):
    case = case_of(family, np.ones([9, 1]), np.arange(1, 9), 2)
    assert case.apply(kind, case.weights, None, case.inputs).dtype == tf.float64


@pytest.mark.parametrize("dtype", [tf.bfloat16, tf.float16], ids=lambda t: t.name)
def test_logits_keep_the_type_of_inputs(dtype):
    case = case_of("ragged", np.ones([9, 1]), np.arange(1, 9), 2)
    value = case.apply("logits", tf.ones([9, 1]), None, tf.ones([2, 1], dtype))
    assert value.dtype == dtype
