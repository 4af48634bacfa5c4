# SPDX-License-Identifier: Apache-2.0
"""TensorFlow's own count of allocated bytes, which sees buffers of some 300 KB and more."""

import tensorflow as tf

# A table beside which all else is small.
CLASSES, DEPTH = 200_000, 64
TABLE = CLASSES * DEPTH * 4
SMALL = TABLE // 10
ROWS = 64


def peak_of(function):
    """How far the allocated bytes rise above what they are now."""
    function()  # what happens only once
    tf.config.experimental.reset_memory_stats("CPU:0")
    before = tf.config.experimental.get_memory_info("CPU:0")["current"]
    result = function()
    peak = tf.config.experimental.get_memory_info("CPU:0")["peak"] - before
    del result
    return peak


def sparse_update(variable):
    """After this a dense read of the variable copies it."""
    variable.scatter_sub(tf.IndexedSlices(tf.ones([1, DEPTH]), tf.constant([7])))
