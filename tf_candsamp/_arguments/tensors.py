# SPDX-License-Identifier: Apache-2.0
"""Dense arguments: tensors, or what converts to them."""

from typing import Any

import numpy as np
import tensorflow as tf

from tf_candsamp._types import TensorLike

RAGGED = (tf.RaggedTensor, tf.compat.v1.ragged.RaggedTensorValue)
SPARSE = (tf.SparseTensor, tf.compat.v1.SparseTensorValue)


def to_tensor(name: str, value: Any, dtype: tf.DType | None = None) -> tf.Tensor:
    """The dense argument `name` as a tensor.

    A value without a type of its own, such as a list, becomes of type `dtype` if that can hold it.
    """
    check_dense(name, value)
    value = without_objects(value)
    try:
        return tf.convert_to_tensor(value, dtype_hint=None if hasattr(value, "dtype") else dtype)
    except (TypeError, ValueError, OverflowError, tf.errors.InvalidArgumentError) as error:
        raise TypeError(f"{name} must be a tensor or convertible to one: {error}") from None


def array_or_tensor(
    name: str, value: Any, dtype: tf.DType | None = None
) -> np.ndarray[Any, Any] | tf.Tensor:
    """As `to_tensor`, but a NumPy array if no part of the value is a tensor.

    Arrays can be cast and joined before they become constants of a graph. A list of bools becomes
    an array of bools whatever `dtype` is, so that a check of its type can refuse it.
    """
    check_dense(name, value)
    value = without_objects(value)
    if not tf.is_tensor(value):
        try:
            array = np.asarray(value)
        except (NotImplementedError, TypeError, ValueError):  # symbolic tensors; uneven rows
            return to_tensor(name, value, dtype)
        if dtype is not None and not hasattr(value, "dtype") and array.dtype.kind in "iu":
            array = array.astype(dtype.as_numpy_dtype)
        if array.dtype.kind in "biufcV":  # V: bfloat16
            return array
    return to_tensor(name, value, dtype)


def check_dense(name: str, value: Any) -> None:
    """Refuses ragged and sparse tensors, and names the way to a dense one."""
    if isinstance(value, tf.RaggedTensor):
        cure = f"{name}.flat_values, or {name}.to_tensor() where its rows have one length"
    elif isinstance(value, RAGGED):
        cure = f"{name}.flat_values"
    elif isinstance(value, SPARSE):
        cure = f"{name}.values or tf.sparse.to_dense({name})"
    else:
        return
    raise TypeError(f"{name} must be a dense tensor, got a {type(value).__name__}: use {cure}.")


def without_objects(value: Any) -> Any:
    """An array of Python objects (NumPy's or pandas') as a list of them; other values as is."""
    if getattr(getattr(value, "dtype", None), "kind", None) == "O":
        return np.asarray(value).tolist()
    return value


def int64_tensor(name: str, value: TensorLike, *, floats: bool = False) -> tf.Tensor:
    """An int64 tensor, from integers of any type; `floats` as in `as_int64`."""
    return to_tensor(name, as_int64(name, array_or_tensor(name, value), floats=floats))


def as_int64(name: str, values: Any, *, floats: bool = False) -> Any:
    """A tensor or array as int64. Its type must be an integer type, or with `floats` a float type.

    Without values it may be of a float type in any case: TensorFlow makes an empty list float32.
    """
    dtype = tf.as_dtype(values.dtype)
    if dtype == tf.int64:
        return values
    if dtype.is_floating and not floats:
        floats = tf.TensorShape(values.shape).num_elements() == 0
    if not (dtype.is_integer or (floats and dtype.is_floating)):
        types = "an integer or float type" if floats else "an integer type"
        raise TypeError(f"{name} must be of {types}, got {dtype.name}.")
    return cast(values, tf.int64)


def cast(values: Any, dtype: tf.DType) -> Any:
    """`tf.cast` for tensors; an array stays an array."""
    if not isinstance(values, np.ndarray):
        return tf.cast(values, dtype)
    # NumPy warns of floats that are no class ids, such as NaN. The op refuses them.
    with np.errstate(invalid="ignore"):
        return values.astype(dtype.as_numpy_dtype)


def checked(condition: tf.Tensor, error: list[Any], tensor: tf.Tensor) -> tf.Tensor:
    """`tensor`, which fails with the error if the condition does not hold at run time."""
    with tf.control_dependencies([tf.debugging.Assert(condition, error)]):
        return tf.identity(tensor)
