# SPDX-License-Identifier: Apache-2.0
"""The variables of a learned sampler: its counts, and how many steps it has made."""

from typing import Any

import numpy as np
import tensorflow as tf

from tf_candsamp._arguments.tensors import int64_tensor
from tf_candsamp._devices import on_host
from tf_candsamp._samplers.saved_state import assign

_MOST = 2**62  # of the sum of 1 + count


def learned_counts(counts: Any, range_max: int) -> tf.Variable:
    """A variable of these counts, or of zeros.

    Each replica counts for itself, and whoever reads or saves the counts gets the sum. A sum that
    is assigned or restored is divided evenly, rounded down, as TensorFlow does.
    """
    with tf.init_scope():
        given = None if counts is None else _checked_counts(counts, range_max)
        in_graph = given is not None and not tf.executing_eagerly()
        variable = tf.Variable(
            lambda: given if in_graph else tf.zeros([range_max], tf.int64),
            trainable=False,
            name="counts",
            synchronization=tf.VariableSynchronization.ON_READ,
            aggregation=tf.VariableAggregation.SUM,
        )
        if given is not None and not in_graph:
            assign(variable, given.numpy())
    return variable


def step_counter() -> tf.Variable:
    """A variable of the steps made so far. Replicas make the same steps, and each counts its own.

    It is on the host, where the op that counts has its only kernel.
    """
    with tf.init_scope(), on_host():
        return tf.Variable(
            lambda: tf.zeros([], tf.int64),
            trainable=False,
            name="steps",
            synchronization=tf.VariableSynchronization.ON_READ,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )


def _checked_counts(counts: Any, range_max: int) -> tf.Tensor:
    if tf.executing_eagerly() and tf.is_tensor(counts) and tf.is_symbolic_tensor(counts):
        raise ValueError(
            "counts must have values when the sampler is made, got a tensor of a tf.function: make "
            "the sampler outside of it."
        )
    counts = int64_tensor("counts", counts)
    if not counts.shape.is_compatible_with([range_max]):
        raise ValueError(f"counts must have shape [range_max], [{range_max}], got {counts.shape}.")
    if tf.executing_eagerly():
        values = counts.numpy()
        if (values < 0).any():
            first = int(np.argmax(values < 0))
            raise ValueError(f"counts must not be negative, got {values[first]} for class {first}.")
        halves = (values >> 32).sum(dtype=np.uint64), (values & 0xFFFFFFFF).sum(dtype=np.uint64)
        if range_max + (int(halves[0]) << 32) + int(halves[1]) > _MOST:
            raise ValueError("counts, with one more for each class, must sum to at most 2^62.")
    return counts
