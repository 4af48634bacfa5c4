# SPDX-License-Identifier: Apache-2.0
"""Softmax losses of two-tower models: the items of a batch are each other's negatives."""

from collections.abc import Sequence
from typing import Any, SupportsIndex, TypeAlias

import tensorflow as tf

from tf_candsamp._losses.candidates import Candidates
from tf_candsamp._losses.logit_options import LogitOptions
from tf_candsamp._losses.towers import (
    Frequencies,
    ItemFrequencies,
    Queries,
    open_queries,
    sample_of,
)
from tf_candsamp._results import CandidateSample, LossStats
from tf_candsamp._types import ClassTableLike, PartitionStrategy, TensorLike
from tf_candsamp.sampled_losses import Correction, _Batch, _HitIds, _Options, _sampled_loss
from tf_candsamp.samplers import Sampler

__all__ = ["in_batch_softmax_loss", "mixed_softmax_loss"]

_Result: TypeAlias = tf.Tensor | tuple[tf.Tensor, LossStats]


def in_batch_softmax_loss(
    query: TensorLike,
    item: TensorLike,
    item_ids: TensorLike | None,
    *,
    sampler: ItemFrequencies | None = None,
    item_probability: TensorLike | None = None,
    update: bool | None = True,
    sample_weight: TensorLike | None = None,
    remove_accidental_hits: bool = True,
    temperature: float = 1.0,
    normalize: bool = False,
    logit_softcap: float | None = None,
    correction: Correction = "log_q",
    return_stats: bool = False,
    recompute: bool = False,
    mask: TensorLike | None = None,
    ignore_id: SupportsIndex | None = None,
    name: str | None = "in_batch_softmax_loss",
) -> tf.Tensor | tuple[tf.Tensor, LossStats]:
    r"""Softmax cross-entropy of each query's item among the items of its batch.

    Row i has the query x_i and the item c_i, whose vector is y_i. The item's probability p_i is the
    chance that any one row of a batch has this item. The row's negatives are the rows j of the
    batch with another item, c_j != c_i. With z_ij = <x_i, y_j> - log(B p_j) its loss is

        w_i (logsumexp over j = i and the negatives j of z_ij  -  z_ii),

    where w is `sample_weight`. That is the log-q correction of Yi et al., RecSys 2019. Without it
    popular items, which are negatives more often, get scores that are too low by log p. (The factor
    B makes B p_j the expected count of the item in a batch. It cancels out of the loss.)

    An item that several rows have is a negative once for each of them. Items are told apart by
    their ids, as integers of 64 bits. With `remove_accidental_hits=False` the negatives are all
    rows but i.

    It is one op forward and one backward, see `sampled_softmax_loss`.

    Args:
      query: x, [B, D], of type float32, float64, bfloat16 or float16. For sequences [B, L, D]; the
        other arguments then have the leading dimensions [B, L], and each position is a row.
      item: y, [B, D], of the same type, or float32 with the half types.
      item_ids: c, [B], of any integer type and of any value: hashes will do. May be None where
        nothing needs them: with `remove_accidental_hits=False` and without `sampler`.
      sampler: what knows p, by `sampler.probability(item_ids)`. A `LearnedUnigramSampler` learns it
        from the batches, a `FrequencyEstimator` for ids of any value, too; a `FixedUnigramSampler`
        has it from the counts of a data set.
      item_probability: p, [B], in place of `sampler`. With neither all items count as equally
        likely: nothing is corrected.
      update: whether a `sampler` that learns counts `item_ids`, after p was read. Pass False for
        validation.
      sample_weight: w, [B]. None stands for ones. A row of weight 0 is still a negative of others.
      remove_accidental_hits: whether rows with a row's own item are no negatives of it.
      temperature: a positive number by which the products <x, y> are divided.
      normalize: whether x and y are divided by their Euclidean norms, so that products are cosines.
      logit_softcap: a bound of the logits, before log(B p) is subtracted, see
        `sampled_softmax_loss`; or None.
      correction: "log_q" is the above, "none" subtracts nothing. "corrected_log_q" is that of
        Correcting the LogQ Correction (RecSys 2025), see `sampled_softmax_loss`: the row's own item
        is not corrected and is no part of the sum. That needs p, and p is at most 1.
      return_stats: whether to return `LossStats`, too.
      recompute: whether the gradient computes the products again, so that no [B, B] buffer is kept.
      mask: bool, [B]: which rows count. The others are left out first: they are no negatives
        either, they are not counted, and their loss is 0.
      ignore_id: the id of rows that do not count, such as -1 for padding.
      name: a name for the operation.

    Returns:
      The losses, [B]: float64 for float64 queries, else float32. Gradients of `query` and `item`
      are tensors. p and w are constants.

      With `return_stats` a tuple (losses, `LossStats`): the log of the sum of exp(z), which w does
      not change, and whether no negative has a z above that of the row's own item. Rows that do not
      count have 0 and False.

    Raises:
      TypeError: for arguments of other types than those above.
      ValueError: for shapes and values that are wrong already when the graph is built.
      tf.errors.InvalidArgumentError: for shapes that do not agree, ids that `sampler` does not
        know, or expected counts B p that are not positive and finite.

    Example:

    >>> item = tf.constant([[1., 0.], [0., 1.], [0., 2.]])
    >>> p = [0.5, 0.25, 0.25]
    >>> tfcs.in_batch_softmax_loss(item, item, [7, 8, 8], item_probability=p).numpy().round(4)
    array([0.9048, 0.1688, 0.0091], dtype=float32)

    Frequencies that are learned from the batches:

    >>> sampler = tfcs.LearnedUnigramSampler(1000)
    >>> tfcs.in_batch_softmax_loss(item, item, [7, 8, 8], sampler=sampler).shape
    TensorShape([3])
    >>> sampler.counts.numpy()[6:9].tolist()
    [0, 1, 2]
    """
    with tf.name_scope(name or "in_batch_softmax_loss"):
        queries = open_queries(query, item_ids, mask, ignore_id)
        if queries.ids is None and (remove_accidental_hits or sampler is not None):
            raise ValueError(
                "item_ids must be given, unless remove_accidental_hits is False and sampler None."
            )
        _check_hits_removed(remove_accidental_hits, correction)
        if correction == "corrected_log_q" and sampler is None and item_probability is None:
            raise ValueError(
                "sampler or item_probability must be given where correction is 'corrected_log_q'."
            )
        options = _Options(
            True,
            "div",
            bool(recompute),
            LogitOptions(temperature, normalize, logit_softcap),
            bool(return_stats),
            correction,
        )
        p = Frequencies(sampler, item_probability, update).of_batch(queries)
        loss = _loss_of_vectors(
            queries,
            queries.items(item),
            queries.size * p,
            queries.ids if remove_accidental_hits else None,
            options,
        )
        return _weighted(loss, sample_weight, queries)


def mixed_softmax_loss(
    query: TensorLike,
    item_ids: TensorLike,
    sampled_values: CandidateSample | Sequence[TensorLike] | None = None,
    *,
    item: TensorLike | None = None,
    sampled_item: TensorLike | None = None,
    weights: ClassTableLike | None = None,
    biases: ClassTableLike | None = None,
    negatives: Sampler | None = None,
    num_sampled: SupportsIndex | tf.Tensor | None = None,
    sampler: ItemFrequencies | None = None,
    item_probability: Sequence[TensorLike] | None = None,
    update: bool | None = True,
    sample_weight: TensorLike | None = None,
    remove_accidental_hits: bool = True,
    temperature: float = 1.0,
    normalize: bool = False,
    logit_softcap: float | None = None,
    correction: Correction = "log_q",
    return_stats: bool = False,
    partition_strategy: PartitionStrategy = "div",
    recompute: bool = False,
    mask: TensorLike | None = None,
    ignore_id: SupportsIndex | None = None,
    name: str | None = "mixed_softmax_loss",
) -> tf.Tensor | tuple[tf.Tensor, LossStats]:
    r"""Softmax cross-entropy whose negatives are the batch's items and sampled items.

    The negatives of row i are the rows of the batch with another item, as in
    `in_batch_softmax_loss`, and those of the S sampled items n_1 .. n_S that are not its own. An
    item c may come from either source: p(c) is the chance that a row of a batch has it, and Q(c)
    its expected count among the sampled items. So its expected count among both is

        E(c) = B p(c) + Q(c),

    where Q(c) = S q(c) for items drawn with replacement, and less for different items. With
    z_i(c) = <x_i, y_c> - log E(c) the loss of the row is

        w_i (logsumexp of z_i over its item and its negatives  -  z_i(c_i)),

    the mixed negative sampling of Yang et al., WWW 2020. The sampled items show the model what
    batches hardly ever hold. An item's E is the same whichever source brought it. Therefore the sum
    of exp(z_i) over the batch and the sampled items estimates the sum of exp(<x_i, y_c>) over all
    items without bias, if p and Q are right.

    The vectors y are those of an item tower, `item` and `sampled_item`, or rows of a class table,
    `weights`, which is read in place.

    Args:
      query: x, [B, D], of type float32, float64, bfloat16 or float16, or for sequences [B, L, D],
        as in `in_batch_softmax_loss`.
      item_ids: c, [B], of any integer type.
      sampled_values: n [S], Q(c) [B] or [B, 1], and Q(n) [S]: the `CandidateSample` of a sampler
        that was told the items of the batch, `sampler.sample(S, item_ids[:, tf.newaxis])`.
      item: y of the batch's items, [B, D], of the type of `query`, or float32 with the half types.
      sampled_item: y of the sampled items, [S, D].
      weights: y of all items, [V, D], in place of `item` and `sampled_item`: a table as in
        `sampled_softmax_loss`. `item_ids` and n are rows of it.
      biases: for `weights` alone: added to <x, y>, see `sampled_softmax_loss`; or None.
      negatives: a sampler object that draws n, in place of `sampled_values`. Its expected counts
        are the exact ones.
      num_sampled: S, how many items `negatives` draws.
      sampler: what knows p, by `sampler.probability(ids)` of c and n, see `in_batch_softmax_loss`.
      item_probability: (p(c) [B], p(n) [S]), in place of `sampler`. One of both must be given, but
        with correction="none".
      update: whether `sampler` and `negatives` count `item_ids`, if they learn. One object in both
        places counts once.
      sample_weight: w, [B]. None stands for ones. A row of weight 0 is still a negative of others.
      remove_accidental_hits: False makes all other rows and all sampled items negatives. With
        `weights` it must be True.
      temperature: a positive number by which the products <x, y> are divided.
      normalize: whether x and y are divided by their Euclidean norms, so that products are cosines.
      logit_softcap: a bound of the logits, before log E is subtracted, see
        `sampled_softmax_loss`; or None.
      correction: "log_q" is the above, "none" subtracts nothing. "corrected_log_q" is that of
        Correcting the LogQ Correction (RecSys 2025), see `sampled_softmax_loss`: the row's own item
        is not corrected and is no part of the sum.
      return_stats: whether to return `LossStats`, too.
      partition_strategy: of the shards of `weights`, see `sampled_softmax_loss`.
      recompute: whether the gradient computes the products again, so that no [B, B + S] buffer is
        kept.
      mask, ignore_id: as in `in_batch_softmax_loss`.
      name: a name for the operation.

    Returns:
      The losses, [B]: float64 for float64 queries, else float32. Gradients of `query`, `item` and
      `sampled_item` are tensors, those of `weights` and `biases` are `tf.IndexedSlices` with
      distinct indices. Counts, p and w are constants.

      With `return_stats` a tuple (losses, `LossStats`): the log of the sum of exp(z), which w does
      not change, and whether no negative has a z above that of the row's own item. Rows that do not
      count have 0 and False.

    Raises:
      TypeError: for arguments of other types than those above.
      ValueError: for shapes and values that are wrong already when the graph is built.
      tf.errors.InvalidArgumentError: for shapes that do not agree, ids that a sampler or `weights`
        do not have, or expected counts E that are not positive and finite.

    Example:

    >>> table = tf.Variable(tf.random.normal([1000, 16]))
    >>> query = tf.random.normal([2, 16])
    >>> tfcs.mixed_softmax_loss(
    ...     query, [3, 17], weights=table, sampler=tfcs.LearnedUnigramSampler(1000),
    ...     negatives=tfcs.UniformSampler(1000), num_sampled=64).shape
    TensorShape([2])

    With an item tower, which sees the sampled items, too:

    >>> ids = tf.constant([3, 17])
    >>> sample = tfcs.UniformSampler(1000).sample(64, ids[:, tf.newaxis])
    >>> tower = lambda ids: tf.gather(table, ids)
    >>> tfcs.mixed_softmax_loss(
    ...     query, ids, sample, item=tower(ids), sampled_item=tower(sample.sampled_candidates),
    ...     sampler=tfcs.LearnedUnigramSampler(1000)).shape
    TensorShape([2])
    """
    with tf.name_scope(name or "mixed_softmax_loss"):
        _check_one_source(item, sampled_item, weights, biases, remove_accidental_hits)
        _check_hits_removed(remove_accidental_hits, correction)
        options = _Options(
            True,
            partition_strategy,
            bool(recompute),
            LogitOptions(temperature, normalize, logit_softcap),
            bool(return_stats),
            correction,
        )
        queries = open_queries(query, item_ids, mask, ignore_id)
        sample = _given_or_drawn(sampled_values, negatives, num_sampled, sampler, update, queries)
        sampled, count, sampled_count = sample
        p, p_sampled = Frequencies(sampler, item_probability, update).of_mixture(
            queries, sampled, needed=correction != "none"
        )
        count += queries.size * p
        counts = tf.concat([count, sampled_count + queries.size * p_sampled], 0)
        ids = tf.concat([queries.ids, sampled], 0)
        if weights is None:
            items = [queries.items(item), queries.sampled_items(sampled_item, sampled)]
            hit_ids = ids if remove_accidental_hits else None
            loss = _loss_of_vectors(queries, tf.concat(items, 0), counts, hit_ids, options)
        else:
            batch = _Batch(
                weights, biases, queries.ids[:, tf.newaxis], queries.vectors, None, 1, None, None
            )
            loss = _loss(batch, CandidateSample(ids, count[:, tf.newaxis], counts), options)
        return _weighted(loss, sample_weight, queries)


def _check_one_source(
    item: Any, sampled_item: Any, weights: Any, biases: Any, remove_accidental_hits: bool
) -> None:
    """Refuses items that are given in both ways, in neither, or in half of one."""
    if (item is None) != (sampled_item is None) or (item is None) == (weights is None):
        given = {"item": item, "sampled_item": sampled_item, "weights": weights}
        names = [name for name, value in given.items() if value is not None]
        raise ValueError(
            "Either item and sampled_item or weights must be given, got "
            f"{' and '.join(names) or 'none of them'}."
        )
    if weights is None and biases is not None:
        raise ValueError("biases must be None where weights is None.")
    if weights is not None and not remove_accidental_hits:
        raise ValueError(
            "remove_accidental_hits must be True where weights are given: pass rows of the table "
            "as item and sampled_item."
        )


def _given_or_drawn(
    values: CandidateSample | Sequence[TensorLike] | None,
    negatives: Sampler | None,
    num_sampled: SupportsIndex | tf.Tensor | None,
    sampler: Any,
    update: bool | None,
    queries: Queries,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Sampled items, and the expected counts of the batch's items and of them."""
    if (values is None) == (negatives is None):
        raise ValueError(
            "Either sampled_values or negatives must be given, got "
            f"{'neither' if negatives is None else 'both'}."
        )
    if (negatives is None) != (num_sampled is None):
        raise ValueError("num_sampled must be given with negatives, and not without.")
    if values is not None:
        return sample_of(values, queries)
    if not isinstance(negatives, Sampler):
        raise TypeError(f"negatives must be one of tf_candsamp's samplers, got {negatives!r}.")
    sample = negatives.sample(
        num_sampled,
        queries.ids[:, tf.newaxis],
        expected_count="exact",
        update=update and negatives is not sampler,  # `sampler` counts by itself
    )
    return (
        sample.sampled_candidates,
        tf.cast(tf.reshape(sample.true_expected_count, [-1]), queries.sum_type),
        tf.cast(sample.sampled_expected_count, queries.sum_type),
    )


def _loss_of_vectors(
    queries: Queries,
    items: tf.Tensor,
    counts: tf.Tensor,
    ids: tf.Tensor | None,
    options: _Options,
) -> _Result:
    """The loss whose candidates are all of `items` [N, D], and whose label of row i is row i.

    By their `ids` [N] the rows with a row's own item are no negatives. Without them only the row
    itself is none.
    """
    # The op's gradient of items is slices, for all rows. The gradient of a reshape is a tensor.
    items = tf.reshape(items, tf.shape(items))
    candidates = tf.range(tf.shape(counts, tf.int64)[0])
    rows = tf.shape(queries.vectors)[0]
    labels = candidates[:rows, tf.newaxis]
    batch = _Batch(items, None, labels, queries.vectors, None, 1, None, None)
    sample = CandidateSample(candidates, counts[:rows, tf.newaxis], counts)
    hits = None if ids is None else _HitIds(ids[:rows, tf.newaxis], ids)
    return _loss(batch, sample, options._replace(partition_strategy="div"), hits)


def _loss(
    batch: _Batch, sample: CandidateSample, options: _Options, hits: _HitIds | None = None
) -> _Result:
    size = tf.shape(sample.sampled_candidates)[0]
    candidates = Candidates(size, sample, None, None, "tf", None)
    return _sampled_loss("sampled_softmax_loss", batch, candidates, options, hits)


def _weighted(result: _Result, weight: TensorLike | None, queries: Queries) -> _Result:
    """The losses, times their weights, and statistics, at the positions of the queries."""
    if weight is not None:
        weights = queries.numbers("sample_weight", weight)
        if isinstance(result, tuple):
            result = result[0] * weights, result[1]
        else:
            result *= weights
    restored: _Result = queries.positions.restore(result)
    return restored


def _check_hits_removed(remove_accidental_hits: bool, correction: Correction) -> None:
    if correction == "corrected_log_q" and not remove_accidental_hits:
        raise ValueError(
            "remove_accidental_hits must be True where correction is 'corrected_log_q', got False."
        )
