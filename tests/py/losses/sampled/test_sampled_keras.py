# SPDX-License-Identifier: Apache-2.0
"""Losses with shared candidates in Keras models."""

import loss_cases as lc
import numpy as np
import pytest
import sampled_cases as sc
import tensorflow as tf

keras = pytest.importorskip("keras", minversion="3")

CLASSES, DEPTH = 40, 8


class SampledLoss(keras.layers.Layer):
    """The loss of each example."""

    def __init__(self, kind, **options):
        super().__init__(**options)
        self.kind = kind

    def build(self, *_):
        self.table = self.add_weight(shape=(CLASSES, DEPTH), name="table", autocast=False)
        self.bias = self.add_weight(
            shape=(CLASSES,), name="bias", initializer="zeros", autocast=False
        )

    def call(self, inputs, labels):
        return sc.FUNCTIONS[self.kind](
            self.table, self.bias, labels[:, None], inputs, 10, CLASSES, seed=1
        )


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_model_fit(kind, policy):
    keras.utils.set_random_seed(0)
    labels = np.arange(160) % CLASSES
    features = np.random.default_rng(0).normal(size=[CLASSES, DEPTH])[labels]
    layer = SampledLoss(kind, dtype=policy)
    inputs, ids = keras.Input([DEPTH]), keras.Input([], dtype="int64")
    losses = layer(keras.layers.Dense(DEPTH, dtype=policy)(inputs), ids)
    assert losses.dtype == "float32"
    model = keras.Model([inputs, ids], losses)
    model.compile(keras.optimizers.Adam(0.03), lambda _, y: y, jit_compile=False)
    history = model.fit(
        [features.astype(np.float32), labels], np.zeros(160), 32, epochs=15, verbose=0
    )
    losses = history.history["loss"]
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize("kind", lc.LOSSES)
def test_under_mirrored_strategy(kind):
    case = sc.random_case(1, biases=False).rounded(tf.float32)
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        weights = tf.Variable(
            case.weights, dtype=tf.float32, aggregation=tf.VariableAggregation.SUM
        )

    @tf.function
    def step():
        def replica_step():
            with tf.GradientTape() as tape:
                value = case.apply(kind, weights, None, tf.constant(case.inputs, tf.float32))
            gradient = tape.gradient(value, weights, tf.constant(case.grad(kind), tf.float32))
            weights.assign_sub(tf.convert_to_tensor(gradient))
            return value

        return strategy.run(replica_step)

    value, want = step(), lc.expected(kind, case)
    lc.assert_close(value, want.value, 1e-6)
    lc.assert_close(weights.read_value(), case.weights - want.gradients.weights, 1e-6)
