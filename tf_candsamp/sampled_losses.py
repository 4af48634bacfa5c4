# SPDX-License-Identifier: Apache-2.0
"""Drop-in replacements for `tf.nn.sampled_softmax_loss` and `tf.nn.nce_loss`."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, SupportsIndex

import tensorflow as tf

from tf_candsamp._arguments.classes import class_matrix, class_vector, warn_of_rounded_labels
from tf_candsamp._arguments.scalars import fraction, positive, positive_number
from tf_candsamp._library import ops
from tf_candsamp._losses.candidates import Candidates
from tf_candsamp._losses.fetched_rows import fetch_rows
from tf_candsamp._losses.gradients import (
    STATS,
    gradients_of_inputs,
    inputs_by_name,
    kept_by_name,
    no_second_derivative,
    register_gradient,
)
from tf_candsamp._losses.inputs import loss_inputs
from tf_candsamp._losses.logit_options import LogitOptions, logit_attributes, loss_and_stats
from tf_candsamp._losses.sequences import open_positions
from tf_candsamp._results import CandidateSample, LossStats
from tf_candsamp._types import ClassTableLike, ExpectedCount, PartitionStrategy, TensorLike
from tf_candsamp.samplers import Sampler

__all__ = ["gbce_positive_weight", "nce_loss", "sampled_softmax_loss"]

Correction = Literal["log_q", "corrected_log_q", "none"]


class _Batch(NamedTuple):
    """The losses' arguments of these names: what is scored, and against which classes."""

    weights: ClassTableLike
    biases: ClassTableLike | None
    labels: TensorLike
    inputs: TensorLike
    num_classes: SupportsIndex | tf.Tensor | None
    num_true: SupportsIndex
    mask: TensorLike | None
    ignore_id: SupportsIndex | None


class _Options(NamedTuple):
    """The losses' arguments of these names, and how they make logits of scores."""

    remove_accidental_hits: bool
    partition_strategy: PartitionStrategy
    recompute: bool
    logit: LogitOptions = LogitOptions()
    return_stats: bool = False
    correction: Correction = "log_q"
    positive_weight: float = 1.0  # NCE alone

    def attributes(self, op_name: str, num_true: int) -> dict[str, Any]:
        """What the ops take for them."""
        if self.partition_strategy not in ("div", "mod"):
            raise ValueError(
                f"partition_strategy must be 'div' or 'mod', got {self.partition_strategy!r}."
            )
        nce = op_name == "nce_loss"
        corrections = ("log_q", "none") if nce else ("log_q", "corrected_log_q", "none")
        if self.correction not in corrections:
            known = " or ".join(map(repr, corrections))
            raise ValueError(f"correction must be {known}, got {self.correction!r}.")
        corrected = self.correction == "corrected_log_q"
        if corrected and num_true != 1:
            raise ValueError(
                f"num_true must be 1 where correction is 'corrected_log_q', got {num_true}."
            )
        if corrected and not self.remove_accidental_hits:
            raise ValueError(
                "remove_accidental_hits must be True where correction is 'corrected_log_q', got "
                "False."
            )
        of_loss = (
            {"positive_weight": positive_number("positive_weight", self.positive_weight)}
            if nce
            else {"corrected_log_q": corrected}
        )
        return {
            "remove_accidental_hits": self.remove_accidental_hits,
            "partition_strategy": self.partition_strategy,
            "recompute": self.recompute,
            "stats": bool(self.return_stats),
            **of_loss,
            **self.logit.attributes(),
        }


class _HitIds(NamedTuple):
    """Ids by which accidental hits are found, where that is not by class.

    A candidate is a hit of a row if its id equals one of the row's. Candidates of one class must
    have one id. For negatives from the batch: classes are positions in it, these ids are its items.
    """

    labels: TensorLike  # [B, T]
    candidates: TensorLike  # [S]

    def arguments(self, num_true: int) -> dict[str, list[tf.Tensor]]:
        """What a loss op takes of them."""
        return {
            "hit_labels": [class_matrix("hit_labels", self.labels, num_true)],
            "hit_candidates": [class_vector("hit_candidates", self.candidates)],
        }


def sampled_softmax_loss(
    weights: ClassTableLike,
    biases: ClassTableLike | None,
    labels: TensorLike,
    inputs: TensorLike,
    num_sampled: SupportsIndex | tf.Tensor,
    num_classes: SupportsIndex | tf.Tensor | None,
    num_true: SupportsIndex = 1,
    sampled_values: CandidateSample | Sequence[TensorLike] | None = None,
    remove_accidental_hits: bool = True,
    seed: SupportsIndex | None = None,
    name: str | None = "sampled_softmax_loss",
    *,
    sampler: Sampler | None = None,
    expected_count: ExpectedCount = "tf",
    update: bool | None = True,
    partition_strategy: PartitionStrategy = "div",
    recompute: bool = False,
    mask: TensorLike | None = None,
    ignore_id: SupportsIndex | None = None,
    temperature: float = 1.0,
    normalize: bool = False,
    logit_softcap: float | None = None,
    correction: Correction = "log_q",
    return_stats: bool = False,
) -> tf.Tensor | tuple[tf.Tensor, LossStats]:
    r"""Softmax cross-entropy over each row's labels and candidates that all rows share.

    Takes the arguments of `tf.nn.sampled_softmax_loss` and returns its losses. With the labels
    t_1 .. t_T of row i, the candidates n_1 .. n_S, Q(c) the expected count of class c, and
    z(c) = <weights[c], inputs[i]> + biases[c] - log Q(c), the loss of the row is

        logsumexp(z(t_1), .., z(t_T), z(n_1), .., z(n_S)) - mean_k z(t_k),

    the sampled softmax of Jean et al., arXiv 1412.2007. With options it is
    z(c) = softcap(<w, x> / temperature + biases[c]) - log Q(c), where w and x are the rows of
    weights and inputs, divided by their norms with `normalize`. It is one op forward and one
    backward. The op reads class rows from the variable in place, adds each block of logits to the
    loss while it is in the cache, and keeps one buffer of size [B, S] for the gradient, or none.

    To evaluate a model use the full softmax, whose loss this one underestimates.

    Args:
      weights: [V, D] with V >= num_classes, a row for each class: a `tf.Variable` or Keras variable
        (read in place), a tensor, or a list of shards, see `partition_strategy`. Rows from
        num_classes on, as in a table that is padded, have no gradient.
      biases: at least num_classes values, in any of these forms, of the type of `weights`; or None.
      labels: the true classes, [B, num_true], of any integer type, or of a float type, which is
        cast to int64. float32 holds ids exactly only below 2^24 (float16 below 2^11, bfloat16 below
        2^8). For sequences [B, L, num_true], or [B, L] where num_true is 1.
      inputs: [B, D], of type float32, float64, bfloat16 or float16. `weights` must have the same
        type, or float32 with the half types, whose products are summed in float32 in any case.
        For sequences [B, L, D]; more leading dimensions work alike. Each position is then a row.
      num_sampled: S, how many candidates to draw for the batch. With `sampled_values` or `sampler`
        it may be a scalar tensor.
      num_classes: the number of classes. With `sampled_values` (candidates from the batch, for
        example) it may be a scalar tensor or None: then ids must be below V.
      num_true: T, the number of labels of each row.
      sampled_values: a `CandidateSample`, or any (sampled_candidates [S], true_expected_count
        of the shape of `labels` or one that broadcasts to it, sampled_expected_count [S]), as the
        `*_candidate_sampler` functions return. They are constant for the gradient. By default
        `log_uniform_candidate_sampler` draws different candidates, which suits classes that are in
        descending order of frequency.
      remove_accidental_hits: whether a candidate that equals one of its row's labels is dropped
        from that row.
      seed: an op seed of the default sampler. See `tf.random.set_seed`.
      name: a name for the operation.
      sampler: a sampler object, such as `LearnedUnigramSampler`, that draws the candidates. It
        takes the place of `sampled_values` and `seed`.
      expected_count: "tf" or "exact", for candidates that are drawn, see
        `uniform_candidate_sampler`. `sampled_values` hold their counts already.
      update: whether a `sampler` that learns counts these labels. Pass False for validation. It has
        no effect on other samplers.
      partition_strategy: which rows the shards of a list hold. "div": consecutive ones. "mod": row
        i is in shard i mod their number.
      recompute: whether the gradient computes the products again, so that no [B, S] buffer is kept:
        less memory for one more matrix product.
      mask: bool, [B] or for sequences [B, L]: which rows count. Those that do not are left out
        before candidates are drawn: they cost no product, a sampler does not count their labels,
        and these may be any integers. Their loss is 0, and so is the gradient of their inputs.
      ignore_id: the label of rows that do not count either, such as -1 for padding. With several
        labels a row counts unless all are `ignore_id`. If that is the id of a class, rows with this
        label are left out, while the class stays among the candidates.
      temperature: a positive number by which the products are divided, before biases are added.
      normalize: whether the rows of `weights` and `inputs` are divided by their Euclidean norms, so
        that products are cosines. Only the rows of the batch are, and gradients are those of the
        rows before. A row of zeros stays one, and its gradient is 0.
      logit_softcap: a positive number c that bounds logits by c * tanh(logit / c), before log Q is
        subtracted; None for no bound. A bias of minus infinity masks its class in any case.
      correction: "log_q" subtracts log Q from each logit. "none" subtracts nothing, and counts in
        `sampled_values` may be None. "corrected_log_q" is that of Correcting the LogQ Correction
        (RecSys 2025), which needs num_true = 1 and `remove_accidental_hits`. There log Q of the
        label p is not subtracted, z(p) = s, and p is no part of the sum over candidates: with the k
        candidates left and Z = (S - Q(p)) * sum_j exp(z(n_j)), the loss is
        (1 - P) (log Z - s), where P = exp(s) / (exp(s) + Z / k) is a constant for the gradient.
        With replacement, Q is S times the probability of a draw, and this is the paper's formula.
        Without, S - Q(p) is still how many candidates are expected to be left. A row without any
        left has the loss 0. Label counts must be at most S.
      return_stats: whether to return statistics beside the losses.

    Returns:
      The losses, [B], or [B, L] for sequences: float64 for float64 `inputs`, else float32, for the
      half types too. Gradients have the types of their tensors. Those for `weights` and `biases`
      are `tf.IndexedSlices` with distinct indices, that for `inputs` is a tensor. (If two losses
      use one table, the tape joins their slices, and indices repeat.) Results have the same bits
      for any number of threads. There is no second derivative.

      With `return_stats` a tuple (losses, `LossStats`), whose log_sum_exp is that of all z of the
      row. With "corrected_log_q" it is log(exp(s) + Z / k): minus s it is the estimated loss of the
      full softmax.

    Raises:
      TypeError: for arguments of other types than those above, ragged and sparse tensors included.
      ValueError: for shapes and values that are wrong already when the graph is built.
      tf.errors.InvalidArgumentError: for class ids outside of [0, num_classes), expected counts
        that are not positive and finite (that of a label is 0 if the sampler cannot draw it), a
        number of candidates that is not num_sampled, a table with fewer rows than num_classes, or
        other shapes that do not agree. A row that the message names is one of those that count.

    Example:

    >>> weights = tf.Variable(tf.random.normal([50_000, 64]))
    >>> biases = tf.Variable(tf.zeros([50_000]))
    >>> inputs = tf.random.normal([2, 64])
    >>> tfcs.sampled_softmax_loss(weights, biases, [[3], [17]], inputs, 512, 50_000).shape
    TensorShape([2])

    Sequences, the second of which is padded:

    >>> outputs = tf.random.normal([2, 3, 64])
    >>> labels = [[3, 17, 5], [8, -1, -1]]
    >>> loss = tfcs.sampled_softmax_loss(
    ...     weights, biases, labels, outputs, 512, 50_000, ignore_id=-1)
    >>> tf.cast(loss > 0, tf.int32)
    <tf.Tensor: shape=(2, 3), dtype=int32, numpy=
    array([[1, 1, 1],
           [1, 0, 0]], dtype=int32)>
    """
    with tf.name_scope(name or "sampled_softmax_loss"):
        batch = _Batch(weights, biases, labels, inputs, num_classes, num_true, mask, ignore_id)
        candidates = Candidates(num_sampled, sampled_values, sampler, seed, expected_count, update)
        options = _Options(
            bool(remove_accidental_hits),
            partition_strategy,
            bool(recompute),
            LogitOptions(temperature, normalize, logit_softcap),
            return_stats,
            correction,
        )
        return _sampled_loss("sampled_softmax_loss", batch, candidates, options)


def nce_loss(
    weights: ClassTableLike,
    biases: ClassTableLike | None,
    labels: TensorLike,
    inputs: TensorLike,
    num_sampled: SupportsIndex | tf.Tensor,
    num_classes: SupportsIndex | tf.Tensor | None,
    num_true: SupportsIndex = 1,
    sampled_values: CandidateSample | Sequence[TensorLike] | None = None,
    remove_accidental_hits: bool = False,
    name: str | None = "nce_loss",
    *,
    seed: SupportsIndex | None = None,
    sampler: Sampler | None = None,
    expected_count: ExpectedCount = "tf",
    update: bool | None = True,
    partition_strategy: PartitionStrategy = "div",
    recompute: bool = False,
    mask: TensorLike | None = None,
    ignore_id: SupportsIndex | None = None,
    temperature: float = 1.0,
    normalize: bool = False,
    logit_softcap: float | None = None,
    correction: Literal["log_q", "none"] = "log_q",
    positive_weight: float = 1.0,
    return_stats: bool = False,
) -> tf.Tensor | tuple[tf.Tensor, LossStats]:
    r"""Noise-contrastive estimation with candidates that all rows share.

    Takes the arguments of `tf.nn.nce_loss` and returns its losses. With z as in
    `sampled_softmax_loss` the loss of a row with labels t_1 .. t_T and candidates n_1 .. n_S is

        sum over all z of softplus(z) - mean_k z(t_k),

    the logistic losses of telling labels (target 1 / T each) from candidates (target 0); Gutmann
    and Hyvarinen 2010, and Mnih and Teh, arXiv 1206.6426.

    Arguments, result and errors are those of `sampled_softmax_loss`, except that accidental hits
    stay by default, and that `correction` is "log_q" or "none". `positive_weight` is a positive
    factor of what the labels add, softplus(z(t_k)) - z(t_k) / T: see `gbce_positive_weight`.

    Example:

    >>> weights = tf.Variable(tf.random.normal([50_000, 64]))
    >>> biases = tf.Variable(tf.zeros([50_000]))
    >>> inputs = tf.random.normal([2, 64])
    >>> tfcs.nce_loss(weights, biases, [[3], [17]], inputs, 512, 50_000, seed=1).shape
    TensorShape([2])
    """
    with tf.name_scope(name or "nce_loss"):
        batch = _Batch(weights, biases, labels, inputs, num_classes, num_true, mask, ignore_id)
        candidates = Candidates(num_sampled, sampled_values, sampler, seed, expected_count, update)
        options = _Options(
            bool(remove_accidental_hits),
            partition_strategy,
            bool(recompute),
            LogitOptions(temperature, normalize, logit_softcap),
            return_stats,
            correction,
            positive_weight,
        )
        return _sampled_loss("nce_loss", batch, candidates, options)


def gbce_positive_weight(num_sampled: SupportsIndex, num_classes: SupportsIndex, t: float) -> float:
    r"""The weight of the label with which sampled scores are calibrated: gBCE's beta.

    With few of many negatives, the sigmoids of a model that is trained on them are too large.
    Petrov and Macdonald (RecSys 2023, arXiv 2308.07192) weigh the label's term by

        beta = alpha (t (1 - 1 / alpha) + 1 / alpha), alpha = num_sampled / (num_classes - 1).

    t = 0 is the plain loss, and t = 1 calibrates in full. Theirs is `nce_loss` with this
    `positive_weight`, candidates of a `UniformSampler` without the label, and correction="none".

    Args:
      num_sampled: how many negatives a row has, at most num_classes - 1.
      num_classes: the number of classes, at least 2.
      t: a number in [0, 1].

    Returns:
      beta, in (0, 1].

    Raises:
      TypeError, ValueError: for other types and values than these.

    Example:

    >>> round(tfcs.gbce_positive_weight(256, 50_000, t=0.75), 4)
    0.2538
    """
    drawn = positive("num_sampled", num_sampled)
    classes = positive("num_classes", num_classes)
    if drawn > classes - 1:
        raise ValueError(
            f"num_sampled must be at most num_classes - 1 = {classes - 1}, got {drawn}."
        )
    alpha = drawn / (classes - 1)
    return 1 - fraction("t", t) * (1 - alpha)


def _sampled_loss(
    op_name: str,
    batch: _Batch,
    candidates: Candidates,
    options: _Options,
    hit_ids: _HitIds | None = None,
) -> tf.Tensor | tuple[tf.Tensor, LossStats]:
    num_classes = candidates.num_classes(batch.num_classes)
    num_true = positive("num_true", batch.num_true)
    attributes = options.attributes(op_name, num_true)
    warn_of_rounded_labels(batch.labels, num_classes)
    inputs = loss_inputs(batch.weights, batch.biases, batch.inputs, options.partition_strategy)
    positions = open_positions(inputs.inputs, batch.mask, batch.ignore_id)
    labels = class_matrix("labels", positions.label_matrix(batch.labels), num_true, floats=True)
    positions = positions.keeping(batch.mask, batch.ignore_id, labels)
    labels = positions.rows(labels)
    inputs = inputs._replace(inputs=positions.rows(positions.flat("inputs", inputs.inputs)))
    candidates = candidates._replace(
        sampled_values=positions.sampled_values(candidates.sampled_values, batch.labels)
    )
    by_class: dict[str, list[tf.Tensor]] = {"hit_labels": [], "hit_candidates": []}
    hits = by_class if hit_ids is None else hit_ids.arguments(num_true)
    drawn = candidates.arguments(
        labels, num_classes, num_true, inputs.sum_type(), counted=options.correction != "none"
    )
    if not inputs.in_place:
        inputs, rows = fetch_rows(
            inputs,
            {"labels": labels, "sampled_candidates": drawn["sampled_candidates"]},
            num_classes=num_classes,
            partition_strategy=options.partition_strategy,
        )
        labels, num_classes = rows["labels"], -1
        drawn["sampled_candidates"] = rows["sampled_candidates"]
        attributes["partition_strategy"] = "div"
    outputs = inputs.call(
        op_name,
        labels=labels,
        num_classes=num_classes,
        num_true=num_true,
        **drawn,
        **hits,
        **attributes,
    )
    return positions.restore(loss_and_stats(outputs, options.return_stats))


# The names of the ops' inputs, and of what they put out behind the loss, in order. The gradient op
# takes the latter, except for statistics.
_INPUTS = (
    "weights",
    "biases",
    "inputs",
    "labels",
    "sampled_candidates",
    "true_expected_count",
    "sampled_expected_count",
    "hit_labels",
    "hit_candidates",
)
_KEPT = (
    *STATS,
    "class_ids",
    "class_rows",
    "label_classes",
    "sample_columns",
    "sample_offsets",
    "sample_biases",
    "label_logit_grad",
    "scales",
    "slopes",
    "weight_rows",
    "bias_rows",
)


# Attributes that the gradient op has from the loss op.
_OF_BOTH_OPS = ("remove_accidental_hits", "partition_strategy", "recompute")


def _sampled_loss_gradient(op: tf.Operation, *grads: tf.Tensor | None) -> list[Any]:
    inputs = inputs_by_name(op, _INPUTS)
    return gradients_of_inputs(
        op,
        grads,
        inputs,
        ops.candsamp_sampled_loss_grad,
        hit_labels=inputs["hit_labels"],
        hit_candidates=inputs["hit_candidates"],
        **kept_by_name(op, _KEPT),
        loss="nce" if "Nce" in op.type else "softmax",
        **{option: op.get_attr(option) for option in _OF_BOTH_OPS},
        **logit_attributes(op),
    )


register_gradient(
    _sampled_loss_gradient,
    "SampledSoftmaxLoss",
    "ResourceSampledSoftmaxLoss",
    "NceLoss",
    "ResourceNceLoss",
)
register_gradient(no_second_derivative, "SampledLossGrad")
