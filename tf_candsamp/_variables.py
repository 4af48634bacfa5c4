# SPDX-License-Identifier: Apache-2.0
"""Variables that an op reads in place, by their handles: what TensorFlow has to be told of it."""

import contextlib
import functools

import tensorflow as tf


def kept_whole() -> contextlib.AbstractContextManager[object]:
    """A context in which parameter servers' partitioners leave a variable in one piece."""
    if not _on_parameter_servers():
        return contextlib.nullcontext()
    return beside(tf.Variable(0, trainable=False))  # scalars are never partitioned


def beside(variable: tf.Variable) -> contextlib.AbstractContextManager[object]:
    """A context in which variables become whole ones on the parameter server of another."""
    if not _on_parameter_servers():
        return contextlib.nullcontext()
    return tf.distribute.get_strategy().extended.colocate_vars_with(variable)


def _on_parameter_servers() -> bool:
    return isinstance(tf.distribute.get_strategy(), tf.distribute.ParameterServerStrategy)


def part_on_replica(variable: tf.Variable) -> tf.Variable:
    """The part of a variable of tf.distribute that this replica reads; other variables as is."""
    if not isinstance(variable, tf.distribute.DistributedValues):
        return variable
    parts = tf.distribute.get_strategy().experimental_local_results(variable)
    if tf.distribute.get_replica_context() is None:
        return parts[0]
    return next(part for part in parts if part.handle is variable.handle)


def let_functions_keep(variable: tf.Variable) -> None:
    """Makes the function that is being traced keep the variable alive, without a read.

    TensorFlow does that for the variables that a function reads, but reading copies.
    """
    if not tf.executing_eagerly():
        graph = tf.compat.v1.get_default_graph()
        if hasattr(graph, "watch_variable"):  # not a graph of TensorFlow 1
            graph.watch_variable(variable)


def handle_of(variable: tf.Variable) -> tf.Tensor:
    """The handle of a variable, or of its part on this replica, for an op of no gradient."""
    variable = part_on_replica(variable)
    let_functions_keep(variable)
    return variable.handle


def let_tapes_see(variable: tf.Variable) -> None:
    """Makes gradient tapes watch a variable that an op gets by its handle.

    The read is a gather of no rows: unlike a dense read it never copies the variable.
    """
    variable.sparse_read(_no_rows() if tf.executing_eagerly() else tf.zeros([0], tf.int64))


@functools.cache
def _no_rows() -> tf.Tensor:
    """Made once: making it takes a third of the time of a small loss that is called eagerly."""
    return tf.zeros([0], tf.int64)
