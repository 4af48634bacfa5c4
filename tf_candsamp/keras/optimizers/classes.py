# SPDX-License-Identifier: Apache-2.0
"""The optimizers: each is a class of Keras, and says which row function updates a table."""

from typing import Any

import tensorflow as tf

from tf_candsamp import row_optimizers as rows
from tf_candsamp._samplers.keras_state import serializable
from tf_candsamp.keras.optimizers.row_updates import RowUpdates

_keras: Any = tf.keras.optimizers


@serializable
class SGD(RowUpdates, _keras.SGD):
    """Keras's SGD, which updates the rows that have a gradient: `row_sgd` and `row_momentum`.

    Without momentum it equals the dense update, up to rounding. With momentum it is lazy: a row
    without a gradient keeps its momentum and rests.

        keras = tf.keras
        table = tf.Variable(tf.ones([1000, 8]))
        optimizer = tfcs.keras.optimizers.SGD(0.1)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.gather(table, [3, 5, 3]) ** 2)
        optimizer.apply_gradients([(tape.gradient(loss, table), table)])

    Args: those of `keras.optimizers.SGD`. With `weight_decay` the rows that have a gradient shrink.
      `use_ema` and `gradient_accumulation_steps` work as there, touch every row, and warn of it.

    Raises:
      tf.errors.InvalidArgumentError: an index that is no row of the table. Nothing is changed.
      tf.errors.UnimplementedError: slices for a variable on a GPU, in a wheel without GPU
        kernels.
      ValueError: from loading the saved state of another optimizer.
    """

    def _update_rows(
        self, table: tf.Variable, gradient: tf.IndexedSlices, **arguments: Any
    ) -> None:
        if not self.momentum:
            rows.row_sgd(table, gradient, **arguments)
            return
        rows.row_momentum(
            table,
            self._slot(self.momentums, table),
            gradient,
            factor=self.momentum,
            nesterov=self.nesterov,
            **arguments,
        )


@serializable
class Adagrad(RowUpdates, _keras.Adagrad):
    """Keras's Adagrad, which updates the rows that have a gradient: see `row_adagrad`.

    It equals the dense update, up to rounding. Args and errors are as in `SGD`, those of
    `keras.optimizers.Adagrad`.

        optimizer = tfcs.keras.optimizers.Adagrad(0.1, initial_accumulator_value=0.1)
    """

    def _update_rows(
        self, table: tf.Variable, gradient: tf.IndexedSlices, **arguments: Any
    ) -> None:
        accumulator = self._slot(self._accumulators, table)
        rows.row_adagrad(table, accumulator, gradient, epsilon=self.epsilon, **arguments)


@serializable
class RMSprop(RowUpdates, _keras.RMSprop):
    """Keras's RMSprop, which updates the rows that have a gradient, lazily: see `row_rmsprop`.

    A row without a gradient keeps its means and its momentum. Args and errors are as in `SGD`,
    those of `keras.optimizers.RMSprop`.

        optimizer = tfcs.keras.optimizers.RMSprop(0.001, momentum=0.9, centered=True)
    """

    def _update_rows(
        self, table: tf.Variable, gradient: tf.IndexedSlices, **arguments: Any
    ) -> None:
        rows.row_rmsprop(
            table,
            self._slot(self._velocities, table),
            gradient,
            momentum=self._slot(self._momentums, table) if self.momentum > 0 else None,
            average_gradient=(
                self._slot(self._average_gradients, table) if self.centered else None
            ),
            rho=self.rho,
            factor=self.momentum,
            epsilon=self.epsilon,
            **arguments,
        )


class _AdamRows(RowUpdates):
    """What Adam and AdamW do to rows."""

    _momentums: Any
    _velocities: Any
    _velocity_hats: Any
    beta_1: float
    beta_2: float
    epsilon: float
    amsgrad: bool

    def _update_rows(
        self, table: tf.Variable, gradient: tf.IndexedSlices, **arguments: Any
    ) -> None:
        step = self._step()
        epsilon: Any = self.epsilon
        if getattr(self, "adaptive_epsilon", False):  # of Keras 2
            power = tf.pow(tf.constant(self.beta_2, tf.float64), tf.cast(step, tf.float64))
            epsilon = epsilon * tf.sqrt(1 - power)
        rows.row_adam(
            table,
            self._slot(self._momentums, table),
            self._slot(self._velocities, table),
            gradient,
            step=step,
            velocity_hat=self._slot(self._velocity_hats, table) if self.amsgrad else None,
            beta_1=self.beta_1,
            beta_2=self.beta_2,
            epsilon=epsilon,
            **arguments,
        )


@serializable
class Adam(_AdamRows, _keras.Adam):
    """Keras's Adam, which updates the rows that have a gradient, lazily: see `row_adam`.

    A row without a gradient keeps its moments; the bias of the moments is corrected by the number
    of all steps. Args and errors are as in `SGD`, those of `keras.optimizers.Adam`.

        optimizer = tfcs.keras.optimizers.Adam(0.001)
    """


@serializable
class AdamW(_AdamRows, _keras.AdamW):
    """Keras's AdamW, which updates the rows that have a gradient, lazily: see `row_adam`.

    Rows that have a gradient shrink by learning_rate * weight_decay, others do not. Args and errors
    are as in `SGD`, those of `keras.optimizers.AdamW`.

        optimizer = tfcs.keras.optimizers.AdamW(0.001, weight_decay=0.004)
    """


@serializable
class Ftrl(RowUpdates, _keras.Ftrl):
    """Keras's Ftrl, which updates the rows that have a gradient: see `row_ftrl`.

    It equals the dense update, up to rounding, if rows are zero at the start and there is no
    shrinkage. Args and errors are as in `SGD`, those of `keras.optimizers.Ftrl`.

        optimizer = tfcs.keras.optimizers.Ftrl(0.1, l1_regularization_strength=0.01)
    """

    def _update_rows(
        self, table: tf.Variable, gradient: tf.IndexedSlices, **arguments: Any
    ) -> None:
        rows.row_ftrl(
            table,
            self._slot(self._accumulators, table),
            self._slot(self._linears, table),
            gradient,
            learning_rate_power=self.learning_rate_power,
            l1=self.l1_regularization_strength,
            l2=self.l2_regularization_strength,
            l2_shrinkage=self.l2_shrinkage_regularization_strength,
            beta=self.beta,
            **arguments,
        )
