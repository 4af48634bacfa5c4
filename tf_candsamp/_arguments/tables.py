# SPDX-License-Identifier: Apache-2.0
"""Class tables as arguments: variables that are read in place, dense tensors, lists of shards."""

import sys
from typing import Any, NamedTuple

import tensorflow as tf

from tf_candsamp._arguments.placement import are_together
from tf_candsamp._arguments.tensors import check_dense, to_tensor
from tf_candsamp._devices import check_device
from tf_candsamp._library import ops
from tf_candsamp._types import ClassTableLike
from tf_candsamp._variables import let_tapes_see, part_on_replica

_INT32_MAX = 2**31 - 1


class ClassTable(NamedTuple):
    """A row, or one value, for each class.

    entries: what the op takes for each shard: a variable's handle or a tensor. For tables that are
      elsewhere, a variable instead of its handle.
    dtype: the type of all shards.
    has_variable: whether any entry is a handle.
    shape_dtype: the type of the dense shape of gradient slices; int32 wherever it can hold the
      number of rows, since tf.cond's gradient accepts no other.
    rows: the number of rows of all shards, None if it is not known yet.
    """

    entries: list[Any]
    dtype: tf.DType
    has_variable: bool
    shape_dtype: tf.DType
    rows: int | None


class Shards(NamedTuple):
    """The argument `name`, a class table, taken apart.

    is_list: whether the user gave shards.
    is_partitioned: whether a partitioner made them, which gives them consecutive rows.
    """

    name: str
    values: list[Any]
    is_list: bool
    is_partitioned: bool

    def variables(self) -> list[tf.Variable]:
        """Those of the values that are variables."""
        return [value for value in self.values if _is_resource_variable(value)]


def take_apart(name: str, value: ClassTableLike | None) -> Shards:
    """The shards of the argument `name`.

    Args:
      name: the argument's name, for errors.
      value: a tf.Variable, a Keras variable, anything convertible to a tensor, what TensorFlow's
        partitioners make, or a list of these, which are its shards. None has no shards.
    """
    check_dense(name, value)  # a SparseTensorValue is a tuple, but not of shards
    is_partitioned = _is_partitioned(value)
    is_list = is_partitioned or isinstance(value, (list, tuple))
    table: Any = value
    values = [] if table is None else list(table) if is_list else [table]
    if value is not None and not values:
        raise ValueError(f"{name} must hold at least one shard, got an empty list.")
    values = [part_on_replica(variable_of_keras(v)) for v in values]
    return Shards(name, values, is_list, is_partitioned)


def check_partition(partition_strategy: str, *tables: Shards) -> None:
    """Refuses to deal out rows in turn that a partitioner has shared out consecutively."""
    for table in tables:
        if table.is_partitioned and partition_strategy == "mod":
            raise ValueError(
                f"partition_strategy must be 'div' where {table.name} is a partitioned variable, "
                "whose shards hold consecutive rows, got 'mod'."
            )


def can_be_read_in_place(*tables: Shards) -> bool:
    """Whether an op of this server can read all variables of the tables by their handles."""
    return are_together(variable for table in tables for variable in table.variables())


def open_table(
    table: Shards, *, rank: int, dtype: tf.DType | None = None, in_place: bool = True
) -> ClassTable:
    """Returns the `ClassTable` of an argument.

    Args:
      table: see `take_apart`.
      rank: 2, or 1 for a table that is a vector.
      dtype: the type that the entries must have; None takes that of the first entry.
      in_place: see `can_be_read_in_place`.
    """
    entries = []
    has_variable = False
    shape_dtype = tf.int32
    rows: int | None = 0
    for k, shard in enumerate(table.values):
        name = f"{table.name}[{k}]" if len(table.values) > 1 else table.name
        if not _is_resource_variable(shard):
            shard = entry = to_tensor(name, shard, dtype or tf.float32)
        elif in_place:
            has_variable = True
            check_device(name, shard)
            entry = shard.handle
            let_tapes_see(shard)
        else:
            entry = shard
        dtype = dtype or shard.dtype
        if shard.dtype != dtype:
            raise TypeError(
                f"{name} must be of type {dtype.name}, as the tables' other parts are, got "
                f"{shard.dtype.name}."
            )
        if table.is_list and shard.shape.rank not in (rank, None):
            raise ValueError(
                f"{table.name} is a list, so its shards must have rank {rank}, got one of shape "
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
    table: Any = value
    if not isinstance(table, (list, tuple)) and not _is_partitioned(table):
        return _variable_as_tensor(name, table)
    return [_variable_as_tensor(f"{name}[{k}]", shard) for k, shard in enumerate(table)]


def _variable_as_tensor(name: str, value: Any) -> Any:
    variable = part_on_replica(variable_of_keras(value))
    if not _is_resource_variable(variable):
        return value
    if not are_together([variable]):
        return variable.read_value()  # which crosses the network, and so is a copy
    check_device(name, variable)
    with tf.control_dependencies([ops.candsamp_share_variable(variable.handle)]):
        return variable.read_value()


def variable_of_keras(value: Any) -> Any:
    """What a variable of Keras holds; other values as is.

    Under a mixed policy its public face is no way to it: that of Keras 3, `value`, is a cast copy
    of the whole table, and what Keras 2 puts around a variable has the type of such a copy.
    """
    if hasattr(value, "true_dtype") and hasattr(value, "_variable"):  # Keras 2
        return value._variable
    if not hasattr(value, "_value") or isinstance(value, (tf.Variable, tf.Tensor)):
        return value
    scopes = sys.modules.get("keras.src.backend.common.stateless_scope")
    scope = scopes.get_stateless_scope() if scopes else None
    inner = None if scope is None else scope.get_current_value(value)
    if inner is None:
        inner = value._value
    return value.value if inner is None else inner


def _is_partitioned(value: Any) -> bool:
    """Whether a partitioner made the value: a ShardedVariable, or one of TensorFlow 1."""
    sharded = isinstance(value, tf.__internal__.distribute.ShardedVariable)
    return sharded or (hasattr(value, "partitions") and hasattr(value, "as_tensor"))


def _is_resource_variable(value: Any) -> bool:
    return isinstance(value, tf.Variable) and getattr(value, "handle", None) is not None
