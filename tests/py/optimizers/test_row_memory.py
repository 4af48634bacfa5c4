# SPDX-License-Identifier: Apache-2.0
"""Row optimizers work on the table where it lies."""

import tensorflow as tf
from memory import CLASSES, DEPTH, SMALL, peak_of

import tf_candsamp as tfcs


def test_no_step_copies_the_table():
    """With nobody holding its value, the table stays at its place in memory."""
    made = [tf.Variable(tf.zeros([CLASSES, DEPTH])) for _ in range(3)]
    gradient = tf.IndexedSlices(tf.ones([2, DEPTH]), tf.constant([1, 5], tf.int64))
    steps = tf.Variable(1)

    @tf.function
    def step():
        tfcs.row_adam(*made, gradient, 0.1, step=steps.assign_add(1))

    assert peak_of(step) < SMALL
