# SPDX-License-Identifier: Apache-2.0
"""Layers, models and data that the tests of tf_candsamp.keras.layers share."""

import numpy as np
import tensorflow as tf

import tf_candsamp as tfcs

keras = tf.keras
KERAS_3 = not issubclass(keras.layers.Layer, tf.Module)
layers = tfcs.keras.layers

CLASSES, DEPTH, FEATURES, ROWS = 60, 8, 12, 96
SAMPLED = ["SampledSoftmax", "NCE"]


def random(seed=0):
    return np.random.default_rng(seed)


def hidden(rows=ROWS, depth=DEPTH, seed=1):
    return random(seed).normal(size=(rows, depth)).astype(np.float32)


def skewed(rows=ROWS, seed=2):
    """Labels [rows], low ones more often."""
    return (CLASSES * random(seed).random(rows) ** 2).astype(np.int64)


def features(labels):
    """Features that tell the label."""
    return random(3).normal(size=(CLASSES, FEATURES)).astype(np.float32)[labels]


def rows_of_candidates(labels, seed=4, most=9, with_labels=True):
    """For each label a row of distinct candidates, ascending, among them the label."""
    rng = random(seed)
    found = []
    for label in labels:
        others = rng.choice(CLASSES, rng.integers(0, most), replace=False)
        others = others[others != label]
        found.append(np.unique(np.append(others, label) if with_labels else others))
    return found


def ragged(rows, dtype=tf.int64):
    splits = np.cumsum([0, *map(len, rows)])
    return tf.RaggedTensor.from_row_splits(
        tf.constant(np.concatenate(rows), dtype), splits.astype(np.int64)
    )


def randomized(layer, depth=DEPTH, seed=5):
    """The layer, built, with a table and biases that are no initial values."""
    if not layer.built:
        layer.build((None, depth))
    rng = random(seed)
    for variable in layer.trainable_weights:
        variable.assign(rng.normal(size=variable.shape).astype(np.float32))
    return layer


def tables(layer):
    """Table and biases, float64."""
    table = np.asarray(tf.convert_to_tensor(layer.table), np.float64)[: layer.num_classes]
    if layer.bias is None:
        return table, np.zeros(len(table))
    return table, np.asarray(tf.convert_to_tensor(layer.bias), np.float64)


def all_logits(layer, inputs):
    """The logits of all classes by the layer's options, in NumPy and float64."""
    table, bias = tables(layer)
    inputs = np.asarray(inputs, np.float64)
    if layer.normalize:
        table = table / np.linalg.norm(table, axis=1, keepdims=True)
        inputs = inputs / np.linalg.norm(inputs, axis=-1, keepdims=True)
    logits = inputs @ table.T / layer.temperature + bias
    cap = layer.logit_softcap
    return logits if cap is None else cap * np.tanh(logits / cap)


def nll(logits, labels):
    """Minus the log of the softmax, [B] for labels [B, T]: the mean over T."""
    largest = logits.max(axis=-1, keepdims=True)
    total = np.log(np.exp(logits - largest).sum(axis=-1)) + largest[..., 0]
    return total - np.take_along_axis(logits, labels, axis=-1).mean(axis=-1)


def ranks(logits, labels):
    """The rank of the best label of each row, 0 for the top, [B] for labels [B, T]."""
    best = np.take_along_axis(logits, labels, axis=-1).max(axis=-1, keepdims=True)
    return (logits > best).sum(axis=-1)


def reported(layer):
    """What the layer reports of what it was called with since the last reset."""
    found = {name: float(value) for name, value in layer.averages.result().items()}
    layer.averages.reset_state()
    return found


def tensorflow_variables(layer):
    """The layer's trainable variables, as tapes take them."""
    return [v.value if KERAS_3 else v for v in layer.trainable_variables]
