"""Class tables as arguments: variables that are read in place, dense tensors, lists of shards."""

import collections
import functools
import sys

import tensorflow as tf

from tf_candsamp._tensors import check_dense, to_tensor

_INT32_MAX = 2**31 - 1

# entries: what the op takes for each shard, a variable's handle or a tensor. shape_dtype: the type
# of the dense shape of gradient slices; int32 wherever it can hold the number of rows, since
# tf.cond's gradient accepts no other. rows: of all shards, None where that is not known yet.
Table = collections.namedtuple("Table", "entries dtype has_variable shape_dtype rows")


def open_table(name, value, *, rank, dtype=None):
    """Returns the `Table` of the argument `name`.

    Args:
      name: the argument's name, for errors.
      value: a tf.Variable, a Keras variable, anything convertible to a tensor, or a list of these,
        which are shards of consecutive rows. None is a table without entries.
      rank: 2, or 1 for a table that is a vector.
      dtype: the type that the entries must have; None takes that of the first entry.
    """
    check_dense(name, value)  # a SparseTensorValue is a tuple, but not of shards
    shards = _shards(value)
    if value is not None and not shards:
        raise ValueError(f"{name} must hold at least one shard, got an empty list.")
    entries = []
    has_variable = False
    shape_dtype = tf.int32
    rows = 0
    for k, shard in enumerate(shards):
        shard_name = f"{name}[{k}]" if len(shards) > 1 else name
        shard = _variable_of_keras(shard)
        if isinstance(shard, tf.distribute.DistributedValues):
            shard = variable_of_replica(shard)
        if _is_resource_variable(shard):
            has_variable = True
            _check_device(shard_name, shard)
            entry = shard.handle
            _let_tapes_see(shard)
        else:
            shard = entry = to_tensor(shard_name, shard, dtype or tf.float32)
        dtype = dtype or shard.dtype
        if shard.dtype != dtype:
            raise TypeError(
                f"{shard_name} must be of type {dtype.name}, as the tables' other parts are, got "
                f"{shard.dtype.name}."
            )
        if isinstance(value, (list, tuple)) and shard.shape.rank not in (rank, None):
            raise ValueError(
                f"{name} is a list, and so shards of rank {rank}, got one of shape {shard.shape}."
            )
        shard_rows = shard.shape[0] if shard.shape.rank else None
        if (shard_rows or 0) > _INT32_MAX:
            shape_dtype = tf.int64
        rows = None if rows is None or shard_rows is None else rows + shard_rows
        entries.append(entry)
    return Table(entries, dtype, has_variable, shape_dtype, rows)


def _shards(value):
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _variable_of_keras(value):
    """What a Keras 3 variable holds; other values as they are.

    Its public `value` is, under autocast, a cast copy of the whole table.
    """
    if not hasattr(value, "_value") or isinstance(value, (tf.Variable, tf.Tensor)):
        return value
    scopes = sys.modules.get("keras.src.backend.common.stateless_scope")
    scope = scopes.get_stateless_scope() if scopes else None
    inner = None if scope is None else scope.get_current_value(value)
    if inner is None:
        inner = value._value
    return value.value if inner is None else inner


def variable_of_replica(variable):
    """This replica's part of a variable of tf.distribute."""
    parts = tf.distribute.get_strategy().experimental_local_results(variable)
    if tf.distribute.get_replica_context() is None:
        return parts[0]
    return next(part for part in parts if part.handle is variable.handle)


def _check_device(name, variable):
    device = variable.device
    if device and "GPU:" in device:
        raise tf.errors.UnimplementedError(
            None,
            None,
            f"{name} is a variable on {device}, and tf_candsamp's losses have no GPU kernels yet: "
            "create it within tf.device('/CPU:0').",
        )


def _is_resource_variable(value):
    return isinstance(value, tf.Variable) and getattr(value, "handle", None) is not None


def _let_tapes_see(variable):
    """Registers a read of a variable that is handed to an op by its handle.

    A gather of no rows: unlike a dense read it never copies the variable.
    """
    variable.sparse_read(_no_ids() if tf.executing_eagerly() else tf.zeros([0], tf.int64))


@functools.cache
def _no_ids():
    """Made once: it takes a third of the time of a small loss that is called eagerly."""
    return tf.zeros([0], tf.int64)
