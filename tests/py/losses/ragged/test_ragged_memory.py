# SPDX-License-Identifier: Apache-2.0
"""Ragged losses: tables are read in place, and nothing as large as all class rows is made."""

import loss_cases as lc
import numpy as np
import pytest
import ragged_cases as rc
import tensorflow as tf
from calls import MODES
from memory import CLASSES, DEPTH, ROWS, SMALL, TABLE, peak_of, sparse_update


@pytest.fixture(scope="module")
def batch():
    return rc.random_case(0, rows=ROWS, classes=CLASSES, depth=1, candidates=(0, 60), log_q=False)


def step_of(kind, batch, weights, biases):
    inputs = tf.ones([ROWS, DEPTH])

    def step():
        with tf.GradientTape() as tape:
            value = lc.apply(kind, batch, weights, biases, inputs)
        slices = tape.gradient(value, weights)
        lc.assert_distinct(slices) if tf.executing_eagerly() else None
        weights.scatter_sub(slices)
        return value

    return step


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", rc.KINDS)
def test_variable_is_read_in_place_after_a_sparse_update(kind, mode, batch):
    weights, biases = tf.Variable(tf.zeros([CLASSES, DEPTH])), tf.Variable(tf.zeros([CLASSES]))
    sparse_update(weights)
    step = step_of(kind, batch, weights, biases)
    assert peak_of(MODES[mode](step)) < SMALL


@pytest.mark.parametrize("mode", MODES)
def test_dense_read_copies_the_variable(mode):
    """What the test above would see if the package did the same."""
    weights = tf.Variable(tf.zeros([CLASSES, DEPTH]))
    sparse_update(weights)

    def read():
        return tf.gather(tf.convert_to_tensor(weights), [1, 2])

    assert peak_of(MODES[mode](read)) >= TABLE


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", rc.KINDS)
def test_shards_are_read_in_place(kind, mode, batch):
    shards = [tf.Variable(tf.zeros([CLASSES // 2, DEPTH])) for _ in range(2)]
    for shard in shards:
        sparse_update(shard)
    inputs = tf.ones([ROWS, DEPTH])

    def step():
        with tf.GradientTape() as tape:
            value = lc.apply(kind, batch, shards, None, inputs)
        for shard, slices in zip(shards, tape.gradient(value, shards), strict=True):
            shard.scatter_sub(slices)

    assert peak_of(MODES[mode](step)) < SMALL


@pytest.mark.parametrize("optimizer", ["Adagrad", "GradientDescent", "Ftrl"])
def test_step_of_a_sparse_optimizer_copies_nothing(optimizer, batch):
    weights = tf.Variable(tf.zeros([CLASSES, DEPTH]))
    inputs = tf.ones([ROWS, DEPTH])
    optimizer = getattr(tf.compat.v1.train, optimizer + "Optimizer")(0.1)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(lc.apply("softmax", batch, weights, None, inputs))
        optimizer.apply_gradients([(tape.gradient(loss, weights), weights)])
        return loss

    assert peak_of(step) < SMALL


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("kind", rc.KINDS)
def test_keras_layer_makes_no_cast_copy(kind, autocast, mode, batch):
    keras = pytest.importorskip("keras", minversion="3")

    class Scores(keras.layers.Layer):
        def __init__(self):
            super().__init__(dtype="mixed_bfloat16")
            self.table = self.add_weight(
                shape=(CLASSES, DEPTH), initializer="zeros", autocast=autocast
            )

        def call(self, inputs):
            return lc.apply(kind, batch, self.table, None, inputs)

    layer = Scores()
    sparse_update(layer.table.value)
    inputs = tf.ones([ROWS, DEPTH], tf.bfloat16)

    def step():
        with tf.GradientTape() as tape:
            value = layer(inputs)
        return tape.gradient(value, layer.table.value)

    assert peak_of(MODES[mode](step)) < SMALL


@pytest.mark.parametrize("form", [tf.Variable, tf.identity], ids=["variable", "tensor"])
@pytest.mark.parametrize("long_rows", [False, True])
@pytest.mark.parametrize("kind", rc.KINDS)
def test_no_buffer_has_a_row_for_each_candidate(kind, long_rows, form):
    depth, total = 256, 120_000
    rows = 3 if long_rows else 1200
    candidates = np.random.default_rng(0).integers(0, 50, [rows, total // rows])
    case = rc.Case(
        np.zeros([50, depth]),
        None,
        [np.array([0])] * rows,
        np.ones([rows, depth]),
        list(candidates),
    )
    class_rows = total * depth * 4
    assert class_rows > 100e6
    weights = form(tf.zeros([50, depth]))
    inputs = tf.ones([rows, depth])
    ids, labels = rc.ragged(case.candidates), rc.ragged(case.labels)

    def forward():
        if kind == "logits":
            return rc.FUNCTIONS[kind](weights, None, inputs, ids).flat_values
        return rc.FUNCTIONS[kind](weights, None, labels, inputs, ids)

    def step():
        with tf.GradientTape() as tape:
            tape.watch([inputs] if form is tf.Variable else [inputs, weights])
            value = forward()
        return tape.gradient(value, [weights, inputs])

    # Slopes, occurrences and their like: a few words for each candidate, of the 256 of its row.
    assert peak_of(forward) < class_rows / 16
    assert peak_of(step) < class_rows / 8
