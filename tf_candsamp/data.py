# SPDX-License-Identifier: Apache-2.0
"""Datasets of rows that have different numbers of candidates."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, SupportsIndex

import tensorflow as tf

from tf_candsamp._arguments.scalars import integer, positive
from tf_candsamp._arguments.tensors import to_tensor
from tf_candsamp._types import TensorLike

__all__ = ["RaggedRows", "ragged_batches"]


class RaggedRows(NamedTuple):
    """Rows of different lengths, one after the other: a column for `ragged_batches`.

    values: [N, ...], of all rows.
    row_splits: integers [R + 1]; row i is values[row_splits[i] : row_splits[i + 1]].
    """

    values: TensorLike
    row_splits: TensorLike


def ragged_batches(
    columns: Any,
    batch_size: SupportsIndex,
    *,
    shuffle: bool = True,
    seed: SupportsIndex | None = None,
    reshuffle_each_iteration: bool = True,
    drop_remainder: bool = False,
    prefetch: SupportsIndex = 2,
) -> tf.data.Dataset:
    """Batches of rows with their candidates, gathered a whole batch at a time.

    `Dataset.ragged_batch` takes the columns apart into rows, carries each row through the dataset,
    and puts the rows together again. Here only the numbers of rows go through the dataset: an
    iteration draws one permutation, cuts it into batches, and gathers the rows of a batch from
    every column with one op. So a batch costs a copy of what is in it.

    Args:
      columns: a dict or tuple, nested or not, of columns that have a row for each example: arrays
        or tensors [R, ...], `tf.RaggedTensor`s [R, None], and `RaggedRows` of values and row
        splits. A single column is allowed, too. All must have the same number of rows, at least
        one. They stay in memory once.
      batch_size: how many rows a batch has. The last one has what is left.
      shuffle: whether rows come in random order, any order being as likely as any other.
      seed: an op seed that makes the orders reproducible, see `tf.random.set_seed`. If neither it
        nor a global seed is given, each dataset has a random one.
      reshuffle_each_iteration: whether each iteration over the dataset, so each epoch of `fit`, has
        an order of its own. With a seed they are the same ones each time that the program runs.
      drop_remainder: whether a last batch of less than `batch_size` rows is left out. Batches then
        have a static size.
      prefetch: how many batches are made ahead, while the model trains.

    Returns:
      A `tf.data.Dataset` whose elements have the structure of `columns`, with batches [B, ...] and
      ragged batches [B, None], of the types of the columns. Its cardinality is known. `fit` takes
      it where the structure is what it expects: a dict of the model's inputs by name, or
      `((first, second),)` for a list of inputs without targets.

    Raises:
      TypeError, ValueError: for columns that are no tensors or have no rows, numbers of rows that
        differ, or row splits that do not fit their values.

    Example:

    >>> batches = tfcs.data.ragged_batches(
    ...     {"moves": tfcs.data.RaggedRows([4, 1, 3, 2], [0, 1, 1, 4]), "choice": [4, 0, 3]},
    ...     batch_size=2, shuffle=False)
    >>> [batch["moves"].to_list() for batch in batches]
    [[[4], []], [[1, 3, 2]]]
    """
    size = positive("batch_size", batch_size)
    ahead = integer("prefetch", prefetch)
    table, rows = _columns(columns)
    batches = rows // size if drop_remainder else -(-rows // size)
    if batches == 0:
        raise ValueError(
            f"drop_remainder leaves no batch: there are {rows} rows, and batch_size is {size}."
        )

    def gather(number: tf.Tensor, order: tf.Tensor | None) -> Any:
        start = number * size
        if drop_remainder:
            chosen = start + tf.range(size, dtype=tf.int64)
        else:
            chosen = tf.range(start, tf.minimum(start + size, rows))
        if order is not None:
            chosen = tf.gather(order, chosen)
        return _map(lambda column: tf.gather(column, chosen), table)

    numbers = tf.data.Dataset.range(batches)
    if not shuffle:
        batched = numbers.map(lambda number: gather(number, None))
    else:
        batched = _seeds(seed, reshuffle_each_iteration).flat_map(
            lambda seeds: tf.data.Dataset.from_tensors(_order(rows, seeds)).interleave(
                lambda order: numbers.map(lambda number: gather(number, order)), cycle_length=1
            )
        )
        batched = batched.apply(tf.data.experimental.assert_cardinality(batches))
    return batched.prefetch(ahead) if ahead else batched


def _order(rows: int, seeds: tf.Tensor) -> tf.Tensor:
    return tf.random.experimental.stateless_shuffle(tf.range(rows, dtype=tf.int64), seeds)


def _seeds(seed: SupportsIndex | None, reshuffle: bool) -> tf.data.Dataset:
    """A dataset of one element, two seeds; other ones in each iteration if `reshuffle`."""
    number = None if seed is None else integer("seed", seed)
    seeds = tf.data.Dataset.random(seed=number, rerandomize_each_iteration=reshuffle)
    return seeds.batch(2).take(1)


def _columns(columns: Any) -> tuple[Any, int]:
    """The columns as tensors and ragged tensors, and their number of rows."""
    sizes: dict[str, int] = {}

    def column(value: Any, name: str) -> tf.Tensor | tf.RaggedTensor:
        tensor = _column(name, value)
        sizes[name] = int(tensor.nrows() if isinstance(tensor, tf.RaggedTensor) else len(tensor))
        return tensor

    table = _map_named(column, columns, "columns")
    if not sizes:
        raise ValueError("columns must hold at least one column, got none.")
    if len(set(sizes.values())) > 1:
        found = ", ".join(f"{name} {size}" for name, size in sizes.items())
        raise ValueError(f"columns must all have the same number of rows, got {found}.")
    rows = next(iter(sizes.values()))
    if rows == 0:
        raise ValueError("columns must have at least one row, got none.")
    return table, rows


def _column(name: str, value: Any) -> tf.Tensor | tf.RaggedTensor:
    if isinstance(value, RaggedRows):
        values = to_tensor(f"{name}.values", value.values)
        splits = to_tensor(f"{name}.row_splits", value.row_splits)
        if not splits.dtype.is_integer or splits.shape.rank != 1 or values.shape.rank == 0:
            raise ValueError(
                f"{name} must have values [N, ...] and integer row_splits [R + 1], got shapes "
                f"{values.shape} and {splits.shape}, the latter of type {splits.dtype.name}."
            )
        try:
            return tf.RaggedTensor.from_row_splits(values, tf.cast(splits, tf.int64))
        except (ValueError, tf.errors.InvalidArgumentError) as error:
            raise ValueError(
                f"{name}.row_splits must ascend from 0 to the number of values, {len(values)}, got "
                f"{splits.numpy()}."
            ) from error
    if isinstance(value, tf.RaggedTensor):
        return value
    tensor = to_tensor(name, value)
    if tensor.shape.rank == 0:
        raise ValueError(f"{name} must have a row for each example, got a scalar.")
    return tensor


def _map(function: Callable[[Any], Any], structure: Any) -> Any:
    return _map_named(lambda value, name: function(value), structure, "columns")


def _map_named(function: Callable[[Any, str], Any], structure: Any, name: str) -> Any:
    """function(column, its name) for all columns of dicts and tuples, in the same structure."""
    if isinstance(structure, Mapping):
        return {
            key: _map_named(function, value, f"{name}[{key!r}]") for key, value in structure.items()
        }
    if isinstance(structure, tuple) and not isinstance(structure, RaggedRows):
        return tuple(
            _map_named(function, value, f"{name}[{k}]") for k, value in enumerate(structure)
        )
    return function(structure, name)
