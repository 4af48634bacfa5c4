# SPDX-License-Identifier: Apache-2.0
"""Arguments of updates in place: variables, slices of a gradient, numbers of a step."""

from typing import Any

import tensorflow as tf

from tf_candsamp._arguments.tables import variable_of_keras
from tf_candsamp._arguments.tensors import int64_tensor, to_tensor
from tf_candsamp._devices import check_device
from tf_candsamp._types import TensorLike
from tf_candsamp._variables import let_functions_keep

_HALVES = (tf.bfloat16, tf.float16)
_TABLES = (tf.float32, tf.float64, *_HALVES)


def arithmetic_type(table: tf.DType) -> tf.DType:
    """The type in which a table of type `table` is computed: that of an optimizer's slots."""
    return tf.float64 if table == tf.float64 else tf.float32


def open_variable(name: str, value: Any, dtype: tf.DType | None = None) -> tf.Variable:
    """The variable of the argument `name`, which an op is going to write into.

    Of a variable of tf.distribute, whoever takes its handle gets the part of this replica.

    Args:
      name: the argument's name, for errors.
      value: a tf.Variable or a Keras variable.
      dtype: the type it must have; None takes every type that a table can have.
    """
    variable = variable_of_keras(value)
    if not isinstance(variable, tf.Variable) or not hasattr(variable, "handle"):
        raise TypeError(f"{name} must be a tf.Variable, got {type(value).__name__}.")
    allowed = _TABLES if dtype is None else (dtype,)
    if variable.dtype not in allowed:
        types = ", ".join(kind.name for kind in allowed)
        why = "" if dtype is None else ", in which the table is computed"
        raise TypeError(f"{name} must be of type {types}{why}, got {variable.dtype.name}.")
    check_device(name, variable)
    let_functions_keep(variable)
    return variable


def open_slices(gradient: Any) -> tuple[tf.Tensor, tf.Tensor]:
    """The indices, as int64, and the values of an argument `gradient`."""
    if not isinstance(gradient, tf.IndexedSlices):
        raise TypeError(
            "gradient must be a tf.IndexedSlices, as the gradient of a gather or of a sampled loss "
            f"is, got {type(gradient).__name__}: a dense gradient has all rows of the table."
        )
    indices = int64_tensor("gradient.indices", gradient.indices)
    return indices, to_tensor("gradient.values", gradient.values)


def gradient_values(values: tf.Tensor, table: tf.DType) -> tf.Tensor:
    """Gradients in a type that the op takes for a table of type `table`."""
    if not values.dtype.is_floating:
        raise TypeError(f"gradient.values must be of a float type, got {values.dtype.name}.")
    wanted = arithmetic_type(table)
    if values.dtype == wanted or (wanted == tf.float32 and values.dtype in _HALVES):
        return values
    return tf.cast(values, wanted)


def scalar(name: str, value: TensorLike) -> tf.Tensor:
    """A number of a step, as float64: 1 - beta keeps its digits."""
    if isinstance(value, (int, float)):
        return tf.constant(value, tf.float64)
    tensor = to_tensor(name, value, tf.float64)
    if tensor.shape.rank not in (0, None):
        raise ValueError(f"{name} must be a scalar, got shape {tensor.shape}.")
    return tf.cast(tensor, tf.float64)
