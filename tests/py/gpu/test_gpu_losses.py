# SPDX-License-Identifier: Apache-2.0
"""Losses, what scores all classes, and row optimizers on a GPU, beside the CPU's results.

Each test also runs on the CPU, where it compares the CPU with itself: so that the tests themselves
are tested where there is no GPU.
"""

import numpy as np
import pytest
import tensorflow as tf

import tf_candsamp as tfcs

DEVICES = ["/CPU:0", pytest.param("/GPU:0", marks=pytest.mark.gpu)]
pytestmark = pytest.mark.parametrize("device", DEVICES)

CLASSES, DEPTH, ROWS = 700, 24, 33
NUMBERS = np.random.default_rng(5)
WEIGHTS = NUMBERS.normal(size=[CLASSES, DEPTH]).astype(np.float32)
BIASES = NUMBERS.normal(size=[CLASSES]).astype(np.float32)
INPUTS = NUMBERS.normal(size=[ROWS, DEPTH]).astype(np.float32)
LABELS = NUMBERS.integers(0, CLASSES, [ROWS, 2])
LEGAL = [NUMBERS.integers(0, CLASSES, size) for size in NUMBERS.integers(1, 200, ROWS)]
SAMPLED = (
    np.arange(3, 3 + 600) % CLASSES,
    np.full([ROWS, 2], 0.5, np.float32),
    np.full([600], 0.25, np.float32),
)


def legal():
    return tf.ragged.constant([row.tolist() for row in LEGAL], dtype=tf.int64)


LOSSES = {
    "softmax": lambda w, b, x: tfcs.sampled_softmax_loss(
        w, b, LABELS, x, 600, CLASSES, num_true=2, sampled_values=SAMPLED
    ),
    "softmax, recomputed": lambda w, b, x: tfcs.sampled_softmax_loss(
        w, b, LABELS, x, 600, CLASSES, num_true=2, sampled_values=SAMPLED, recompute=True
    ),
    "softmax of unit rows": lambda w, b, x: tfcs.sampled_softmax_loss(
        w,
        b,
        LABELS,
        x,
        600,
        CLASSES,
        num_true=2,
        sampled_values=SAMPLED,
        normalize=True,
        temperature=0.1,
        logit_softcap=5.0,
    ),
    "nce": lambda w, b, x: tfcs.nce_loss(
        w, b, LABELS, x, 600, CLASSES, num_true=2, sampled_values=SAMPLED
    ),
    "ragged softmax": lambda w, b, x: tfcs.ragged_sampled_softmax_loss(
        w, b, LABELS[:, 0], x, legal()
    ),
    "ragged nce of unit rows": lambda w, b, x: tfcs.ragged_nce_loss(
        w, b, LABELS, x, legal(), normalize=True
    ),
    "scores": lambda w, b, x: tfcs.ragged_candidate_logits(w, b, x, legal()).flat_values,
    "full softmax": lambda w, b, x: tfcs.full_softmax_loss(w, b, LABELS[:, 0], x),
}


def results(device, loss, dtype):
    """The losses, and the gradients as dense arrays, of variables on the device."""
    with tf.device(device):
        weights, biases = (tf.Variable(tf.cast(v, dtype)) for v in (WEIGHTS, BIASES))
        inputs = tf.Variable(tf.cast(INPUTS, dtype))
        with tf.GradientTape() as tape:
            losses = loss(weights, biases, inputs)
            mean = tf.reduce_mean(losses)
        gradients = tape.gradient(mean, [weights, biases, inputs])
    return [np.asarray(tf.cast(tf.convert_to_tensor(t), tf.float32)) for t in [losses, *gradients]]


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64, tf.bfloat16], ids=lambda d: d.name)
@pytest.mark.parametrize("name", LOSSES)
def test_losses_and_gradients(device, name, dtype):
    close = {tf.float32: 2e-3, tf.float64: 1e-6, tf.bfloat16: 5e-2}[dtype]
    got, want = (results(where, LOSSES[name], dtype) for where in (device, "/CPU:0"))
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=close, atol=close * np.abs(b).max())


def test_ranks_and_best_classes(device):
    def call():
        weights, biases = tf.Variable(np.round(WEIGHTS)), tf.Variable(np.round(BIASES))
        inputs = tf.constant(np.round(INPUTS))
        rank = tfcs.label_rank(weights, biases, LABELS, inputs, exclude=legal())
        return [rank, *tfcs.top_k(weights, biases, inputs, 7, exclude=legal())]

    found = []
    for where in (device, "/CPU:0"):
        with tf.device(where):
            found.append(call())
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)  # of whole numbers logits are exact


@pytest.mark.parametrize("dtype", [tf.float32, tf.bfloat16], ids=lambda d: d.name)
def test_row_optimizers(device, dtype):
    rows = NUMBERS.permutation(CLASSES)[:50]

    def call():
        table = tf.Variable(tf.cast(WEIGHTS, dtype))
        slots = [tf.Variable(tf.zeros([CLASSES, DEPTH])) for _ in range(2)]
        slices = tf.IndexedSlices(tf.constant(WEIGHTS[:50]), tf.constant(rows), None)
        tfcs.row_adam(table, *slots, slices, 0.1, step=1)
        tfcs.row_sgd(table, slices, 0.1)
        return [table, *slots]

    found = []
    for where in (device, "/CPU:0"):
        with tf.device(where):
            found.append([np.asarray(tf.cast(t, tf.float32)) for t in call()])
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)  # one formula, and each row once
