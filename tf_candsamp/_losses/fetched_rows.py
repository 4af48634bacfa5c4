# SPDX-License-Identifier: Apache-2.0
"""Class tables that lie elsewhere: on parameter servers, or on several devices.

Only the rows that a step needs travel. They are read where they are, each once, and the loss works
on these. Their gradients are slices of each shard, as those of a table that is read in place.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tf_candsamp._arguments.tables import ClassTable
from tf_candsamp._devices import on_host
from tf_candsamp._library import no_gradient, ops
from tf_candsamp._losses.inputs import LossInputs
from tf_candsamp._types import PartitionStrategy


def fetch_rows(
    inputs: LossInputs,
    ids: dict[str, tf.Tensor],
    *,
    num_classes: int = -1,
    partition_strategy: PartitionStrategy = "div",
) -> tuple[LossInputs, dict[str, tf.Tensor]]:
    """Tables of the rows of some classes alone, and these classes as rows of the tables.

    Args:
      inputs: its tables lie elsewhere.
      ids: class ids, by the names of their arguments.
      num_classes: what ids must be below; -1: how many rows the tables have.
      partition_strategy: how rows are shared out among shards.
    """
    weights, biases = inputs.weights, inputs.biases
    find = _Finder(ids, num_classes, partition_strategy)
    sizes = _shard_rows(weights)
    rows, places = find.rows_and_places("weights", sizes)
    fetched_weights = _fetched(weights, rows)
    fetched_biases = biases
    if biases.entries:
        sizes_of_biases = _shard_rows(biases)
        if sizes_of_biases == sizes:
            fetched_biases = _fetched(biases, rows)
        else:
            rows, other_places = find.rows_and_places("biases", sizes_of_biases)
            fetched_biases = _in_order_of(places, other_places, _fetched(biases, rows))
    tables = inputs._replace(weights=fetched_weights, biases=fetched_biases, in_place=True)
    return tables, dict(zip(ids, places, strict=True))


class _Finder:
    """Finds the rows of some classes in tables that are sharded differently."""

    def __init__(
        self, ids: dict[str, tf.Tensor], num_classes: int, partition_strategy: PartitionStrategy
    ) -> None:
        self._ids = list(ids.values())
        self._attributes: dict[str, Any] = {
            "names": list(ids),
            "num_classes": num_classes,
            "partition_strategy": partition_strategy,
        }

    def rows_and_places(
        self, table: str, shard_rows: Sequence[int | tf.Tensor]
    ) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        """Each shard's rows, and for each tensor of ids their places among all of these.

        Args:
          table: the argument that the shards are of, for errors.
          shard_rows: how many rows each shard has.
        """
        if all(isinstance(rows, int) for rows in shard_rows):  # else the op finds out
            self._check_rows(table, sum(shard_rows))
        with on_host():
            found = ops.candsamp_find_rows(
                ids=self._ids,
                shard_rows=tf.stack([tf.cast(rows, tf.int64) for rows in shard_rows]),
                shards=len(shard_rows),
                table=table,
                **self._attributes,
            )
        return found.rows, found.places

    def _check_rows(self, table: str, rows: int) -> None:
        num_classes = self._attributes["num_classes"]
        if rows < num_classes:
            raise ValueError(
                f"{table} must have at least num_classes = {num_classes} rows, got {rows}."
            )


def _shard_rows(table: ClassTable) -> list[int | tf.Tensor]:
    """How many rows each shard has."""
    return [_number_of_rows(shard) for shard in table.entries]


def _number_of_rows(shard: tf.Variable | tf.Tensor) -> int | tf.Tensor:
    if shard.shape.rank and shard.shape[0] is not None:
        return int(shard.shape[0])
    if isinstance(shard, tf.Variable):  # tf.shape would read it
        return tf.raw_ops.VariableShape(input=shard.handle, out_type=tf.int64)[0]
    return tf.shape(shard, tf.int64)[0]


def _fetched(table: ClassTable, rows: Sequence[tf.Tensor]) -> ClassTable:
    """A table of some rows of each shard."""
    parts = [_read(shard, of_shard) for shard, of_shard in zip(table.entries, rows, strict=True)]
    joined = parts[0] if len(parts) == 1 else tf.concat(parts, 0)
    # Through a reshape flow dense gradients: those of the loss are slices, in an order of its own.
    return _table_of(tf.reshape(joined, tf.shape(joined)), table)


def _read(shard: tf.Variable | tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    if isinstance(shard, tf.Variable):
        return shard.sparse_read(rows)  # on the shard's device
    return tf.gather(shard, rows)


def _in_order_of(
    places: Sequence[tf.Tensor], own_places: Sequence[tf.Tensor], table: ClassTable
) -> ClassTable:
    """The rows of a table in the order of another, in which the same ids have `places`."""
    (rows,) = table.entries
    to = tf.concat([tf.reshape(place, [-1, 1]) for place in places], 0)
    of = tf.concat([tf.reshape(place, [-1]) for place in own_places], 0)
    order = tf.tensor_scatter_nd_update(tf.zeros([tf.shape(rows)[0]], tf.int64), to, of)
    return _table_of(tf.gather(rows, order), table)


def _table_of(rows: tf.Tensor, like: ClassTable) -> ClassTable:
    return ClassTable([rows], like.dtype, False, tf.int32, None)


no_gradient("FindRows")
