# SPDX-License-Identifier: Apache-2.0
"""Losses in layers of Keras 2 under a mixed policy, which wraps the variables of a layer."""

import processes
import pytest


def check(policy):
    """Run in a process of its own, since which Keras there is is decided once."""
    import numpy as np
    import tensorflow as tf

    import tf_candsamp as tfcs

    keras = tf.keras
    keras.mixed_precision.set_global_policy(policy)
    candidates = (tf.range(20, dtype=tf.int64), tf.fill([4, 1], 0.3), tf.fill([20], 0.4))
    labels = tf.constant([[1], [22], [3], [94]], tf.int64)
    dense = {"sampled_values": candidates}
    ragged = tf.ragged.constant([[1, 2], [22], [3, 9, 4], [94, 7]], dtype=tf.int64)

    def sampled(function):
        return lambda table, bias, x: function(table, bias, labels, x, 20, 100, **dense)

    losses = {
        "softmax": sampled(tfcs.sampled_softmax_loss),
        "nce": sampled(tfcs.nce_loss),
        "full": lambda table, bias, x: tfcs.full_softmax_loss(table, bias, labels[:, 0], x),
        "ragged": lambda table, bias, x: tfcs.ragged_sampled_softmax_loss(
            table, bias, labels[:, 0], x, ragged
        ),
    }

    class Layer(keras.layers.Layer):
        def __init__(self, loss):
            super().__init__()
            self.loss = loss

        def build(self, shape):
            self.table = self.add_weight("table", shape=(100, 8))
            self.bias = self.add_weight("bias", shape=(100,))

        def call(self, x):
            assert x.dtype != tf.float32  # to which type Keras would cast the table
            return self.loss(self.table, self.bias, x)

    inputs = tf.random.stateless_normal([4, 8], [1, 2])
    for name, loss in losses.items():
        layer = Layer(loss)
        layer(inputs)
        halves = tf.cast(inputs, layer.compute_dtype)

        def gradients(table, bias, apply, sources):
            with tf.GradientTape() as tape:
                values = apply(table, bias)
            return values, [tf.convert_to_tensor(g) for g in tape.gradient(values, sources)]

        table, bias = layer.table._variable, layer.bias._variable
        want = gradients(table, bias, lambda t, b: loss(t, b, halves), [table, bias])  # noqa: B023
        sources = layer.trainable_variables
        for around in (lambda f: f, tf.function):
            step = around(
                lambda: gradients(None, None, lambda *_: layer(inputs), sources)  # noqa: B023
            )
            got = step()
            assert [g.dtype for g in got[1]] == [tf.float32] * 2, name
            for a, b in zip(tf.nest.flatten(got), tf.nest.flatten(want), strict=True):
                np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=name)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_tables_keep_their_type(policy):
    """Values and gradients are those of the variables themselves."""
    processes.run(__file__, policy, **processes.KERAS_2)


if __name__ == "__main__":
    import sys

    check(sys.argv[1])
