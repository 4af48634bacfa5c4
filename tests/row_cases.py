# SPDX-License-Identifier: Apache-2.0
"""Row optimizers as tests call them: each kind of the reference by its function."""

import numpy as np
import optimizer_reference as ref
import tensorflow as tf

import tf_candsamp as tfcs

CLASSES, DEPTH = 40, 7


def slot_type(dtype):
    return tf.float64 if dtype == tf.float64 else tf.float32


def variables(kind, table, dtype=tf.float32):
    """The variables of a kind by their names in the reference."""
    state = ref.start(kind, table)
    made = {"table": tf.Variable(tf.cast(state.pop("table"), dtype))}
    return made | {k: tf.Variable(tf.cast(v, slot_type(dtype))) for k, v in state.items()}


def apply(kind, made, gradient, rate, number, **options):
    """A step of a kind, by its function."""
    table, slots = made["table"], {key: v for key, v in made.items() if key != "table"}
    if kind == "sgd":
        return tfcs.row_sgd(table, gradient, rate, **options)
    if kind in ("momentum", "nesterov"):
        options |= {"factor": ref.FACTOR, "nesterov": kind == "nesterov"}
        return tfcs.row_momentum(table, **slots, gradient=gradient, learning_rate=rate, **options)
    options |= {"gradient": gradient, "learning_rate": rate}
    if kind == "adagrad":
        return tfcs.row_adagrad(table, **slots, epsilon=ref.EPSILON, **options)
    if kind.startswith("rmsprop"):
        options |= {"rho": ref.RHO, "factor": ref.FACTOR, "epsilon": ref.EPSILON}
        return tfcs.row_rmsprop(table, **slots, **options)
    if kind in ("adam", "amsgrad"):
        options |= {"beta_1": ref.BETA_1, "beta_2": ref.BETA_2, "epsilon": ref.EPSILON}
        return tfcs.row_adam(table, **slots, step=number, **options)
    power = ref.POWER[kind]
    return tfcs.row_ftrl(table, **slots, learning_rate_power=power, **ref.FTRL, **options)


def random_table(seed=0, shape=(CLASSES, DEPTH)):
    return np.random.default_rng(seed).normal(size=shape)


def random_slices(seed, count=25, shape=(CLASSES, DEPTH), dtype=tf.float32, distinct=False):
    """Slices, some of whose rows occur several times unless `distinct`."""
    random = np.random.default_rng(seed)
    indices = random.choice(shape[0], count, replace=not distinct)
    values = tf.cast(random.normal(size=(count, *shape[1:])), dtype)
    return tf.IndexedSlices(values, tf.constant(indices), tf.constant(shape))
