# SPDX-License-Identifier: Apache-2.0
"""Optimizers that update the rows with a gradient, in place: for loops without Keras.

A step costs as much as the rows that it touches, whatever the size of the table. Each function
takes variables and the `tf.IndexedSlices` that a tape gives for a table: a row that occurs several
times is updated once, with the sum of its gradients. Other rows stay as they are, and so do their
slots: where Keras lets the momentum of a row move it further, here it rests until the row's next
gradient ("lazy").

The functions write under the variables' locks, all or nothing: an index out of range, a slot of
another shape or a variable that is not initialized is an error before anything is written. A NaN
in a gradient stays in its row. Results have the same bits for any number of threads.
"""

from typing import Any

import tensorflow as tf

from tf_candsamp._arguments.slices import (
    arithmetic_type,
    gradient_values,
    open_slices,
    open_variable,
    scalar,
)
from tf_candsamp._arguments.tensors import int64_tensor
from tf_candsamp._library import no_gradient, ops
from tf_candsamp._types import TensorLike

__all__ = [
    "row_adagrad",
    "row_adam",
    "row_ftrl",
    "row_momentum",
    "row_rmsprop",
    "row_sgd",
    "sum_repeated_rows",
]


def row_sgd(
    table: tf.Variable,
    gradient: tf.IndexedSlices,
    learning_rate: TensorLike,
    *,
    weight_decay: TensorLike = 0.0,
    name: str | None = None,
) -> tf.Operation | None:
    """Updates rows by gradient descent: row -= learning_rate * gradient.

        table = tf.Variable(tf.random.normal([1000, 8]))
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.gather(table, [3, 5, 3]) ** 2)
        tfcs.row_sgd(table, tape.gradient(loss, table), 0.1)

    It equals the dense update, up to rounding.

    Args:
      table: [V, ...], a tf.Variable or Keras variable of type float32, float64, bfloat16 or
        float16. Halves are computed in float32.
      gradient: tf.IndexedSlices with indices [N] in [0, V) and values [N, ...] of any float type.
      learning_rate: a number or a scalar tensor, such as a schedule's value.
      weight_decay: a row with a gradient first shrinks: row -= learning_rate * weight_decay * row.
      name: a name for the op.

    Returns:
      None; in a graph of TensorFlow 1 the tf.Operation, which a session runs.

    Raises:
      TypeError, ValueError: an argument of the wrong type or shape, as far as Python sees.
      tf.errors.InvalidArgumentError: an index out of range, or shapes that disagree.
      tf.errors.FailedPreconditionError: a variable that is not initialized.
      tf.errors.UnimplementedError: a variable on a GPU, in a wheel without GPU kernels.
    """
    opened, arguments = _opened(table, {}, gradient, learning_rate, weight_decay, name)
    return _operation(ops.candsamp_row_sgd(**opened, **arguments))


def row_momentum(
    table: tf.Variable,
    momentum: tf.Variable,
    gradient: tf.IndexedSlices,
    learning_rate: TensorLike,
    *,
    factor: TensorLike = 0.9,
    nesterov: bool = False,
    weight_decay: TensorLike = 0.0,
    name: str | None = None,
) -> tf.Operation | None:
    """Updates rows by gradient descent with momentum, lazily.

    For each row: momentum = factor * momentum - learning_rate * gradient; row += momentum, or with
    `nesterov` row += factor * momentum - learning_rate * gradient.

        table = tf.Variable(tf.ones([1000, 8]))
        momentum = tf.Variable(tf.zeros([1000, 8]))
        gradient = tf.IndexedSlices(tf.ones([2, 8]), tf.constant([3, 5]))
        tfcs.row_momentum(table, momentum, gradient, 0.1)

    Args:
      table, gradient, learning_rate, weight_decay, name: as in `row_sgd`, with its errors.
      momentum: a variable of the table's shape, of float64 for a float64 table, else of float32.
      factor: how much of the momentum is kept, a number or a scalar tensor.
      nesterov: whether a step looks ahead.
    """
    opened, arguments = _opened(
        table, {"momentum": momentum}, gradient, learning_rate, weight_decay, name
    )
    return _operation(
        ops.candsamp_row_momentum(
            **opened, **arguments, factor=scalar("factor", factor), nesterov=nesterov
        )
    )


def row_adagrad(
    table: tf.Variable,
    accumulator: tf.Variable,
    gradient: tf.IndexedSlices,
    learning_rate: TensorLike,
    *,
    epsilon: TensorLike = 1e-7,
    weight_decay: TensorLike = 0.0,
    name: str | None = None,
) -> tf.Operation | None:
    """Updates rows by Adagrad (Duchi, Hazan and Singer 2011).

    For each row: accumulator += gradient ** 2;
    row -= learning_rate * gradient / sqrt(accumulator + epsilon). It equals the dense update, up to
    rounding.

        table = tf.Variable(tf.ones([1000, 8]))
        accumulator = tf.Variable(tf.fill([1000, 8], 0.1))
        gradient = tf.IndexedSlices(tf.ones([2, 8]), tf.constant([3, 5]))
        tfcs.row_adagrad(table, accumulator, gradient, 0.1)

    Args:
      table, gradient, learning_rate, weight_decay, name: as in `row_sgd`, with its errors.
      accumulator: a variable of the table's shape, of float64 for a float64 table, else of float32.
      epsilon: a number or a scalar tensor.
    """
    opened, arguments = _opened(
        table, {"accumulator": accumulator}, gradient, learning_rate, weight_decay, name
    )
    return _operation(
        ops.candsamp_row_adagrad(**opened, **arguments, epsilon=scalar("epsilon", epsilon))
    )


def row_rmsprop(
    table: tf.Variable,
    velocity: tf.Variable,
    gradient: tf.IndexedSlices,
    learning_rate: TensorLike,
    *,
    momentum: tf.Variable | None = None,
    average_gradient: tf.Variable | None = None,
    rho: TensorLike = 0.9,
    factor: TensorLike = 0.0,
    epsilon: TensorLike = 1e-7,
    weight_decay: TensorLike = 0.0,
    name: str | None = None,
) -> tf.Operation | None:
    """Updates rows by RMSprop, lazily.

    For each row: velocity = rho * velocity + (1 - rho) * gradient ** 2, likewise average_gradient;
    step = learning_rate * gradient / sqrt(velocity - average_gradient ** 2 + epsilon);
    momentum = factor * momentum + step; row -= momentum. Without a variable for `momentum` or
    `average_gradient` these are left out.

        table = tf.Variable(tf.ones([1000, 8]))
        velocity = tf.Variable(tf.zeros([1000, 8]))
        gradient = tf.IndexedSlices(tf.ones([2, 8]), tf.constant([3, 5]))
        tfcs.row_rmsprop(table, velocity, gradient, 0.1)

    Args:
      table, gradient, learning_rate, weight_decay, name: as in `row_sgd`, with its errors.
      velocity, momentum, average_gradient: variables of the table's shape, of float64 for a float64
        table, else of float32.
      rho: how much of the means is kept.
      factor: how much of the momentum is kept.
      epsilon: a number or a scalar tensor.
    """
    opened, arguments = _opened(
        table,
        {"velocity": velocity, "momentum": [momentum], "average_gradient": [average_gradient]},
        gradient,
        learning_rate,
        weight_decay,
        name,
    )
    return _operation(
        ops.candsamp_row_rmsprop(
            **opened,
            **arguments,
            rho=scalar("rho", rho),
            factor=scalar("factor", factor),
            epsilon=scalar("epsilon", epsilon),
        )
    )


def row_adam(
    table: tf.Variable,
    momentum: tf.Variable,
    velocity: tf.Variable,
    gradient: tf.IndexedSlices,
    learning_rate: TensorLike,
    step: TensorLike,
    *,
    velocity_hat: tf.Variable | None = None,
    beta_1: TensorLike = 0.9,
    beta_2: TensorLike = 0.999,
    epsilon: TensorLike = 1e-7,
    weight_decay: TensorLike = 0.0,
    name: str | None = None,
) -> tf.Operation | None:
    """Updates rows by Adam (Kingma and Ba 2015), lazily; with weight_decay by AdamW.

    For each row: momentum += (1 - beta_1) * (gradient - momentum);
    velocity += (1 - beta_2) * (gradient ** 2 - velocity);
    row -= a * momentum / (sqrt(velocity) + epsilon), where
    a = learning_rate * sqrt(1 - beta_2 ** step) / (1 - beta_1 ** step). With `velocity_hat` its
    largest value so far takes the place of velocity (AMSGrad).

        table = tf.Variable(tf.ones([1000, 8]))
        momentum, velocity = tf.Variable(tf.zeros([1000, 8])), tf.Variable(tf.zeros([1000, 8]))
        gradient = tf.IndexedSlices(tf.ones([2, 8]), tf.constant([3, 5]))
        tfcs.row_adam(table, momentum, velocity, gradient, 0.001, step=1)

    Args:
      table, gradient, learning_rate, weight_decay, name: as in `row_sgd`, with its errors.
      momentum, velocity, velocity_hat: variables of the table's shape, of float64 for a float64
        table, else of float32.
      step: the number of this step of the whole training, counted from 1; an integer or a scalar
        tensor. A step below 1 is a tf.errors.InvalidArgumentError.
      beta_1, beta_2: how much of the means is kept.
      epsilon: a number or a scalar tensor.
    """
    opened, arguments = _opened(
        table,
        {"momentum": momentum, "velocity": velocity, "velocity_hat": [velocity_hat]},
        gradient,
        learning_rate,
        weight_decay,
        name,
    )
    number = int64_tensor("step", step)
    if number.shape.rank not in (0, None):
        raise ValueError(f"step must be a scalar, got shape {number.shape}.")
    return _operation(
        ops.candsamp_row_adam(
            **opened,
            **arguments,
            beta_1=scalar("beta_1", beta_1),
            beta_2=scalar("beta_2", beta_2),
            epsilon=scalar("epsilon", epsilon),
            step=number,
        )
    )


def row_ftrl(
    table: tf.Variable,
    accumulator: tf.Variable,
    linear: tf.Variable,
    gradient: tf.IndexedSlices,
    learning_rate: TensorLike,
    *,
    learning_rate_power: TensorLike = -0.5,
    l1: TensorLike = 0.0,
    l2: TensorLike = 0.0,
    l2_shrinkage: TensorLike = 0.0,
    beta: TensorLike = 0.0,
    weight_decay: TensorLike = 0.0,
    name: str | None = None,
) -> tf.Operation | None:
    """Updates rows by FTRL-Proximal (McMahan et al. 2013), as Keras's Ftrl does.

    For each row, with p(a) = a ** -learning_rate_power / learning_rate: a is the accumulator plus
    gradient ** 2; linear += gradient + 2 * l2_shrinkage * row - (p(a) - p(accumulator)) * row;
    row = (clip(linear, -l1, l1) - linear) / (p(a) + 2 * l2 + beta / learning_rate);
    accumulator = a.

    It equals the dense update, up to rounding, if rows are zero at the start and l2_shrinkage is 0.
    The dense update sets all other rows to zero at its first step.

        table, linear = tf.Variable(tf.zeros([1000, 8])), tf.Variable(tf.zeros([1000, 8]))
        accumulator = tf.Variable(tf.fill([1000, 8], 0.1))
        gradient = tf.IndexedSlices(tf.ones([2, 8]), tf.constant([3, 5]))
        tfcs.row_ftrl(table, accumulator, linear, gradient, 0.1, l1=0.01)

    Args:
      table, gradient, learning_rate, weight_decay, name: as in `row_sgd`, with its errors.
      accumulator, linear: variables of the table's shape, of float64 for a float64 table, else of
        float32.
      learning_rate_power, l1, l2, l2_shrinkage, beta: numbers or scalar tensors.
    """
    opened, arguments = _opened(
        table,
        {"accumulator": accumulator, "linear": linear},
        gradient,
        learning_rate,
        weight_decay,
        name,
    )
    return _operation(
        ops.candsamp_row_ftrl(
            **opened,
            **arguments,
            learning_rate_power=scalar("learning_rate_power", learning_rate_power),
            l1=scalar("l1", l1),
            l2=scalar("l2", l2),
            l2_shrinkage=scalar("l2_shrinkage", l2_shrinkage),
            beta=scalar("beta", beta),
        )
    )


def sum_repeated_rows(gradient: tf.IndexedSlices, name: str | None = None) -> tf.IndexedSlices:
    """Sums the slices of each row, so that each row occurs once.

    Norms and squares of a gradient are right only for such slices; the functions of this module
    take any.

        slices = tf.IndexedSlices([[1.0], [2.0], [4.0]], [5, 3, 5], [9, 1])
        tfcs.sum_repeated_rows(slices).values  # [[2.0], [5.0]], of the rows [3, 5]

    Args:
      gradient: tf.IndexedSlices with indices [N], not negative, and values [N, ...] of any float
        type. Halves are summed in float32.
      name: a name for the op.

    Returns:
      tf.IndexedSlices with distinct int64 indices: the very slices if they are distinct, else those
      in ascending order. Sums are in the order of positions.

    Raises:
      TypeError, ValueError: an argument of the wrong type or shape, as far as Python sees.
      tf.errors.InvalidArgumentError: a negative index, or shapes that disagree.
    """
    indices, values = open_slices(gradient)
    if not values.dtype.is_floating:
        raise TypeError(f"gradient.values must be of a float type, got {values.dtype.name}.")
    rows, sums = ops.candsamp_sum_repeated_rows(indices, values, name=name)
    return tf.IndexedSlices(sums, rows, gradient.dense_shape)


def _opened(
    table: tf.Variable,
    slots: dict[str, Any],
    gradient: tf.IndexedSlices,
    learning_rate: TensorLike,
    weight_decay: TensorLike,
    name: str | None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The handles of the table and of the slots; and the arguments that all ops have.

    A slot may be a list, which holds a variable or None.
    """
    variable = open_variable("table", table)
    dtype = arithmetic_type(variable.dtype)
    handles: dict[str, Any] = {"table": variable.handle}
    for key, slot in slots.items():
        if isinstance(slot, list):
            handles[key] = [open_variable(key, s, dtype).handle for s in slot if s is not None]
        else:
            handles[key] = open_variable(key, slot, dtype).handle
    indices, values = open_slices(gradient)
    return handles, {
        "indices": indices,
        "gradient": gradient_values(values, variable.dtype),
        "learning_rate": scalar("learning_rate", learning_rate),
        "weight_decay": scalar("weight_decay", weight_decay),
        "W": variable.dtype,
        "name": name,
    }


def _operation(operation: tf.Operation | None) -> tf.Operation | None:
    """What a function of this module returns: a tf.function runs the operation by itself."""
    graph = None if operation is None else operation.graph
    return None if hasattr(graph, "watch_variable") else operation


no_gradient(
    "RowAdagrad",
    "RowAdam",
    "RowFtrl",
    "RowMomentum",
    "RowRmsprop",
    "RowSgd",
    "SumRepeatedRows",
)
