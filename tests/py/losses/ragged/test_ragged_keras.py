# SPDX-License-Identifier: Apache-2.0
"""Ragged losses in Keras layers and optimizers, in tf.data and under tf.distribute."""

import itertools

import loss_cases as lc
import numpy as np
import pytest
import ragged_cases as rc
import tensorflow as tf
from calls import MODES

import tf_candsamp as tfcs

keras = pytest.importorskip("keras", minversion="3")

CASE = rc.random_case(1, rows=6, classes=23, depth=4, log_q=False).rounded(tf.bfloat16, tf.float32)


class Scores(keras.layers.Layer):
    def __init__(self, kind, autocast, **options):
        super().__init__(**options)
        self.kind = kind
        self.table = self.add_weight(shape=CASE.weights.shape, name="table", autocast=autocast)
        self.bias = self.add_weight(shape=CASE.biases.shape, name="bias", autocast=autocast)
        self.table.assign(CASE.weights)
        self.bias.assign(CASE.biases)

    def call(self, inputs):
        return lc.apply(self.kind, CASE, self.table, self.bias, inputs)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("kind", rc.KINDS)
def test_layer_under_mixed_bfloat16(kind, autocast, mode):
    layer = Scores(kind, autocast, dtype="mixed_bfloat16")
    inputs = tf.constant(CASE.inputs, tf.float32)

    def step():
        with tf.GradientTape() as tape:
            value = layer(inputs)  # Keras casts the inputs, not the tables
        gradients = tape.gradient(
            value,
            [w.value for w in layer.trainable_weights],
            tf.constant(CASE.grad(kind), value.dtype),
        )
        return value, gradients

    value, gradients = MODES[mode](step)()
    want = lc.expected(kind, CASE)
    assert value.dtype == lc.value_type(kind, tf.bfloat16)
    lc.assert_close(lc.as_float64(value), want.value, 2.0**-8)
    for gradient, exact in zip(gradients, want.gradients[:2], strict=True):
        lc.assert_distinct(gradient)
        assert gradient.values.dtype == tf.float32
        # In float32 all along: a cast of the table would cost 2**-9.
        lc.assert_close(lc.as_dense(gradient), exact, 1e-6)


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("kind", rc.KINDS)
def test_layer_casts_no_table(kind, autocast):
    layer = Scores(kind, autocast, dtype="mixed_bfloat16")
    function = tf.function(lambda x: layer(x))
    graph = function.get_concrete_function(tf.TensorSpec([6, 4], tf.float32)).graph
    sizes = [op.outputs[0].shape for op in graph.get_operations() if op.type == "Cast"]
    assert tf.TensorShape([6, 4]) in sizes  # the inputs'
    assert tf.TensorShape([23, 4]) not in sizes
    assert tf.TensorShape([23]) not in sizes


@pytest.mark.parametrize("name", ["SGD", "Adam", "Adagrad"])
def test_keras_optimizers_train(name):
    layer = Scores("softmax", autocast=False)
    optimizer = getattr(keras.optimizers, name)(0.05)
    inputs = tf.constant(CASE.inputs, tf.float32)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(layer(inputs))
        variables = layer.trainable_weights
        optimizer.apply_gradients(
            zip(tape.gradient(loss, [v.value for v in variables]), variables, strict=True)
        )
        return loss

    losses = [float(step()) for _ in range(10)]
    assert all(after < before for before, after in itertools.pairwise(losses))


def test_model_fit():
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.scores = self.add_weight(shape=(10, 3), name="scores")

        def train_step(self, data):
            inputs, labels = data
            with tf.GradientTape() as tape:
                everything = tf.tile(tf.range(10)[None], [tf.shape(inputs)[0], 1])
                loss = tf.reduce_mean(
                    tfcs.ragged_sampled_softmax_loss(self.scores, None, labels, inputs, everything)
                )
            gradients = tape.gradient(loss, [self.scores.value])
            self.optimizer.apply_gradients(zip(gradients, [self.scores], strict=True))
            return {"ragged": loss}  # Keras puts a tracker of its own in place of "loss"

    keras.utils.set_random_seed(0)
    model = Model()
    model.compile(keras.optimizers.SGD(1.0))
    labels = np.arange(30) % 3
    history = model.fit(np.eye(3)[labels], labels, batch_size=8, epochs=20, verbose=0)
    losses = history.history["ragged"]
    assert losses[-1] < 0.1 * losses[0]


@pytest.mark.parametrize("kind", lc.LOSSES)
def test_in_dataset_map(kind):
    weights = tf.Variable(CASE.weights, dtype=tf.float32)
    data = (
        tf.constant(CASE.inputs, tf.float32),
        rc.ragged(CASE.labels),
        rc.ragged(CASE.candidates),
    )

    def loss(inputs, labels, candidates):
        return rc.FUNCTIONS[kind](
            weights, CASE.biases.astype(np.float32), labels, inputs, candidates
        )

    batches = tf.data.Dataset.from_tensor_slices(data).batch(4).map(loss, num_parallel_calls=2)
    value = np.concatenate([batch.numpy() for batch in batches])
    lc.assert_close(value, lc.expected(kind, CASE).value, 1e-6)


@pytest.mark.parametrize("kind", rc.KINDS)
def test_under_mirrored_strategy(kind):
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        weights = tf.Variable(
            CASE.weights, dtype=tf.float32, aggregation=tf.VariableAggregation.SUM
        )
    inputs = tf.constant(CASE.inputs, tf.float32)

    @tf.function
    def step():
        def replica_step():
            with tf.GradientTape() as tape:
                value = lc.apply(kind, CASE, weights, None, inputs)
            gradient = tape.gradient(value, weights, tf.constant(CASE.grad(kind), tf.float32))
            assert isinstance(gradient, tf.IndexedSlices)
            weights.assign_sub(tf.convert_to_tensor(gradient))
            return value

        return strategy.run(replica_step)

    value = step()
    want = lc.expected(kind, rc.dataclasses.replace(CASE, biases=None))
    lc.assert_close(value, want.value, 1e-6)
    lc.assert_close(weights.read_value(), CASE.weights - want.gradients.weights, 1e-6)


@pytest.mark.parametrize("kind", rc.KINDS)
def test_stateless_call_uses_the_values_it_is_given(kind):
    layer = Scores(kind, False)
    inputs = tf.constant(CASE.inputs, tf.float32)
    layer(inputs)
    doubled = [2 * variable.value for variable in layer.trainable_variables]
    value, _ = layer.stateless_call(doubled, layer.non_trainable_variables, inputs)
    for variable, values in zip(layer.trainable_variables, doubled, strict=True):
        variable.assign(values)
    np.testing.assert_array_equal(value, layer(inputs))
