# SPDX-License-Identifier: Apache-2.0
"""Uses the optimizers where tf.keras is Keras 2; test_keras_2_steps.py starts this.

Each step is compared with that of Keras 2 itself on gradients that are dense.
"""

import numpy as np
import tensorflow as tf

from tf_candsamp.keras import optimizers

CLASSES = 10
CASES = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9, "nesterov": True}),
    ("Adagrad", {}),
    ("RMSprop", {"momentum": 0.5, "centered": True}),
    ("Adam", {}),
    ("Adam", {"amsgrad": True, "clipnorm": 0.2}),
    ("AdamW", {"weight_decay": 0.1, "global_clipnorm": 0.2}),
    ("Ftrl", {"clipvalue": 0.3}),
]


def slices(seed):
    """All rows, each twice: then nothing can be lazy."""
    values = np.random.default_rng(seed).normal(size=[2 * CLASSES, 3]).astype(np.float32)
    indices = np.arange(2 * CLASSES) % CLASSES
    return tf.IndexedSlices(tf.constant(values), tf.constant(indices), [CLASSES, 3])


def check_steps(name, options):
    start = np.zeros([CLASSES, 3], np.float32) + (name != "Ftrl")
    ours, theirs = tf.Variable(start), tf.Variable(start)
    optimizer = getattr(optimizers, name)(learning_rate=0.1, **options)
    reference = getattr(tf.keras.optimizers, name)(learning_rate=0.1, **options)
    for seed in range(3):
        gradient = slices(seed)
        optimizer.apply_gradients([(gradient, ours)])
        reference.apply_gradients([(tf.convert_to_tensor(gradient), theirs)])
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=2e-4, atol=2e-5)


def check_rest():
    table = tf.Variable(tf.ones([CLASSES, 3]))
    optimizer = optimizers.Adam(0.1)
    for row in (2, 4):
        gradient = tf.IndexedSlices(tf.ones([1, 3]), tf.constant([row]), [CLASSES, 3])
        optimizer.apply_gradients([(gradient, table)])
    assert np.flatnonzero(table.numpy()[:, 0] != 1).tolist() == [2, 4]


def check_fit():
    model = tf.keras.Sequential([tf.keras.layers.Embedding(CLASSES, 4), tf.keras.layers.Dense(1)])
    model.compile(optimizers.Adam(0.05), "mse")
    data = np.arange(CLASSES), np.arange(CLASSES) / CLASSES
    losses = model.fit(*data, epochs=30, verbose=0).history["loss"]
    assert losses[-1] < 0.3 * losses[0], losses


def check_refusal():
    table = tf.Variable(tf.ones([CLASSES, 3]))
    made = []
    for name in ("Adam", "Adagrad"):
        optimizer = getattr(optimizers, name)(0.1)
        optimizer.build([table])
        made.append(tf.train.Checkpoint(optimizer=optimizer))
    path = made[0].write("/tmp/row_optimizers_in_keras_2")
    try:
        made[1].read(path)
    except ValueError as error:
        assert "of an optimizer Adam" in str(error)
    else:
        raise AssertionError("not refused")


if __name__ == "__main__":
    assert not hasattr(tf.keras.optimizers.Optimizer, "apply"), "tf.keras is not Keras 2"
    for name, options in CASES:
        check_steps(name, options)
    check_rest()
    check_fit()
    check_refusal()
    print("right")
