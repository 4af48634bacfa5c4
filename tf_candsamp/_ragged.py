"""Ragged arguments: values and row splits, whatever form the user has them in."""

import collections

import numpy as np
import tensorflow as tf

from tf_candsamp._devices import on_host
from tf_candsamp._tables import to_tensor

# values: [N]. splits: int64 [B + 1]. dense_shape: the static shape if the argument was dense.
Rows = collections.namedtuple("Rows", "values splits dense_shape")


def class_ids(name, ids, *, vector=False):
    """Returns the `Rows` of class ids, int64: ragged [B, None], [B, n], or [B] if `vector`."""
    rows = _rows(name, ids, tf.int64, vector)
    if rows.values.dtype not in (tf.int32, tf.int64):
        raise TypeError(f"{name} must be int32 or int64, got {rows.values.dtype.name}.")
    return rows._replace(values=tf.cast(rows.values, tf.int64))


def log_q(name, values, ids, *, vector=False):
    """Returns the `Rows` of an optional argument that goes with `ids`, as lists of none or one."""
    if values is None:
        return [], []
    rows = _rows(name, values, tf.float32, vector)
    if not rows.values.dtype.is_floating:
        raise TypeError(f"{name} must be a float type, got {rows.values.dtype.name}.")
    splits = rows.splits
    if rows.dense_shape is not None and ids.dense_shape is not None:
        if not rows.dense_shape.is_compatible_with(ids.dense_shape):
            raise ValueError(
                f"{name} must have the shape of the ids it goes with, {ids.dense_shape}, got "
                f"{rows.dense_shape}."
            )
        if rows.dense_shape.is_fully_defined() and ids.dense_shape.is_fully_defined():
            splits = ids.splits  # one tensor for both: nothing left to compare
    return [tf.cast(rows.values, tf.float32)], [splits]


def _converted(name, dtype, convert):
    try:
        return convert()
    except (TypeError, ValueError, OverflowError) as error:
        raise type(error)(f"{name} must be {dtype.name}: {error}") from None


def _rows(name, value, dtype, vector):
    if _is_list_of_rows(value, vector):
        rows = [row.tolist() if isinstance(row, np.ndarray) else row for row in value]
        value = _converted(
            name,
            dtype,
            lambda: tf.ragged.constant(rows, dtype, ragged_rank=1, row_splits_dtype=tf.int64),
        )
    if isinstance(value, tf.RaggedTensor):
        if value.ragged_rank != 1 or value.flat_values.shape.rank not in (1, None):
            raise ValueError(
                f"{name} must have one ragged dimension, shape [B, None], got {value.shape}."
            )
        return Rows(value.flat_values, tf.cast(value.row_splits, tf.int64), None)
    value = _converted(name, dtype, lambda: to_tensor(value, dtype))
    if value.shape.rank not in ((1, 2) if vector else (2,)):
        expected = "[B], [B, n] or ragged [B, None]" if vector else "ragged [B, None] or [B, n]"
        raise ValueError(f"{name} must have shape {expected}, got {value.shape}.")
    shape = tf.shape(value, out_type=tf.int64)
    with on_host():
        splits = tf.range(shape[0] + 1)
        if value.shape.rank == 2:
            splits *= shape[1]
    return Rows(tf.reshape(value, [-1]), splits, value.shape)


def _is_list_of_rows(value, vector):
    if not isinstance(value, (list, tuple)):
        return False
    if not value:
        return not vector
    return any(isinstance(row, (list, tuple, np.ndarray)) for row in value)
