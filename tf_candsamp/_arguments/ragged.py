# SPDX-License-Identifier: Apache-2.0
"""Ragged arguments: values and row splits, from any form that rows of different lengths have."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tf_candsamp._arguments.tensors import (
    RAGGED,
    SPARSE,
    array_or_tensor,
    as_int64,
    cast,
    checked,
    to_tensor,
    without_objects,
)
from tf_candsamp._devices import on_host
from tf_candsamp._types import RaggedLike

# convert(name, values): the values, a tensor or array, with their type checked and changed.
_Convert = Callable[[str, Any], Any]


class Rows(NamedTuple):
    """A ragged argument. Either dense_shape or ragged is None.

    values: [N].
    splits: int64 [B + 1].
    dense_shape: the static shape if the argument was dense.
    ragged: the argument as a ragged tensor if it was not dense; its splits may be int32.
    """

    values: tf.Tensor
    splits: tf.Tensor
    dense_shape: tf.TensorShape | None
    ragged: tf.RaggedTensor | None

    def with_values(self, values: tf.Tensor) -> tf.RaggedTensor:
        """A ragged tensor of these rows with other values."""
        if self.ragged is not None:
            return self.ragged.with_flat_values(values)
        return tf.RaggedTensor.from_row_splits(values, self.splits, validate=False)


def class_rows(name: str, ids: RaggedLike, *, vector: bool = False, floats: bool = False) -> Rows:
    """The `Rows` of class ids, int64: from ragged [B, None], [B, n], or [B] if `vector`.

    Ids are of any integer type; `floats` as in `as_int64`. Sparse tensors are ragged too: their
    columns say nothing. So are lists and object arrays of rows, and the values that TensorFlow 1's
    sessions return.
    """
    return _rows(name, ids, vector, None, functools.partial(as_int64, floats=floats))


def log_q_rows(
    name: str, values: RaggedLike | None, ids: Rows, *, vector: bool = False
) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """Values and splits of an optional log q that goes with `ids`, as lists of none or one."""
    if values is None:
        return [], []
    rows = _rows(name, values, vector, tf.float32, _as_log_q)
    splits = rows.splits
    if rows.dense_shape is not None and ids.dense_shape is not None:
        if not rows.dense_shape.is_compatible_with(ids.dense_shape):
            raise ValueError(
                f"{name} must have the shape of the ids it goes with, {ids.dense_shape}, got "
                f"{rows.dense_shape}."
            )
        if rows.dense_shape.is_fully_defined() and ids.dense_shape.is_fully_defined():
            splits = ids.splits  # one tensor for both: the op has nothing left to compare
    return [rows.values], [splits]


def _as_log_q(name: str, values: Any) -> Any:
    dtype = tf.as_dtype(values.dtype)
    if not dtype.is_floating:
        raise TypeError(f"{name} must be a float type, got {dtype.name}.")
    return cast(values, tf.float32)


def _rows(name: str, value: Any, vector: bool, dtype: tf.DType | None, convert: _Convert) -> Rows:
    """The `Rows` of values that `convert` checks; `dtype` is for lists, see `to_tensor`."""
    value = without_objects(value)
    if isinstance(value, SPARSE):
        value = _from_sparse(name, tf.SparseTensor.from_value(value))
    elif isinstance(value, (list, tuple)) and any(map(_is_row, value)):
        value = _from_list(name, value, dtype, convert)
    elif not isinstance(value, RAGGED):
        value = to_tensor(name, convert(name, array_or_tensor(name, value, dtype)))
        if vector or value.shape.rank != 1 or value.shape[0] != 0:
            return _from_dense(name, value, vector)
        value = tf.RaggedTensor.from_row_splits(value, [0], validate=False)  # no rows
    flat = value.flat_values
    if value.ragged_rank != 1 or tf.TensorShape(flat.shape).rank not in (1, None):
        raise ValueError(
            f"{name} must have one ragged dimension, shape [B, None], got {value.shape}."
        )
    flat = convert(name, to_tensor(name, flat))
    if not isinstance(value, tf.RaggedTensor):
        value = tf.RaggedTensor.from_row_splits(flat, value.row_splits, validate=False)
    return Rows(flat, tf.cast(value.row_splits, tf.int64), None, value)


def _from_dense(name: str, value: tf.Tensor, vector: bool) -> Rows:
    rank = value.shape.rank
    ranks = (1, 2) if vector else (2,)
    expected = "[B], [B, n] or ragged [B, None]" if vector else "ragged [B, None] or [B, n]"
    if rank not in (*ranks, None):
        raise ValueError(f"{name} must have shape {expected}, got {value.shape}.")
    with on_host():
        shape = tf.shape(value, out_type=tf.int64)
        if rank is None:
            got = tf.rank(value)
            message = f"{name} must have shape {expected}, got rank"
            shape = checked(tf.reduce_any(tf.equal(got, ranks)), [message, got], shape)
        splits = tf.range(shape[0] + 1)
        if rank != 1:
            splits *= tf.reduce_prod(shape[1:]) if rank is None else shape[1]
    return Rows(tf.reshape(value, [-1]), splits, value.shape, None)


def _from_sparse(name: str, value: tf.SparseTensor) -> tf.RaggedTensor:
    rank = value.shape.rank
    expected = f"{name} must have shape [B, n] if it is sparse, got"
    unordered = (
        f"{name} is sparse: its indices must be in order of rows, from 0 to B - 1 "
        "(tf.sparse.reorder puts them in order), got others at position"
    )
    if rank not in (2, None):
        raise ValueError(f"{expected} {value.shape}.")
    with on_host():
        shape = value.dense_shape
        if rank is None:
            rank = tf.size(shape)
            shape = checked(tf.equal(rank, 2), [f"{expected} rank", rank], shape)
        rows = value.indices[:, 0]
        # With 0 before them and B - 1 behind, rows that are in order are also in range.
        bounded = tf.concat([[0], rows, [tf.maximum(shape[0] - 1, 0)]], 0)
        descents = tf.cast(bounded[1:] < bounded[:-1], tf.int32)
        splits = checked(
            tf.equal(tf.reduce_max(descents), 0),
            [unordered, tf.argmax(descents, output_type=tf.int32)],
            tf.searchsorted(rows, tf.range(shape[0] + 1), out_type=tf.int64),
        )
    return tf.RaggedTensor.from_row_splits(value.values, splits, validate=False)


def _is_row(value: Any) -> bool:
    """Whether an item of a list is a row, and not a number."""
    if hasattr(value, "shape"):
        return bool(tf.TensorShape(value.shape).rank != 0)
    return isinstance(value, (list, tuple, range))


def _from_list(
    name: str, items: Sequence[Any], dtype: tf.DType | None, convert: _Convert
) -> tf.RaggedTensor:
    rows = [_row(f"{name}[{k}]", row, dtype, convert) for k, row in enumerate(items)]
    if all(isinstance(row, np.ndarray) for row in rows):
        splits = np.cumsum([0, *map(len, rows)], dtype=np.int64)
        return tf.RaggedTensor.from_row_splits(np.concatenate(rows), splits, validate=False)
    with on_host():
        sizes = [tf.size(row, out_type=tf.int64) for row in rows]
        splits = tf.cumsum(tf.stack([tf.zeros([], tf.int64), *sizes]))
    return tf.RaggedTensor.from_row_splits(tf.concat(rows, 0), splits, validate=False)


def _row(name: str, row: Any, dtype: tf.DType | None, convert: _Convert) -> Any:
    row = convert(name, array_or_tensor(name, row, dtype))
    rank = tf.TensorShape(row.shape).rank
    if rank not in (1, None):
        raise ValueError(f"{name} must have rank 1, as rows of a list, got shape {row.shape}.")
    if rank is None:
        rank = tf.rank(row)
        message = f"{name} must have rank 1, as rows of a list, got rank"
        row = tf.reshape(checked(tf.equal(rank, 1), [message, rank], row), [-1])
    return row
