# SPDX-License-Identifier: Apache-2.0
"""A small case of the ragged functions, with any of its arguments in another form."""

import numpy as np
import ragged_cases as rc
import tensorflow as tf

import tf_candsamp as tfcs

CASE = rc.random_case(1, rows=5, classes=9, depth=3, candidates=(0, 5)).rounded(tf.float32)
WEIGHTS, INPUTS = tf.constant(CASE.weights, tf.float32), tf.constant(CASE.inputs, tf.float32)
ROWS = {
    "labels": CASE.labels,
    "candidates": CASE.candidates,
    "label_log_q": CASE.label_log_q,
    "candidate_log_q": CASE.candidate_log_q,
}


def dtype_of(name):
    return tf.float32 if "log_q" in name else tf.int64


def ragged(name, splits_type=tf.int64):
    return rc.ragged(ROWS[name], dtype_of(name), splits_type)


def loss(kind="softmax", **changes):
    """The loss and its gradients of the case, but for the arguments that are given."""
    arguments = {name: ragged(name) for name in ROWS} | changes
    with tf.GradientTape() as tape:
        tape.watch([WEIGHTS, INPUTS])
        value = rc.FUNCTIONS[kind](WEIGHTS, None, inputs=INPUTS, **arguments)
    by_weights, by_inputs = tape.gradient(value, [WEIGHTS, INPUTS])
    return value, by_weights.indices, by_weights.values, by_inputs


def logits_of(candidates):
    return tfcs.ragged_candidate_logits(WEIGHTS, None, INPUTS, candidates)


def assert_same(results, others):
    for got, want in zip(results, others, strict=True):
        np.testing.assert_array_equal(got, want)
