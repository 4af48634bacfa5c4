# SPDX-License-Identifier: Apache-2.0
"""Losses whose negatives differ in number from example to example."""

from typing import Any, NamedTuple, SupportsIndex

import numpy as np
import tensorflow as tf

from tf_candsamp._arguments.classes import warn_of_rounded_labels
from tf_candsamp._arguments.ragged import class_rows, log_q_rows
from tf_candsamp._library import ops
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
from tf_candsamp._results import LossStats
from tf_candsamp._types import ClassTableLike, RaggedLike, TensorLike

__all__ = ["ragged_candidate_logits", "ragged_nce_loss", "ragged_sampled_softmax_loss"]


class _Batch(NamedTuple):
    """The losses' arguments of these names: what is scored, and against which classes."""

    weights: ClassTableLike
    biases: ClassTableLike | None
    labels: RaggedLike
    inputs: TensorLike
    candidates: RaggedLike
    label_log_q: RaggedLike | None
    candidate_log_q: RaggedLike | None
    mask: TensorLike | None
    ignore_id: SupportsIndex | None


class _Options(NamedTuple):
    """The losses' arguments of these names, and how they make logits of scores."""

    remove_accidental_hits: bool
    logit: LogitOptions
    return_stats: bool


def ragged_sampled_softmax_loss(
    weights: ClassTableLike,
    biases: ClassTableLike | None,
    labels: RaggedLike,
    inputs: TensorLike,
    candidates: RaggedLike,
    *,
    label_log_q: RaggedLike | None = None,
    candidate_log_q: RaggedLike | None = None,
    remove_accidental_hits: bool = True,
    mask: TensorLike | None = None,
    ignore_id: SupportsIndex | None = None,
    temperature: float = 1.0,
    normalize: bool = False,
    logit_softcap: float | None = None,
    return_stats: bool = False,
    name: str | None = None,
) -> tf.Tensor | tuple[tf.Tensor, LossStats]:
    r"""Softmax cross-entropy over each row's own classes: its labels and its candidates.

    With labels t_1 .. t_T and candidates n_1 .. n_S of row i, and
    z(c) = <weights[c], inputs[i]> + biases[c] - log q(c), the loss of the row is

        logsumexp(z(t_1), .., z(t_T), z(n_1), .., z(n_S)) - mean_k z(t_k).

    With options it is z(c) = softcap(<w, x> / temperature + biases[c]) - log q(c), where w and x
    are the rows of weights and inputs, divided by their norms with `normalize`.

    A row's classes are a multiset: duplicates count each time. Only the rows of `weights` that
    occur are read, once each time they occur, and only they get a gradient: time and memory do not
    depend on the number of classes.

    Candidates given by the problem (the legal moves of a game, the documents shown) need no
    correction. For candidates drawn from a distribution pass the log expected counts of labels and
    candidates, which makes this the sampled softmax of Jean et al., arXiv 1412.2007.

    For sequences `inputs` are [B, L, D] (more leading dimensions work alike), and each position is
    a row. `labels` are [B, L] or [B, L, num_true]; `candidates` are [B, L, n] or a ragged tensor
    [B, L, None], whose second dimension may be ragged in kind but not in length. Either may also be
    ragged [B * L, None], a row for each position; log q likewise.

    A ragged argument is a `tf.RaggedTensor` with one ragged dimension; a list, tuple or object
    array of rows, each a list, range, array or tensor; a `tf.SparseTensor` [B, n], whose values are
    taken row by row, in whatever columns they are; or the value of such a tensor in TensorFlow 1.

    Args:
      weights: [V, D], a row for each class: a `tf.Variable` or Keras variable (read in place),
        a tensor, or a list of shards that hold consecutive rows.
      biases: [V], in any of these forms, of the type of `weights`; or None.
      labels: the true classes: [B], [B, num_true] or ragged [B, None], with at least one in each
        row. Of any integer type, or of a float type, which is cast to int64: float32 holds ids
        exactly only below 2^24 (float16 below 2^11, bfloat16 below 2^8).
      inputs: [B, D], of type float32, float64, bfloat16 or float16.
        `weights` must have the same type, or float32 with the half types, whose products are
        summed in float32 in any case.
      candidates: ragged [B, None] or dense [B, n], of any integer type: the classes that compete
        with the labels. A row may have none.
      label_log_q: log q of each label, of a float type and finite, with the shape of `labels`; None
        is 0. It is constant for the gradient.
      candidate_log_q: log q of each candidate, ragged with the row splits of `candidates`; None
        is 0. It is constant for the gradient.
      remove_accidental_hits: whether a candidate that equals one of its row's labels is dropped.
        With it `candidates` may be all legal moves, the chosen one included.
      mask: bool, [B] or for sequences [B, L]: which rows count. Those that do not are left out:
        they cost no product, and their labels and candidates may be any integers. Their loss is 0,
        and so is the gradient of their inputs.
      ignore_id: the label of rows that do not count either, such as -1 for padding. With several
        labels a row counts unless all are `ignore_id`. If that is the id of a class, rows with this
        label are left out.
      temperature: a positive number by which the products are divided, before biases are added.
      normalize: whether the rows of `weights` and `inputs` are divided by their Euclidean norms, so
        that products are cosines. A row of zeros stays one, and its gradient is 0. For the gradient
        the op keeps the rows of the U distinct classes, [U, D].
      logit_softcap: a positive number c that bounds logits by c * tanh(logit / c), before log q is
        subtracted; None for no bound. A bias of minus infinity masks its class in any case.
      return_stats: whether to return statistics beside the losses.
      name: a name for the operation.

    Returns:
      The losses, [B], or [B, L] for sequences: float64 for float64 `inputs`, else float32, for the
      half types too. Gradients have the types of their tensors. Those for `weights` and `biases`
      are `tf.IndexedSlices` with distinct indices, that for `inputs` is a tensor. (If two losses
      use one table, the tape joins their slices, and indices repeat.) Results have the same bits
      for any number of threads. There is no second derivative.

      With `return_stats` a tuple (losses, `LossStats`), whose log_sum_exp is that of all z of the
      row.

    Raises:
      TypeError: for element types other than those above, or ragged or sparse `weights`, `biases`
        or `inputs`.
      ValueError: for shapes that are wrong already when the graph is built.
      tf.errors.InvalidArgumentError: for class ids outside of [0, V) (the message names the row
        and the id), log q that is infinite or NaN (that of a label is minus infinity if the sampler
        cannot draw it), invalid row splits, sparse indices that are not in order of rows, numbers
        of rows, ranks or depths that do not agree, or a row without a label. A row that the message
        names is one of those that count.

    Example:

    >>> weights = tf.Variable([[1., 0.], [0., 1.], [1., 1.]])
    >>> tfcs.ragged_sampled_softmax_loss(
    ...     weights, None, labels=[0, 2], inputs=[[1., 0.], [0., 1.]],
    ...     candidates=tf.ragged.constant([[0, 1], [1]]))
    <tf.Tensor: shape=(2,), dtype=float32, numpy=array([0.3132617, 0.6931472], dtype=float32)>

    A sequence of two positions, and one of a single position:

    >>> tfcs.ragged_sampled_softmax_loss(
    ...     weights, None, labels=[[0, 2], [1, -1]], ignore_id=-1,
    ...     inputs=[[[1., 0.], [0., 1.]], [[0., 2.], [0., 0.]]],
    ...     candidates=tf.ragged.constant([[[0, 1], [1]], [[0], []]]))
    <tf.Tensor: shape=(2, 2), dtype=float32, numpy=
    array([[0.3132617, 0.6931472],
           [0.126928 , 0.       ]], dtype=float32)>
    """
    with tf.name_scope(name or "RaggedSampledSoftmaxLoss"):
        batch = _Batch(
            weights,
            biases,
            labels,
            inputs,
            candidates,
            label_log_q,
            candidate_log_q,
            mask,
            ignore_id,
        )
        logit = LogitOptions(temperature, normalize, logit_softcap)
        options = _Options(remove_accidental_hits, logit, return_stats)
        return _ragged_loss("ragged_sampled_softmax_loss", batch, options)


def ragged_nce_loss(
    weights: ClassTableLike,
    biases: ClassTableLike | None,
    labels: RaggedLike,
    inputs: TensorLike,
    candidates: RaggedLike,
    *,
    label_log_q: RaggedLike | None = None,
    candidate_log_q: RaggedLike | None = None,
    remove_accidental_hits: bool = True,
    mask: TensorLike | None = None,
    ignore_id: SupportsIndex | None = None,
    temperature: float = 1.0,
    normalize: bool = False,
    logit_softcap: float | None = None,
    return_stats: bool = False,
    name: str | None = None,
) -> tf.Tensor | tuple[tf.Tensor, LossStats]:
    r"""Noise-contrastive estimation over each row's own classes: its labels and its candidates.

    With z as in `ragged_sampled_softmax_loss` the loss of a row with labels t_1 .. t_T and
    candidates n_1 .. n_S is

        sum over all z of softplus(z) - mean_k z(t_k),

    the logistic losses of telling labels (target 1 / T each) from candidates (target 0); Gutmann
    and Hyvarinen 2010, and Mnih and Teh, arXiv 1206.6426. The loss of a row without labels is that
    of its candidates alone.

    Arguments, result and errors are those of `ragged_sampled_softmax_loss`, except that a row may
    be without a label.

    Example:

    >>> weights = tf.Variable([[1., 0.], [0., 1.], [1., 1.]])
    >>> tfcs.ragged_nce_loss(
    ...     weights, None, labels=[0, 2], inputs=[[1., 0.], [0., 1.]],
    ...     candidates=tf.ragged.constant([[0, 1], [1]]))
    <tf.Tensor: shape=(2,), dtype=float32, numpy=array([1.0064089, 1.6265235], dtype=float32)>
    """
    with tf.name_scope(name or "RaggedNceLoss"):
        batch = _Batch(
            weights,
            biases,
            labels,
            inputs,
            candidates,
            label_log_q,
            candidate_log_q,
            mask,
            ignore_id,
        )
        logit = LogitOptions(temperature, normalize, logit_softcap)
        options = _Options(remove_accidental_hits, logit, return_stats)
        return _ragged_loss("ragged_nce_loss", batch, options)


def ragged_candidate_logits(
    weights: ClassTableLike,
    biases: ClassTableLike | None,
    inputs: TensorLike,
    candidates: RaggedLike,
    name: str | None = None,
    *,
    temperature: float = 1.0,
    normalize: bool = False,
    logit_softcap: float | None = None,
) -> tf.RaggedTensor:
    r"""Scores of each row's candidates: <weights[c], inputs[i]> + biases[c].

    With options they are softcap(<w, x> / temperature + biases[c]), as in
    `ragged_sampled_softmax_loss`. Differentiable with respect to `weights`, `biases` and `inputs`.
    For the gradient the op keeps the rows of a variable's U distinct candidates, [U, D]; it does
    not copy a dense tensor.

    Args:
      weights, biases, inputs, candidates: as in `ragged_sampled_softmax_loss`.
      name: a name for the operation.
      temperature, normalize, logit_softcap: as in `ragged_sampled_softmax_loss`.

    Returns:
      A `tf.RaggedTensor` [B, None] of the type of `inputs`, with the row splits of `candidates`, of
      their type.

    Raises:
      TypeError, ValueError, tf.errors.InvalidArgumentError: as `ragged_sampled_softmax_loss`.

    Example:

    >>> weights = tf.Variable([[1., 0.], [0., 1.], [1., 1.]])
    >>> tfcs.ragged_candidate_logits(
    ...     weights, None, [[1., 0.], [0., 2.]], tf.ragged.constant([[0, 1], [1]]))
    <tf.RaggedTensor [[1.0, 0.0], [2.0]]>
    """
    with tf.name_scope(name or "RaggedCandidateLogits"):
        batch = loss_inputs(weights, biases, inputs)
        rows = class_rows("candidates", candidates)
        classes = {"candidates": rows.values}
        if not batch.in_place:
            batch, classes = fetch_rows(batch, classes)
        scored = batch.call(
            "ragged_candidate_logits",
            **classes,
            candidate_splits=rows.splits,
            A=batch.sum_type(),
            **LogitOptions(temperature, normalize, logit_softcap).attributes(),
        )
        return rows.with_values(scored.logits)


def _ragged_loss(
    op_name: str, batch: _Batch, options: _Options
) -> tf.Tensor | tuple[tf.Tensor, LossStats]:
    remove_accidental_hits = options.remove_accidental_hits
    if isinstance(remove_accidental_hits, np.bool_):  # which ops do not take for a bool
        remove_accidental_hits = bool(remove_accidental_hits)
    attributes = options.logit.attributes()
    inputs = loss_inputs(batch.weights, batch.biases, batch.inputs)
    warn_of_rounded_labels(batch.labels, inputs.weights.rows)
    positions = open_positions(inputs.inputs, batch.mask, batch.ignore_id)
    flat = positions.flat_ragged
    labels = class_rows(
        "labels", flat("labels", batch.labels, vector=True), vector=True, floats=True
    )
    candidates = class_rows("candidates", flat("candidates", batch.candidates))
    label_log_q, label_log_q_splits = log_q_rows(
        "label_log_q", flat("label_log_q", batch.label_log_q, vector=True), labels, vector=True
    )
    candidate_log_q, candidate_log_q_splits = log_q_rows(
        "candidate_log_q", flat("candidate_log_q", batch.candidate_log_q), candidates
    )
    positions = positions.keeping_ragged(batch.mask, batch.ignore_id, labels)
    inputs = inputs._replace(inputs=positions.rows(positions.flat("inputs", inputs.inputs)))
    rows = positions.ragged_rows(
        labels=labels.values,
        label_splits=labels.splits,
        label_log_q=label_log_q,
        label_log_q_splits=label_log_q_splits,
        candidates=candidates.values,
        candidate_splits=candidates.splits,
        candidate_log_q=candidate_log_q,
        candidate_log_q_splits=candidate_log_q_splits,
    )
    if not inputs.in_place:
        inputs, classes = fetch_rows(
            inputs, {name: rows[name] for name in ("labels", "candidates")}
        )
        rows.update(classes)
    outputs = inputs.call(
        op_name,
        **rows,
        remove_accidental_hits=remove_accidental_hits,
        A=inputs.sum_type(),
        stats=bool(options.return_stats),
        **attributes,
    )
    return positions.restore(loss_and_stats(outputs, options.return_stats))


# The names of the ops' inputs, and of what they put out behind the loss or the logits, in order.
_LOSS_INPUTS = (
    "weights",
    "biases",
    "inputs",
    "labels",
    "label_splits",
    "label_log_q",
    "label_log_q_splits",
    "candidates",
    "candidate_splits",
    "candidate_log_q",
    "candidate_log_q_splits",
)
_LOSS_KEPT = (
    *STATS,
    "label_logit_grad",
    "candidate_logit_grad",
    "unscaled_inputs_grad",
    "rows",
    "weight_rows",
    "bias_rows",
)
_LOGITS_INPUTS = ("weights", "biases", "inputs", "candidates", "candidate_splits")
_LOGITS_KEPT = ("rows", "row_ids", "slopes", "weight_rows", "bias_rows")


def _ragged_loss_gradient(op: tf.Operation, *grads: tf.Tensor | None) -> list[Any]:
    inputs = inputs_by_name(op, _LOSS_INPUTS)
    classes = ("labels", "label_splits", "candidates", "candidate_splits")
    return gradients_of_inputs(
        op,
        grads,
        inputs,
        ops.candsamp_ragged_loss_grad,
        **{name: inputs[name] for name in classes},
        **kept_by_name(op, _LOSS_KEPT),
        **logit_attributes(op),
    )


def _ragged_logits_gradient(op: tf.Operation, *grads: tf.Tensor | None) -> list[Any]:
    inputs = inputs_by_name(op, _LOGITS_INPUTS)
    kept = kept_by_name(op, _LOGITS_KEPT)
    # The op keeps the rows that it read of variables. Rows of tensors are read again.
    keeps_rows = any(shard.dtype == tf.resource for shard in inputs["weights"])
    return gradients_of_inputs(
        op,
        grads,
        inputs,
        ops.candsamp_ragged_candidate_logits_grad,
        candidates=inputs["candidates"],
        candidate_splits=inputs["candidate_splits"],
        rows=[kept["rows"]] if keeps_rows else inputs["weights"],
        row_ids=kept["row_ids"] if keeps_rows else inputs["candidates"],
        slopes=kept["slopes"],
        weight_rows=kept["weight_rows"],
        bias_rows=kept["bias_rows"],
        **logit_attributes(op),
    )


register_gradient(
    _ragged_loss_gradient,
    "RaggedSampledSoftmaxLoss",
    "ResourceRaggedSampledSoftmaxLoss",
    "RaggedNceLoss",
    "ResourceRaggedNceLoss",
)
register_gradient(_ragged_logits_gradient, "RaggedCandidateLogits", "ResourceRaggedCandidateLogits")
register_gradient(no_second_derivative, "RaggedLossGrad", "RaggedCandidateLogitsGrad")
