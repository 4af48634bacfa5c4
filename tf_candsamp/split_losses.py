# SPDX-License-Identifier: Apache-2.0
"""The sampled softmax over a class table of which each worker holds a part.

A worker draws candidates from its own part, and computes the statistics of its part for the rows of
all workers. They are two numbers a row, so what crosses the network does not depend on how many
classes there are.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, SupportsIndex

import tensorflow as tf

from tf_candsamp._arguments.classes import class_vector
from tf_candsamp._arguments.scalars import integer, positive
from tf_candsamp._arguments.tensors import checked, int64_tensor, to_tensor
from tf_candsamp._results import CandidateSample
from tf_candsamp._types import ClassTableLike, ExpectedCount, TensorLike
from tf_candsamp.ragged_losses import ragged_candidate_logits
from tf_candsamp.sampled_losses import sampled_softmax_loss
from tf_candsamp.samplers import Sampler

__all__ = [
    "PartialSoftmax",
    "merge_partial_softmax",
    "partial_sampled_softmax",
    "split_sampled_softmax_loss",
]


class PartialSoftmax(NamedTuple):
    """What a part of the classes adds to the softmax of each row.

    log_sum_exp: [B], the log of the sum of exp(z) over the part's candidates, and over the row's
      label where that is in the part.
    label_logit: [B], the label's z, or -inf where it is not in the part.
    """

    log_sum_exp: tf.Tensor
    label_logit: tf.Tensor


def partial_sampled_softmax(
    weights: ClassTableLike,
    biases: ClassTableLike | None,
    labels: TensorLike,
    inputs: TensorLike,
    num_sampled: SupportsIndex,
    num_classes: SupportsIndex,
    *,
    sampler: Sampler | None = None,
    sampled_values: CandidateSample | Sequence[TensorLike] | None = None,
    expected_count: ExpectedCount = "tf",
    update: bool | None = True,
    temperature: float = 1.0,
    normalize: bool = False,
    logit_softcap: float | None = None,
    name: str | None = "partial_sampled_softmax",
) -> PartialSoftmax:
    r"""The statistics of a sampled softmax over a part of the classes.

    With the part's candidates n_1 .. n_S and the row's label t, and with z as in
    `sampled_softmax_loss`, they are

        log_sum_exp = logsumexp(z(n_1), .., z(n_S), and z(t) if t is in the part)
        label_logit = z(t) if t is in the part, else -inf.

    Candidates that equal the label are left out. `merge_partial_softmax` makes a loss of those of
    all parts. Both results are differentiable with respect to `weights`, `biases` and `inputs`.
    Classes are numbered within the part.

    Args:
      weights: [num_classes, D], the part's rows, as in `sampled_softmax_loss`.
      biases: [num_classes] likewise, or None.
      labels: [B] or [B, 1], integers. What is not in [0, num_classes) is a class of another part.
      inputs: [B, D].
      num_sampled: S, how many candidates to draw from the part.
      num_classes: how many classes the part has.
      sampler: a sampler object that draws from the part. One that learns counts the labels that are
        in the part.
      sampled_values: in its place candidates with their expected counts, as a sampler returns them.
        Those of labels, [B] or [B, 1], matter where the label is in the part.
      expected_count, update, temperature, normalize, logit_softcap: as in `sampled_softmax_loss`.
      name: a name for the operation.

    Returns:
      A `PartialSoftmax` of the type of the losses. Gradients of tables are `tf.IndexedSlices` that
      two ops have made: a label's row comes in each.

    Raises:
      TypeError, ValueError, tf.errors.InvalidArgumentError: as `sampled_softmax_loss`; or neither
        or both of sampler and sampled_values were given.

    Example:

    >>> weights = tf.Variable(tf.random.normal([500, 8]))
    >>> sampler = tfcs.LearnedUnigramSampler(500)
    >>> part = tfcs.partial_sampled_softmax(
    ...     weights, None, [3, -1], tf.random.normal([2, 8]), 20, 500, sampler=sampler)
    >>> tf.math.is_finite(part.label_logit).numpy().tolist()
    [True, False]
    """
    with tf.name_scope(name or "partial_sampled_softmax"):
        num_classes = positive("num_classes", num_classes)
        rows = _one_label_a_row("labels", int64_tensor("labels", labels))
        is_here = (rows >= 0) & (rows < num_classes)
        if (sampler is None) == (sampled_values is None):
            raise ValueError(
                "One of sampler and sampled_values must be given, got "
                + ("neither." if sampler is None else "both.")
            )
        if sampler is not None:
            ids, label_count, count = _drawn(
                sampler, rows, is_here, num_sampled, num_classes, expected_count, update
            )
        else:
            ids, label_count, count = _given(sampled_values)
            label_count = tf.broadcast_to(label_count, tf.shape(rows))
            count = tf.broadcast_to(count, tf.shape(ids))
        # The loss wants a label in each row. Where that is elsewhere, the first candidate stands in
        # for it: as the label it takes the place of all its m copies among the candidates.
        copies = tf.math.count_nonzero(tf.equal(ids, ids[0]), dtype=count.dtype)
        rows = tf.where(is_here, rows, ids[0])[:, tf.newaxis]
        label_count = tf.where(is_here, label_count, count[0] / copies)[:, tf.newaxis]
        losses, stats = sampled_softmax_loss(
            weights,
            biases,
            rows,
            inputs,
            num_sampled,
            num_classes,
            sampled_values=(ids, label_count, count),
            temperature=temperature,
            normalize=normalize,
            logit_softcap=logit_softcap,
            return_stats=True,
        )
        scores = ragged_candidate_logits(
            weights,
            biases,
            inputs,
            tf.RaggedTensor.from_uniform_row_length(rows[:, 0], 1),
            temperature=temperature,
            normalize=normalize,
            logit_softcap=logit_softcap,
        )
        score = tf.cast(scores.flat_values, losses.dtype)
        # z(t) with the value that the loss gave it, and the gradient of the score.
        logit = score + tf.stop_gradient(stats.log_sum_exp - losses - score)
        nowhere = tf.constant(float("-inf"), logit.dtype)
        return PartialSoftmax(losses + logit, tf.where(is_here, logit, nowhere))


def merge_partial_softmax(log_sum_exp: TensorLike, label_logit: TensorLike) -> tf.Tensor:
    """The losses of rows, of what all parts of the classes add to them.

        loss = logsumexp over parts of log_sum_exp - max over parts of label_logit

    Args:
      log_sum_exp: [P, B], that of each part's `PartialSoftmax`.
      label_logit: [P, B] likewise. In each row all but one are -inf.

    Returns:
      The losses, [B].

    Raises:
      TypeError, ValueError: arguments of other types and shapes.
      tf.errors.InvalidArgumentError: a row's label is in no part, or in several.

    Example:

    >>> tfcs.merge_partial_softmax([[0.5], [0.5]], [[0.25], [-np.inf]]).numpy().round(3)
    array([0.943], dtype=float32)
    """
    sums = to_tensor("log_sum_exp", log_sum_exp, tf.float32)
    logits = to_tensor("label_logit", label_logit, sums.dtype)
    for name, tensor in (("log_sum_exp", sums), ("label_logit", logits)):
        if tensor.shape.rank not in (2, None):
            raise ValueError(f"{name} must have shape [P, B], got {tensor.shape}.")
    parts = tf.math.count_nonzero(logits > float("-inf"), axis=0)
    label = checked(
        tf.reduce_all(tf.equal(parts, 1)),
        ["Each row's label must be a class of one part. Parts that have it, for each row:", parts],
        tf.reduce_max(logits, axis=0),
    )
    return tf.reduce_logsumexp(sums, axis=0) - label


def split_sampled_softmax_loss(
    weights: ClassTableLike,
    biases: ClassTableLike | None,
    labels: TensorLike,
    inputs: TensorLike,
    num_sampled: SupportsIndex,
    *,
    first_class: SupportsIndex,
    sampler: Sampler,
    expected_count: ExpectedCount = "tf",
    update: bool | None = True,
    temperature: float = 1.0,
    normalize: bool = False,
    logit_softcap: float | None = None,
    name: str | None = "split_sampled_softmax_loss",
) -> tf.Tensor:
    r"""The sampled softmax loss over a class table that is split among the replicas of a strategy.

    Each replica holds the rows of consecutive classes and a sampler for these, and brings examples
    of its own. A replica's S candidates serve the examples of all, so that P replicas have P S
    candidates a row: the loss is that of `sampled_softmax_loss` with all of them. Between replicas
    travel the inputs and labels, two numbers a row from each part, and the gradients of these; no
    row of the table does.

    Call it in replica context, in the function that `tf.distribute.Strategy.run` runs. The
    gradients of all examples come to the part of the table that they concern. They are those of the
    sum of the replicas' objectives: divide by the global batch for the gradient of the mean.

    Args:
      weights: [sampler.range_max, D], the rows of this replica's part: a variable of its own, not
        one that the strategy copies.
      biases: [sampler.range_max] likewise, or None.
      labels: [B] or [B, 1], this replica's labels: any integers, numbered over all parts.
      inputs: [B, D], this replica's examples.
      num_sampled: S, how many candidates to draw from the part.
      first_class: the class of the part's first row.
      sampler: draws from the part, and so do its seed and state belong to it alone.
      expected_count, update, temperature, normalize, logit_softcap: as in `sampled_softmax_loss`.
      name: a name for the operation.

    Returns:
      The losses of this replica's examples, [B].

    Raises:
      RuntimeError: it was called in cross-replica context.
      TypeError, ValueError, tf.errors.InvalidArgumentError: as `sampled_softmax_loss`; a label is
        in no part, or in several.

    Example:

    >>> weights, sampler = tf.Variable(tf.random.normal([500, 8])), tfcs.UniformSampler(500)
    >>> loss = tfcs.split_sampled_softmax_loss(
    ...     weights, None, [1003, 1017], tf.random.normal([2, 8]), 20,
    ...     first_class=1000, sampler=sampler)  # of a single replica
    >>> loss.shape
    TensorShape([2])
    """
    replica = tf.distribute.get_replica_context()
    if replica is None:
        raise RuntimeError(
            "split_sampled_softmax_loss must be called in replica context: in the function that "
            "strategy.run(function) runs."
        )
    if not isinstance(sampler, Sampler):
        raise TypeError(f"sampler must be one of tf_candsamp's sampler objects, got {sampler!r}.")
    first_class = integer("first_class", first_class)

    def of_all(value: tf.Tensor) -> tf.Tensor:
        # TensorFlow asks for the value's device, which a function's argument does not have.
        return replica.all_gather(tf.identity(value), axis=0)

    with tf.name_scope(name or "split_sampled_softmax_loss"):
        own = to_tensor("inputs", inputs, tf.float32)
        own_labels = _one_label_a_row("labels", int64_tensor("labels", labels))
        sizes = of_all(tf.shape(own)[:1])
        begin = tf.reduce_sum(sizes[: replica.replica_id_in_sync_group])
        part = partial_sampled_softmax(
            weights,
            biases,
            of_all(own_labels) - first_class,
            of_all(own),
            num_sampled,
            sampler.range_max,
            sampler=sampler,
            expected_count=expected_count,
            update=update,
            temperature=temperature,
            normalize=normalize,
            logit_softcap=logit_softcap,
        )
        parts = of_all(tf.stack(part)[tf.newaxis])
        losses = merge_partial_softmax(parts[:, 0], parts[:, 1])
        return losses[begin : begin + tf.shape(own)[0]]


def _one_label_a_row(name: str, labels: tf.Tensor) -> tf.Tensor:
    """[B], from [B] or [B, 1]."""
    if labels.shape.rank == 2 and labels.shape[1] in (1, None):
        labels = tf.squeeze(labels, axis=1)
    if labels.shape.rank != 1:
        raise ValueError(f"{name} must have shape [B] or [B, 1], got {labels.shape}.")
    return labels


def _drawn(
    sampler: Sampler,
    rows: tf.Tensor,
    is_here: tf.Tensor,
    num_sampled: SupportsIndex,
    num_classes: int,
    expected_count: ExpectedCount,
    update: bool | None,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Candidates, and expected counts of labels [B] and candidates: labels elsewhere have 0."""
    if not isinstance(sampler, Sampler):
        raise TypeError(f"sampler must be one of tf_candsamp's sampler objects, got {sampler!r}.")
    if sampler.range_max != num_classes:
        raise ValueError(
            f"sampler must draw from num_classes = {num_classes} classes, got one with range_max "
            f"{sampler.range_max}."
        )
    here = tf.where(is_here)
    sample = sampler.sample(
        num_sampled,
        tf.gather_nd(rows, here)[:, tf.newaxis],
        expected_count=expected_count,
        update=update,
    )
    count: Any = sample.true_expected_count  # of true classes there are
    label_count = tf.scatter_nd(here, count[:, 0], tf.shape(rows, tf.int64))
    return sample.sampled_candidates, label_count, sample.sampled_expected_count


def _given(
    sampled_values: CandidateSample | Sequence[TensorLike] | None,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The same of what the user gives."""
    try:
        ids, label_count, count = sampled_values  # type: ignore[misc]
    except (TypeError, ValueError):
        raise TypeError(
            "sampled_values must be a tuple (sampled_candidates, true_expected_count, "
            f"sampled_expected_count), got {sampled_values!r}."
        ) from None
    counts = to_tensor("sampled_expected_count", count, tf.float32)
    of_labels = to_tensor("true_expected_count", label_count, counts.dtype)
    if of_labels.shape.rank == 2:
        of_labels = tf.squeeze(of_labels, axis=1)
    return class_vector("sampled_candidates", ids), of_labels, counts
