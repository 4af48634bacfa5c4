# SPDX-License-Identifier: Apache-2.0
"""Class tables as arguments: variables that are read in place, dense tensors, lists of shards."""

import sys
from typing import Any, NamedTuple

import tensorflow as tf

from tf_candsamp._arguments.tensors import check_dense, to_tensor
from tf_candsamp._devices import check_device
from tf_candsamp._library import ops
from tf_candsamp._types import ClassTableLike
from tf_candsamp._variables import let_tapes_see, part_on_replica

_INT32_MAX = 2**31 - 1


class ClassTable(NamedTuple):
    """A row, or one value, for each class.

    entries: what the op takes for each shard, a variable's handle or a tensor.
    dtype: the type of all shards.
    has_variable: whether any entry is a handle.
    shape_dtype: the type of the dense shape of gradient slices; int32 wherever it can hold the
      number of rows, since tf.cond's gradient accepts no other.
    rows: the number of rows of all shards, None if it is not known yet.
    """

    entries: list[tf.Tensor]
    dtype: tf.DType
    has_variable: bool
    shape_dtype: tf.DType
    rows: int | None


def open_table(
    name: str, value: ClassTableLike | None, *, rank: int, dtype: tf.DType | None = None
) -> ClassTable:
    """Returns the `ClassTable` of the argument `name`.

    Args:
      name: the argument's name, for errors.
      value: a tf.Variable, a Keras variable, anything convertible to a tensor, or a list of these,
        which are its shards. None is a table without entries.
      rank: 2, or 1 for a table that is a vector.
      dtype: the type that the entries must have; None takes that of the first entry.
    """
    check_dense(name, value)  # a SparseTensorValue is a tuple, but not of shards
    is_list = isinstance(value, (list, tuple))
    shards = _shards(value)
    if value is not None and not shards:
        raise ValueError(f"{name} must hold at least one shard, got an empty list.")
    entries = []
    has_variable = False
    shape_dtype = tf.int32
    rows: int | None = 0
    for k, shard in enumerate(shards):
        shard_name = f"{name}[{k}]" if len(shards) > 1 else name
        shard = part_on_replica(variable_of_keras(shard))
        if _is_resource_variable(shard):
            has_variable = True
            check_device(shard_name, shard)
            entry = shard.handle
            let_tapes_see(shard)
        else:
            shard = entry = to_tensor(shard_name, shard, dtype or tf.float32)
        dtype = dtype or shard.dtype
        if shard.dtype != dtype:
            raise TypeError(
                f"{shard_name} must be of type {dtype.name}, as the tables' other parts are, got "
                f"{shard.dtype.name}."
            )
        if is_list and shard.shape.rank not in (rank, None):
            raise ValueError(
                f"{name} is a list, so its shards must have rank {rank}, got one of shape "
                f"{shard.shape}."
            )
        shard_rows = shard.shape[0] if shard.shape.rank else None
        if (shard_rows or 0) > _INT32_MAX:
            shape_dtype = tf.int64
        rows = None if rows is None or shard_rows is None else rows + shard_rows
        entries.append(entry)
    return ClassTable(entries, dtype, has_variable, shape_dtype, rows)


def variables_as_tensors(name: str, value: ClassTableLike | None) -> ClassTableLike | None:
    """The argument with a tensor in place of each variable, which shares the variable's memory.

    A later update of the variable leaves the tensor as it is.
    """
    if not isinstance(value, (list, tuple)):
        return _variable_as_tensor(name, value)
    return [_variable_as_tensor(f"{name}[{k}]", shard) for k, shard in enumerate(value)]


def _variable_as_tensor(name: str, value: Any) -> Any:
    variable = part_on_replica(variable_of_keras(value))
    if not _is_resource_variable(variable):
        return value
    check_device(name, variable)
    with tf.control_dependencies([ops.candsamp_share_variable(variable.handle)]):
        return variable.read_value()


def _shards(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def variable_of_keras(value: Any) -> Any:
    """What a Keras 3 variable holds; other values as is.

    The variable's public `value` is no way to it: under autocast that is a cast copy of the whole
    table.
    """
    if not hasattr(value, "_value") or isinstance(value, (tf.Variable, tf.Tensor)):
        return value
    scopes = sys.modules.get("keras.src.backend.common.stateless_scope")
    scope = scopes.get_stateless_scope() if scopes else None
    inner = None if scope is None else scope.get_current_value(value)
    if inner is None:
        inner = value._value
    return value.value if inner is None else inner


def _is_resource_variable(value: Any) -> bool:
    return isinstance(value, tf.Variable) and getattr(value, "handle", None) is not None
