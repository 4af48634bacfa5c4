# SPDX-License-Identifier: Apache-2.0
"""What turns an optimizer of Keras into one that updates rows."""

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import tensorflow as tf

from tf_candsamp._arguments.slices import arithmetic_type
from tf_candsamp._samplers.keras_state import keras_layer
from tf_candsamp.keras.optimizers.saved_kind import SavedKind
from tf_candsamp.row_optimizers import sum_repeated_rows

if keras_layer() is None:
    raise ImportError(
        "tf_candsamp.keras needs Keras on its backend 'tensorflow': install it, or set "
        "KERAS_BACKEND=tensorflow before Keras is imported."
    )

IS_KERAS_3 = hasattr(tf.keras.optimizers.Optimizer, "apply")

# Slots that the row kernels read. Others, such as averages, keep the variable's type.
_SLOTS = {"accumulator", "average_gradient", "linear", "momentum", "velocity", "velocity_hat"}


class _DivisibleSlices(tf.IndexedSlices):
    """Slices that Keras 3 can divide by its loss scale."""

    def __truediv__(self, divisor: Any) -> tf.IndexedSlices:
        values = self.values / tf.cast(divisor, self.values.dtype)
        return tf.IndexedSlices(values, self.indices, self.dense_shape)


class RowUpdates(SavedKind):
    """Comes before a class of Keras's optimizers among the bases.

    A subclass says in `_update_rows` which row function updates a table.
    """

    weight_decay: float | None
    use_ema: bool
    gradient_accumulation_steps: int | None
    loss_scale_factor: float | None

    # The variables that have slices as gradients in the step that is being made.
    _row_keys: frozenset[Any] = frozenset()
    _widens_slots = False

    def _update_rows(
        self, table: tf.Variable, gradient: tf.IndexedSlices, **arguments: Any
    ) -> None:
        """Updates the rows of `gradient`. `arguments` are learning_rate and weight_decay."""
        raise NotImplementedError

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any = None) -> None:
        """Updates one variable. Keras calls it."""
        if not isinstance(gradient, tf.IndexedSlices):
            given = [] if learning_rate is None else [learning_rate]
            super().update_step(gradient, variable, *given)  # type: ignore[misc]
            return
        rate = self.learning_rate if learning_rate is None else learning_rate  # type: ignore[attr-defined]
        has_decay = bool(self.weight_decay) and self._use_weight_decay(variable)  # type: ignore[attr-defined]
        self._update_rows(
            variable,
            gradient,
            learning_rate=tf.convert_to_tensor(rate),
            weight_decay=self.weight_decay if has_decay else 0.0,
        )

    def _slot(self, slots: Sequence[Any], variable: tf.Variable) -> Any:
        key = self._var_key(variable)  # type: ignore[attr-defined]
        indices = self._trainable_variables_indices if IS_KERAS_3 else self._index_dict  # type: ignore[attr-defined]
        return slots[indices[key]]

    def _step(self) -> tf.Tensor:
        """The number of this step, counted from 1."""
        return tf.cast(self.iterations, tf.int64) + 1  # type: ignore[attr-defined]

    # What Keras does to gradients and variables before the step.

    def _clip_gradients(self, grads: Iterable[Any]) -> list[Any]:
        """Clips slices by the norms and values that their dense gradient has.

        Repeated rows are summed. The rows that are absent are zero, and add nothing.
        """
        grads = list(grads)
        limits = (getattr(self, key, None) for key in ("clipnorm", "clipvalue", "global_clipnorm"))
        if not any(limits):
            return grads
        summed = [sum_repeated_rows(g) if isinstance(g, tf.IndexedSlices) else g for g in grads]
        dense = [g.values if isinstance(g, tf.IndexedSlices) else g for g in summed]
        clipped = super()._clip_gradients(dense)  # type: ignore[misc]
        return [
            tf.IndexedSlices(c, g.indices, g.dense_shape) if isinstance(g, tf.IndexedSlices) else c
            for g, c in zip(summed, clipped, strict=True)
        ]

    def _apply_weight_decay(self, variables: Iterable[Any]) -> None:
        """Leaves out the tables whose rows shrink when they are updated."""
        others = [v for v in variables if self._var_key(v) not in self._row_keys]  # type: ignore[attr-defined]
        if others:
            super()._apply_weight_decay(others)  # type: ignore[misc]

    def _note_rows(self, grads: Iterable[Any], variables: Iterable[Any]) -> None:
        """Remembers which variables have slices, and warns of what touches all their rows."""
        tables = [
            v for g, v in zip(grads, variables, strict=True) if isinstance(g, tf.IndexedSlices)
        ]
        # Not an attribute: Keras would track it.
        self.__dict__["_row_keys"] = frozenset(self._var_key(v) for v in tables)  # type: ignore[attr-defined]
        if tables and self.use_ema:
            self._warn("use_ema=True averages", tables[0])
        for table in tables:
            if getattr(table, "constraint", None) is not None:
                self._warn("its constraint changes", table)

    def _warn(self, what: str, table: Any) -> None:
        warnings.warn(
            f"{what} every row of {table.name} at every step: a step takes as long as the whole "
            "table, though its gradient has some rows alone.",
            stacklevel=2,
        )

    if IS_KERAS_3:

        def apply(self, grads: Sequence[Any], trainable_variables: Any = None) -> None:
            """Makes a step, as the method of Keras does."""
            if self.loss_scale_factor is not None:
                grads = [
                    _DivisibleSlices(g.values, g.indices, g.dense_shape)
                    if isinstance(g, tf.IndexedSlices)
                    else g
                    for g in grads
                ]
            super().apply(grads, trainable_variables)  # type: ignore[misc]

        def _backend_apply_gradients(
            self, grads: Sequence[Any], trainable_variables: Sequence[Any]
        ) -> None:
            if self.gradient_accumulation_steps:
                for k, gradient in enumerate(grads):
                    if isinstance(gradient, tf.IndexedSlices):
                        self._warn("gradient_accumulation_steps adds up", trainable_variables[k])
                grads = [
                    tf.convert_to_tensor(g) if isinstance(g, tf.IndexedSlices) else g for g in grads
                ]
            self._note_rows(grads, trainable_variables)
            super()._backend_apply_gradients(grads, trainable_variables)  # type: ignore[misc]

        def add_variable_from_reference(
            self, reference_variable: Any, name: str | None = None, initializer: Any = "zeros"
        ) -> Any:
            """Adds a slot. Those of half types are float32, which small changes need."""
            self.__dict__["_widens_slots"] = name in _SLOTS
            try:
                return super().add_variable_from_reference(  # type: ignore[misc]
                    reference_variable, name=name, initializer=initializer
                )
            finally:
                self.__dict__["_widens_slots"] = False

        def add_variable(
            self, shape: Any, initializer: Any = "zeros", dtype: Any = None, **options: Any
        ) -> Any:
            """Adds a variable of the optimizer."""
            if self._widens_slots and dtype is not None:
                dtype = arithmetic_type(tf.as_dtype(dtype)).name
            return super().add_variable(shape, initializer, dtype, **options)  # type: ignore[misc]

    else:

        def apply_gradients(self, grads_and_vars: Iterable[Any], *args: Any, **options: Any) -> Any:
            """Makes a step, as the method of Keras does."""
            pairs = list(grads_and_vars)
            self._note_rows([g for g, _ in pairs], [v for _, v in pairs])
            if self._row_keys:
                self.jit_compile = False  # The ops have no XLA kernels.
            return super().apply_gradients(pairs, *args, **options)  # type: ignore[misc]

        def _deduplicate_sparse_grad(self, grads: Sequence[Any]) -> Sequence[Any]:
            """Leaves the sums of repeated rows to the row functions, which are faster."""
            return grads
