"""Class tables as arguments: variables that are read in place, dense tensors, lists of shards."""

import collections

import tensorflow as tf

_INT32_MAX = 2**31 - 1

# entries: what the op takes for each shard, a variable's handle or a tensor. shape_dtype: the type
# of the dense shape of gradient slices; int32 wherever it can hold the number of rows, since
# tf.cond's gradient accepts no other.
Table = collections.namedtuple("Table", "entries dtype has_variable shape_dtype")


def open_table(name, value, dtype=None):
    """Returns the `Table` of the argument `name`.

    Args:
      name: the argument's name, for errors.
      value: a tf.Variable, a Keras variable, anything convertible to a tensor, or a list of these,
        which are shards of consecutive rows. None is a table without entries.
      dtype: the type that the entries must have; None takes that of the first entry.
    """
    shards = _shards(value)
    if value is not None and not shards:
        raise ValueError(f"{name} must hold at least one shard, got an empty list.")
    entries = []
    has_variable = False
    shape_dtype = tf.int32
    for k, shard in enumerate(shards):
        shard_name = f"{name}[{k}]" if len(shards) > 1 else name
        shard = _unwrap(shard)
        if _is_resource_variable(shard):
            has_variable = True
            entry = shard.handle
            _let_tapes_see(shard)
        else:
            shard = entry = tf.convert_to_tensor(shard, dtype_hint=dtype or tf.float32)
        dtype = dtype or shard.dtype
        if shard.dtype != dtype:
            raise TypeError(
                f"{shard_name} must be of type {dtype.name}, as the tables' other parts are, got "
                f"{shard.dtype.name}."
            )
        if shard.shape.rank and (shard.shape[0] or 0) > _INT32_MAX:
            shape_dtype = tf.int64
        entries.append(entry)
    return Table(entries, dtype, has_variable, shape_dtype)


def _shards(value):
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _unwrap(value):
    """The tf.Variable inside of a Keras 3 variable; other values as they are."""
    inner = getattr(value, "value", None)
    if inner is None or callable(inner) or tf.is_tensor(value) and isinstance(value, tf.Tensor):
        return value
    if not isinstance(inner, tf.Variable):
        # Under autocast `value` is a cast copy of the whole table.
        inner = getattr(value, "_value", inner)
    return inner


def _is_resource_variable(value):
    return isinstance(value, tf.Variable) and getattr(value, "handle", None) is not None


def _let_tapes_see(variable):
    """Registers a read of a variable that is handed to an op by its handle.

    A gather of no rows: unlike a dense read it never copies the variable.
    """
    variable.sparse_read(tf.zeros([0], tf.int64))
