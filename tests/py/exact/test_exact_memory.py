# SPDX-License-Identifier: Apache-2.0
"""Functions over all classes read tables in place, and never hold all logits."""

import numpy as np
import pytest
import tensorflow as tf
from calls import MODES
from memory import CLASSES, DEPTH, SMALL, TABLE, peak_of, sparse_update

import tf_candsamp as tfcs

ROWS = 128
LOGITS = ROWS * CLASSES * 4
# What is packed and kept of a panel, for so many rows.
PANEL = 24e6


def tables(shards):
    """A table in shards after a sparse update: from then on TensorFlow's dense reads copy it."""
    variables = [tf.Variable(tf.zeros([CLASSES // shards, DEPTH])) for _ in range(shards)]
    for variable in variables:
        sparse_update(variable)
    return variables


LABELS = np.arange(ROWS) * 1400
INPUTS = tf.ones([ROWS, DEPTH])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shards", [1, 2])
def test_forward_passes_hold_neither_the_table_nor_the_logits(shards, mode):
    weights = tables(shards)
    functions = {
        "loss": lambda: tfcs.full_softmax_loss(weights, None, LABELS, INPUTS),
        "rank": lambda: tfcs.label_rank(weights, None, LABELS, INPUTS, exclude=LABELS[:, None]),
        "top": lambda: tfcs.top_k(weights, None, INPUTS, 10, exclude=LABELS[:, None]),
    }
    for name, function in functions.items():
        peak = peak_of(MODES[mode](function))
        # TensorFlow counts whole chunks, which may be nearly twice what was asked for.
        assert peak < 4 * SMALL, (name, peak)
    assert LOGITS > TABLE > 4 * SMALL


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shards", [1, 2])
def test_a_training_step_holds_the_gradient_and_a_panel(shards, mode):
    weights = tables(shards)

    def step():
        with tf.GradientTape() as tape:
            loss = tfcs.full_softmax_loss(weights, None, LABELS, INPUTS)
        for variable, gradient in zip(weights, tape.gradient(loss, weights), strict=True):
            variable.assign_sub(gradient)

    peak = peak_of(MODES[mode](step))
    # TensorFlow counts whole chunks, which may be nearly twice what was asked for.
    assert TABLE <= peak < 1.5 * TABLE + PANEL < LOGITS
    assert LOGITS == 2 * TABLE


def test_what_was_read_stays_while_the_variable_changes():
    """By a dense update, by a sparse one, and by one after another gather."""
    for update in ("assign", "scatter", "gather, then scatter"):
        weights = tf.Variable(tf.random.stateless_normal([50, 4], [1, 2]))
        sparse = tf.IndexedSlices(tf.ones([1, 4]), [3])
        weights.scatter_sub(sparse)
        inputs = tf.random.stateless_normal([6, 4], [3, 4])
        labels = [3, 1, 3, 4, 9, 49]
        expected = None
        for change in (False, True):
            with tf.GradientTape() as tape:
                loss = tfcs.full_softmax_loss(weights, None, labels, inputs)
            if change and update == "assign":
                weights.assign(tf.zeros_like(weights))
            elif change:
                if update.startswith("gather"):
                    tf.gather(weights, [0])
                weights.scatter_sub(sparse)
            gradient = tape.gradient(loss, weights)
            if expected is not None:
                np.testing.assert_array_equal(gradient, expected)
            expected = gradient
