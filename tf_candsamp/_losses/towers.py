# SPDX-License-Identifier: Apache-2.0
"""What losses of two-tower models take: vectors of queries and items, frequencies of items."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, SupportsIndex

import tensorflow as tf

from tf_candsamp._arguments.classes import class_vector
from tf_candsamp._arguments.scalars import wants_update
from tf_candsamp._arguments.tensors import checked, int64_tensor, to_tensor
from tf_candsamp._losses.sequences import Positions, positions_of
from tf_candsamp._results import CandidateSample
from tf_candsamp._types import TensorLike


class ItemFrequencies(Protocol):
    """What knows how often items occur. It may also have `update(ids)`."""

    def probability(self, ids: TensorLike) -> tf.Tensor:
        """The probability of each item, float32, the shape of ids."""


class Queries(NamedTuple):
    """Those rows of a batch that count: queries and the ids of their items.

    vectors: [B, D].
    ids: int64 [B], or None.
    positions: where they are in the arguments of the loss.
    """

    vectors: tf.Tensor
    ids: Any
    positions: Positions

    @property
    def sum_type(self) -> tf.DType:
        """The type of the losses, and of what is computed once a row."""
        return tf.float64 if self.vectors.dtype == tf.float64 else tf.float32

    @property
    def size(self) -> tf.Tensor:
        """B, in the type of the losses."""
        return tf.cast(tf.shape(self.vectors)[0], self.sum_type)

    def items(self, item: TensorLike) -> tf.Tensor:
        """The vectors of the queries' own items, [B, D]."""
        vectors = self._vectors("item", item, self.positions.lead.as_list())
        return self.positions.rows(self.positions.flat("item", vectors))

    def sampled_items(self, sampled_item: TensorLike, ids: tf.Tensor) -> tf.Tensor:
        """The vectors of the sampled items, [S, D]."""
        vectors = self._vectors("sampled_item", sampled_item, [None])
        return _as_many_as("sampled_candidates", ids, "sampled_item", vectors)

    def _vectors(self, name: str, value: TensorLike, lead: list[int | None]) -> tf.Tensor:
        """Vectors of items, [lead.., D], of a type and a length that go with the queries'."""
        dtype = self.vectors.dtype
        vectors = to_tensor(name, value, dtype)
        half = dtype.size == 2
        if vectors.dtype != dtype and not (half and vectors.dtype == tf.float32):
            types = dtype.name + (" or float32" if half else "")
            raise TypeError(
                f"{name} must be of type {types}, since query is {dtype.name}, got "
                f"{vectors.dtype.name}."
            )
        expected = tf.TensorShape(lead) + self.vectors.shape[-1:]
        if vectors.shape.rank is None or not vectors.shape.is_compatible_with(expected):
            raise ValueError(
                f"{name} must have the shape {expected}, with vectors as long as those of query, "
                f"got shape {vectors.shape}."
            )
        return vectors

    def numbers(self, name: str, value: TensorLike) -> tf.Tensor:
        """A number for each row, [B], in the type of the losses. They are constants."""
        numbers = _numbers(name, value, self.sum_type)
        if numbers.shape.rank != self.positions.lead.rank:
            raise ValueError(
                f"{name} must have the shape {self.positions.lead}, a number for each query, got "
                f"shape {numbers.shape}."
            )
        return self.positions.rows(self.positions.flat(name, numbers))


def open_queries(
    query: TensorLike,
    item_ids: TensorLike | None,
    mask: TensorLike | None,
    ignore_id: SupportsIndex | None,
) -> Queries:
    """The arguments of a loss of these names, without the rows that do not count."""
    vectors = to_tensor("query", query, tf.float32)
    if not vectors.dtype.is_floating:
        raise TypeError(f"query must be of a float type, got {vectors.dtype.name}.")
    if vectors.shape.rank is None or vectors.shape.rank < 2:
        raise ValueError(
            f"query must have a known rank of at least 2, as [B, D], got shape {vectors.shape}."
        )
    positions = positions_of(vectors)
    ids = None
    if item_ids is not None:
        ids = int64_tensor("item_ids", item_ids)
        if ids.shape.rank != positions.lead.rank:
            raise ValueError(
                f"item_ids must have the shape {positions.lead}, an id for each query, got shape "
                f"{ids.shape}."
            )
        ids = positions.flat("item_ids", ids)
    if ids is None and ignore_id is not None:
        raise ValueError("item_ids must be given where ignore_id is, got None.")
    vectors = positions.flat("query", vectors)
    positions = positions.keeping(mask, ignore_id, vectors if ids is None else ids[:, tf.newaxis])
    return Queries(positions.rows(vectors), None if ids is None else positions.rows(ids), positions)


class Frequencies(NamedTuple):
    """The losses' arguments of these names: how likely items are in a batch."""

    sampler: ItemFrequencies | None
    item_probability: Any
    update: bool | None

    def of_batch(self, queries: Queries) -> tf.Tensor:
        """Of the items of the batch, [B]; without either argument 1."""
        self._check()
        if self.sampler is not None:
            return tf.cast(self._asked(self.sampler, queries, [queries.ids])[0], queries.sum_type)
        if self.item_probability is None:
            return tf.ones(tf.shape(queries.vectors)[:1], queries.sum_type)
        return queries.numbers("item_probability", self.item_probability)

    def of_mixture(
        self, queries: Queries, sampled: tf.Tensor, *, needed: bool
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Of the items of the batch, [B], and of those that were sampled, [S]."""
        self._check()
        if self.sampler is not None:
            p, p_sampled = self._asked(self.sampler, queries, [queries.ids, sampled])
            return tf.cast(p, queries.sum_type), tf.cast(p_sampled, queries.sum_type)
        if self.item_probability is None:
            if not needed:
                return self.of_batch(queries), tf.ones(tf.shape(sampled), queries.sum_type)
            raise ValueError(
                "sampler or item_probability must say how likely items are in a batch, got neither."
            )
        try:
            p, p_sampled = self.item_probability
        except (TypeError, ValueError):
            raise TypeError(
                "item_probability must be a pair, for the items of the batch [B] and for the "
                f"sampled ones [S], got {self.item_probability!r}."
            ) from None
        return (
            queries.numbers("item_probability[0]", p),
            numbers_for("item_probability[1]", p_sampled, sampled, queries.sum_type),
        )

    def _check(self) -> None:
        if self.sampler is None:
            return
        if not hasattr(self.sampler, "probability"):
            raise TypeError(
                "sampler must have a method probability(ids), as tf_candsamp's samplers have, got "
                f"{self.sampler!r}."
            )
        if self.item_probability is not None:
            raise ValueError("Only one of sampler and item_probability may be given, got both.")

    def _asked(self, sampler: ItemFrequencies, queries: Queries, asked: list[Any]) -> Any:
        """The sampler's probabilities, read before it counts the batch's items."""
        known = [sampler.probability(ids) for ids in asked]
        if not wants_update(self.update) or not hasattr(sampler, "update"):
            return known
        with tf.control_dependencies(known):
            counted = sampler.update(queries.ids)
        # In TensorFlow 1's graphs nothing else would run the update.
        with tf.control_dependencies([] if counted is None else [counted]):
            return [tf.identity(p) for p in known]


def sample_of(
    values: CandidateSample | Sequence[TensorLike], queries: Queries
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Sampled items [S], the expected counts of the batch's items [B], and those of them [S]."""
    try:
        sampled, count, sampled_count = values
    except (TypeError, ValueError):
        raise TypeError(
            "sampled_values must be a tuple (sampled_candidates, true_expected_count, "
            f"sampled_expected_count), got {values!r}."
        ) from None
    if count is None:
        raise TypeError(
            "true_expected_count must hold the expected counts of item_ids, got None: draw with "
            "sampler.sample(num_sampled, item_ids[:, tf.newaxis])."
        )
    sampled = class_vector("sampled_candidates", sampled)
    count = to_tensor("true_expected_count", count, queries.sum_type)
    if count.shape.rank == queries.positions.lead.rank + 1 and count.shape[-1] == 1:
        count = tf.squeeze(count, -1)
    return (
        sampled,
        queries.numbers("true_expected_count", count),
        numbers_for("sampled_expected_count", sampled_count, sampled, queries.sum_type),
    )


def numbers_for(name: str, value: TensorLike, sampled: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """A number for each sampled item, [S]. They are constants."""
    numbers = _numbers(name, value, dtype)
    if numbers.shape.rank not in (1, None):
        raise ValueError(f"{name} must be a vector, got shape {numbers.shape}.")
    return _as_many_as("sampled_candidates", sampled, name, numbers)


def _numbers(name: str, value: TensorLike, dtype: tf.DType) -> tf.Tensor:
    numbers = to_tensor(name, value, dtype)
    if not (numbers.dtype.is_floating or numbers.dtype.is_integer):
        raise TypeError(f"{name} must be of a float or integer type, got {numbers.dtype.name}.")
    return tf.stop_gradient(tf.cast(numbers, dtype))


def _as_many_as(other_name: str, other: tf.Tensor, name: str, tensor: tf.Tensor) -> tf.Tensor:
    """`tensor`, an error if it has not as many rows as `other`."""
    message = f"{name} must have as many rows as {other_name},"
    got, expected = (x.shape[0] if x.shape.rank else None for x in (tensor, other))
    if got is None or expected is None:
        got, expected = tf.shape(tensor)[0], tf.shape(other)[0]
        return checked(tf.equal(got, expected), [message, expected, "got", got], tensor)
    if got != expected:
        raise ValueError(f"{message} {expected}, got {got}.")
    return tensor
