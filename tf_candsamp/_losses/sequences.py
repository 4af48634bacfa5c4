# SPDX-License-Identifier: Apache-2.0
"""Sequences as batches of a loss: the positions that count become the rows of its op.

A loss opens the positions of its inputs, which may have several leading dimensions, as in
[B, L, D]. It takes the rows of its arguments at the positions that count, and puts its results
back to where those are. For a batch [B, D] of which all rows count, every step returns what it was
given.
"""

from typing import Any, NamedTuple, SupportsIndex

import tensorflow as tf

from tf_candsamp._arguments.ragged import Rows
from tf_candsamp._arguments.scalars import integer
from tf_candsamp._arguments.tensors import (
    RAGGED,
    SPARSE,
    array_or_tensor,
    checked,
    int64_tensor,
    to_tensor,
)
from tf_candsamp._types import TensorLike


class Positions(NamedTuple):
    """The positions of a batch, and which of them count.

    lead: the static shape of `inputs` without its last dimension; None if there is nothing to do.
    shape: the same at run time: integers, or int64 [k].
    size: how many positions there are: an integer, or a scalar tensor.
    kept: int64 [n, 1], the numbers of those that count, ascending. None if all do.
    """

    lead: Any
    shape: Any = ()
    size: Any = 0
    kept: Any = None

    # Dense arguments.

    def flat(self, name: str, tensor: tf.Tensor) -> tf.Tensor:
        """[size, ..], a row for each position, of a tensor with the leading dimensions."""
        if self.lead is None:
            return tensor
        k = self.lead.rank
        got = tensor.shape[:k]
        if not got.is_compatible_with(self.lead):
            self._refuse(name, tensor.shape, [tensor.shape.rank])
        if not (got.is_fully_defined() and self.lead.is_fully_defined()):
            shape = tf.shape(tensor, out_type=tf.int64)[:k]
            message = f"{name} must have the leading dimensions of inputs,"
            tensor = checked(
                tf.reduce_all(tf.equal(shape, self.shape)),
                [message, self.shape, "got", shape],
                tensor,
            )
        tail = tensor.shape[k:]
        if tail.is_fully_defined():
            shape = [self.size, *tail.as_list()]
        else:
            shape = tf.concat([[self.size], tf.shape(tensor, out_type=tf.int64)[k:]], 0)
        tensor = tf.reshape(tensor, shape)
        tensor.set_shape(tf.TensorShape([self.lead.num_elements()]) + tail)
        return tensor

    def label_matrix(self, labels: TensorLike) -> TensorLike:
        """[size, num_true], int64, of labels with the shape of the positions or a dimension more.

        A batch [B, D] takes [B, num_true] only, with a mask as well as without.
        """
        if self.lead is None:
            return labels
        matrix = int64_tensor("labels", labels, floats=True)
        k = self.lead.rank
        self._check_rank("labels", matrix, [k, k + 1] if k > 1 else [2])
        rows = self.flat("labels", matrix)
        return rows if rows.shape.rank == 2 else rows[:, tf.newaxis]

    def sampled_values(self, values: Any, labels: TensorLike) -> Any:
        """The argument `sampled_values` with a true expected count for each label that counts."""
        if self.lead is None or values is None:
            return values
        try:
            ids, count, sampled_count = values
        except (TypeError, ValueError):
            return values  # `Candidates` refuses it.
        if count is None:
            return values
        labels = int64_tensor("labels", labels, floats=True)
        count = to_tensor("true_expected_count", count, tf.float64)
        try:
            tf.broadcast_static_shape(count.shape, labels.shape).assert_is_compatible_with(
                labels.shape
            )
        except ValueError:
            raise ValueError(
                f"true_expected_count must have the shape of labels, {labels.shape}, or broadcast "
                f"to it, got {count.shape}."
            ) from None
        count = tf.broadcast_to(count, tf.shape(labels, out_type=tf.int64))
        count.set_shape(labels.shape)
        count = self.rows(self.flat("true_expected_count", count))
        return ids, count if count.shape.rank == 2 else count[:, tf.newaxis], sampled_count

    # Which positions count.

    def keeping(self, mask: Any, ignore_id: Any, labels: tf.Tensor) -> "Positions":
        """These positions without those that `mask` or `ignore_id` ignores.

        labels: [size, num_true]. A row is ignored if all of its labels are `ignore_id`.
        """
        keeps = self._mask(mask)
        if ignore_id is not None:
            differs = tf.reduce_any(tf.not_equal(labels, integer("ignore_id", ignore_id)), 1)
            keeps = differs if keeps is None else tf.logical_and(keeps, differs)
        return self._of(keeps)

    def keeping_ragged(self, mask: Any, ignore_id: Any, labels: Rows) -> "Positions":
        """The same for ragged labels. A row without labels has none that is `ignore_id`."""
        keeps = self._mask(mask)
        if ignore_id is not None:
            differs = tf.not_equal(labels.values, integer("ignore_id", ignore_id))
            before = tf.concat([[0], tf.cumsum(tf.cast(differs, tf.int64))], 0)
            splits = self._of_all_rows("labels", labels.splits)
            others = tf.gather(before, splits[1:]) - tf.gather(before, splits[:-1])
            differs = tf.logical_or(others > 0, tf.equal(splits[1:], splits[:-1]))
            keeps = differs if keeps is None else tf.logical_and(keeps, differs)
        return self._of(keeps)

    def _mask(self, mask: Any) -> tf.Tensor | None:
        """The mask as a vector, bool [size]."""
        if mask is None:
            return None
        mask = to_tensor("mask", mask, tf.bool)
        if mask.dtype != tf.bool:
            raise TypeError(
                f"mask must be of type bool, got {mask.dtype.name}: use tf.cast(mask, tf.bool)."
            )
        self._check_rank("mask", mask, [self.lead.rank])
        return self.flat("mask", mask)

    def _of(self, keeps: tf.Tensor | None) -> "Positions":
        return self if keeps is None else self._replace(kept=tf.where(keeps))

    # What counts.

    def rows(self, tensor: tf.Tensor) -> tf.Tensor:
        """Those rows that count of a tensor with a row for each position."""
        return tensor if self.kept is None else tf.gather(tensor, self.kept[:, 0])

    def ragged_rows(self, **arguments: Any) -> dict[str, Any]:
        """The same for ragged rows: pairs of values and splits, or of lists of none or one."""
        if self.kept is None:
            return arguments
        names = list(arguments)
        kept = {}
        for name, splits_name in zip(names[::2], names[1::2], strict=True):
            values, splits = arguments[name], arguments[splits_name]
            pairs = zip(tf.nest.flatten(values), tf.nest.flatten(splits), strict=True)
            rows = [self._ragged_rows(name, *pair) for pair in pairs]
            kept[name] = tf.nest.pack_sequence_as(values, [r.values for r in rows])
            kept[splits_name] = tf.nest.pack_sequence_as(splits, [r.row_splits for r in rows])
        return kept

    def _ragged_rows(self, name: str, values: tf.Tensor, splits: tf.Tensor) -> tf.RaggedTensor:
        splits = self._of_all_rows(name, splits)
        rows = tf.RaggedTensor.from_row_splits(values, splits, validate=False)
        return tf.gather(rows, self.kept[:, 0])

    def restore(self, result: Any, ignored: int = 0) -> Any:
        """Tensors [n, ..] with the positions' dimensions, and `ignored` where one is ignored."""
        if self.lead is None:
            return result
        return tf.nest.map_structure(lambda x: self._restored(x, ignored), result)

    def _restored(self, result: tf.Tensor, ignored: int) -> tf.Tensor:
        tail = result.shape[1:]
        sizes = tf.shape(result, out_type=tf.int64)[1:]
        if self.kept is not None:
            shape = tf.concat([tf.reshape(tf.cast(self.size, tf.int64), [1]), sizes], 0)
            if ignored == 0:
                result = tf.scatter_nd(self.kept, result, shape)
            else:
                of_all = tf.fill(shape, tf.cast(ignored, result.dtype))
                result = tf.tensor_scatter_nd_update(of_all, self.kept, result)
        shape = self.shape if tail.rank == 0 else tf.concat([self.shape, sizes], 0)
        result = tf.reshape(result, shape)
        result.set_shape(self.lead + tail)
        return result

    # Ragged arguments.

    def flat_ragged(self, name: str, value: Any, *, vector: bool = False) -> Any:
        """A ragged argument with a row for each position, [size, None]; or [size] if `vector`.

        It has the leading dimensions of the positions, or is such rows already.
        """
        if value is None or self.lead is None or self.lead.rank == 1:
            return value
        k = self.lead.rank
        if isinstance(value, (*RAGGED, *SPARSE)):
            if isinstance(value, tf.RaggedTensor) and value.shape.rank == k + 1:
                return self._rows_below(name, value)
            if value.shape.rank == 2:
                return value
        else:
            value = to_tensor(name, array_or_tensor(name, value))
            if value.shape.rank == k + 1 or (vector and value.shape.rank == k):
                return self.flat(name, value)
            if value.shape.rank == 2 and not vector:
                return value
        forms = f"{self.lead}, {self.lead + [None]}" if vector else f"{self.lead + [None]}"
        raise ValueError(
            f"{name} must have shape {forms} or ragged [{self._static_size}, None], for inputs "
            f"with the positions {self.lead}, got shape {value.shape}."
        )

    def _rows_below(self, name: str, value: tf.RaggedTensor) -> Any:
        """What a ragged tensor holds below the positions' dimensions, which must be as theirs."""
        for depth in range(self.lead.rank - 1):
            if not isinstance(value, tf.RaggedTensor):  # The rest is dense.
                return tf.reshape(value, tf.concat([[self.size], tf.shape(value)[-1:]], 0))
            lengths = tf.cast(value.row_lengths(), tf.int64)
            expected = tf.fill(tf.shape(lengths), tf.cast(self.shape[depth + 1], tf.int64))
            is_uniform = tf.reduce_all(tf.equal(lengths, expected))
            if depth == 0:
                is_uniform &= tf.equal(tf.size(lengths), tf.cast(self.shape[0], tf.int32))
            message = f"{name} must have the leading dimensions of inputs,"
            error = [message, self.shape, "got rows of lengths", lengths]
            with tf.control_dependencies([tf.debugging.Assert(is_uniform, error)]):
                value = tf.nest.map_structure(tf.identity, value.values, expand_composites=True)
        return value

    def _of_all_rows(self, name: str, splits: tf.Tensor) -> tf.Tensor:
        """Row splits, which must be those of a row for each position."""
        rows = tf.size(splits, out_type=tf.int64) - 1
        message = f"{name} must have as many rows as inputs,"
        return checked(tf.equal(rows, self.size), [message, self.size, "got", rows], splits)

    # Errors.

    @property
    def _static_size(self) -> int | None:
        return self.lead.num_elements()

    def _check_rank(self, name: str, tensor: tf.Tensor, ranks: list[int]) -> None:
        if tensor.shape.rank is None:
            raise ValueError(
                f"{name} must have a known rank where inputs are sequences, or mask or ignore_id "
                "is given, got a tensor of unknown rank: use tf.ensure_shape."
            )
        if tensor.shape.rank not in ranks:
            self._refuse(name, tensor.shape, ranks)

    def _refuse(self, name: str, shape: tf.TensorShape, ranks: list[int]) -> None:
        shapes = [str(self.lead + [None] * (rank - self.lead.rank)) for rank in ranks]
        raise ValueError(
            f"{name} must have shape {' or '.join(shapes)}, since inputs have the positions "
            f"{self.lead}, got shape {shape}."
        )


def open_positions(inputs: tf.Tensor, mask: Any, ignore_id: SupportsIndex | None) -> Positions:
    """The positions of `inputs`: of [B, D], or with more leading dimensions."""
    rank = inputs.shape.rank
    if mask is None and ignore_id is None and (rank is None or rank <= 2):
        return Positions(None)
    if rank is None or rank < 2:
        raise ValueError(
            "inputs must have a known rank of at least 2 where mask or ignore_id is given, got "
            f"shape {inputs.shape}."
        )
    return positions_of(inputs)


def positions_of(inputs: tf.Tensor) -> Positions:
    """All positions of `inputs`, of a known rank, whatever it is."""
    lead = inputs.shape[:-1]
    if lead.is_fully_defined():
        return Positions(lead, lead.as_list(), lead.num_elements())
    shape = tf.shape(inputs, out_type=tf.int64)[:-1]
    return Positions(lead, shape, tf.reduce_prod(shape))
