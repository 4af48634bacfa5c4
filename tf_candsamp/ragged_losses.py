"""Losses whose negatives differ in number from example to example."""

import numpy as np
import tensorflow as tf

from tf_candsamp import _ragged
from tf_candsamp._library import ops
from tf_candsamp._loss_ops import (
    first_order,
    gradients,
    inputs_by_name,
    no_second_derivative,
    op_for,
    sum_type,
    tables_and_inputs,
    type_attributes,
)
from tf_candsamp._tensors import warn_of_rounded_labels


def ragged_sampled_softmax_loss(
    weights,
    biases,
    labels,
    inputs,
    candidates,
    *,
    label_log_q=None,
    candidate_log_q=None,
    remove_accidental_hits=True,
    name=None,
):
    r"""Softmax cross-entropy over each row's own classes: its labels and its candidates.

    With labels t_1 .. t_T and candidates n_1 .. n_S of row i, and
    z(c) = <weights[c], inputs[i]> + biases[c] - log q(c), the loss of the row is

        logsumexp(z(t_1), .., z(t_T), z(n_1), .., z(n_S)) - mean_k z(t_k).

    A row's classes are a multiset: duplicates count each time. Only the rows of `weights` that
    occur are read, once each time they occur, and only they get a gradient: time and memory do not
    depend on the number of classes.

    Candidates given by the problem (the legal moves of a game, the documents shown) need no
    correction. For candidates drawn from a distribution pass the log expected counts of labels and
    candidates, which makes this the sampled softmax of Jean et al., arXiv 1412.2007.

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
        `weights` must have the same type, or float32 under the half types, whose products are
        summed in float32 in any case.
      candidates: ragged [B, None] or dense [B, n], of any integer type: the classes that compete
        with the labels. A row may have none.
      label_log_q: log q of each label, of a float type and finite, with the shape of `labels`; None
        is 0. Constant for the gradient.
      candidate_log_q: log q of each candidate, ragged with the row splits of `candidates`; None
        is 0. Constant for the gradient.
      remove_accidental_hits: whether a candidate that equals one of its row's labels is dropped.
        So all legal moves can be handed over, the chosen one included.
      name: a name for the operation.

    Returns:
      The losses, [B]: float64 for float64 `inputs`, else float32, for the half types, too. The
      gradients have the types of their tensors; those for `weights` and `biases` are
      `tf.IndexedSlices` with distinct indices, that for `inputs` is a tensor. (Where two losses use
      one table the tape joins their slices, and indices repeat.) The same bits for any number of
      threads. There is no second derivative.

    Raises:
      TypeError: for element types other than those above, or ragged or sparse `weights`, `biases`
        or `inputs`.
      ValueError: for shapes that are wrong already when the graph is built.
      tf.errors.InvalidArgumentError: for class ids outside of [0, V) (the message names the row
        and the id), log q that is infinite or NaN (that of a label is minus infinity if the sampler
        cannot draw it), row splits that are no row splits, sparse indices that are not in order of
        rows, numbers of rows, ranks or depths that do not agree, or a row without a label.

    Example:

    >>> weights = tf.Variable([[1., 0.], [0., 1.], [1., 1.]])
    >>> tfcs.ragged_sampled_softmax_loss(
    ...     weights, None, labels=[0, 2], inputs=[[1., 0.], [0., 1.]],
    ...     candidates=tf.ragged.constant([[0, 1], [1]]))
    <tf.Tensor: shape=(2,), dtype=float32, numpy=array([0.3132617, 0.6931472], dtype=float32)>
    """
    with tf.name_scope(name or "RaggedSampledSoftmaxLoss"):
        return _ragged_loss(
            "ragged_sampled_softmax_loss",
            weights,
            biases,
            labels,
            inputs,
            candidates,
            label_log_q,
            candidate_log_q,
            remove_accidental_hits,
        )


def ragged_nce_loss(
    weights,
    biases,
    labels,
    inputs,
    candidates,
    *,
    label_log_q=None,
    candidate_log_q=None,
    remove_accidental_hits=True,
    name=None,
):
    r"""Noise-contrastive estimation over each row's own classes: its labels and its candidates.

    With z as in `ragged_sampled_softmax_loss` the loss of a row with labels t_1 .. t_T and
    candidates n_1 .. n_S is

        sum over all z of softplus(z) - mean_k z(t_k),

    the logistic losses of telling labels (target 1 / T each) from candidates (target 0); Gutmann
    and Hyvarinen 2010, and Mnih and Teh, arXiv 1206.6426. Without labels a row's loss is that of
    its candidates alone.

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
        return _ragged_loss(
            "ragged_nce_loss",
            weights,
            biases,
            labels,
            inputs,
            candidates,
            label_log_q,
            candidate_log_q,
            remove_accidental_hits,
        )


def ragged_candidate_logits(weights, biases, inputs, candidates, name=None):
    r"""Scores of each row's candidates: <weights[c], inputs[i]> + biases[c].

    Differentiable with respect to `weights`, `biases` and `inputs`. For a variable the rows of the
    distinct candidates are kept for the gradient, as `[U, D]`; a dense tensor is not copied.

    Args:
      weights, biases, inputs, candidates: as in `ragged_sampled_softmax_loss`.
      name: a name for the operation.

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
        weights, biases, inputs = tables_and_inputs(weights, biases, inputs)
        rows = _ragged.class_ids("candidates", candidates)
        logits = op_for("ragged_candidate_logits", weights, biases)(
            weights=weights.entries,
            biases=biases.entries,
            inputs=inputs,
            candidates=rows.values,
            candidate_splits=rows.splits,
            **type_attributes(weights, biases),
        ).logits
        return rows.with_values(logits)


def _ragged_loss(
    op_name,
    weights,
    biases,
    labels,
    inputs,
    candidates,
    label_log_q,
    candidate_log_q,
    remove_accidental_hits,
):
    if isinstance(remove_accidental_hits, np.bool_):  # no bool to TensorFlow
        remove_accidental_hits = bool(remove_accidental_hits)
    weights, biases, inputs = tables_and_inputs(weights, biases, inputs)
    warn_of_rounded_labels(labels, weights.rows)
    labels = _ragged.class_ids("labels", labels, vector=True, floats=True)
    candidates = _ragged.class_ids("candidates", candidates)
    label_log_q, label_log_q_splits = _ragged.log_q("label_log_q", label_log_q, labels, vector=True)
    candidate_log_q, candidate_log_q_splits = _ragged.log_q(
        "candidate_log_q", candidate_log_q, candidates
    )
    return op_for(op_name, weights, biases)(
        weights=weights.entries,
        biases=biases.entries,
        inputs=inputs,
        labels=labels.values,
        label_splits=labels.splits,
        label_log_q=label_log_q,
        label_log_q_splits=label_log_q_splits,
        candidates=candidates.values,
        candidate_splits=candidates.splits,
        candidate_log_q=candidate_log_q,
        candidate_log_q_splits=candidate_log_q_splits,
        remove_accidental_hits=remove_accidental_hits,
        A=sum_type(inputs),
        **type_attributes(weights, biases),
    ).loss


# The arguments of the differentiable ops in order; of lists, the attribute that gives the length.
_LOSS_ARGUMENTS = (
    ("weights", "weight_types"),
    ("biases", "bias_types"),
    ("inputs", None),
    ("labels", None),
    ("label_splits", None),
    ("label_log_q", "label_log_q_count"),
    ("label_log_q_splits", "label_log_q_count"),
    ("candidates", None),
    ("candidate_splits", None),
    ("candidate_log_q", "candidate_log_q_count"),
    ("candidate_log_q_splits", "candidate_log_q_count"),
)
_LOGITS_ARGUMENTS = (
    ("weights", "weight_types"),
    ("biases", "bias_types"),
    ("inputs", None),
    ("candidates", None),
    ("candidate_splits", None),
)


def _ragged_loss_gradient(op, grad, *grads_of_kept):
    given = inputs_by_name(op, _LOSS_ARGUMENTS)
    _, label_logit_grad, candidate_logit_grad, unscaled_inputs_grad, weight_rows, bias_rows = (
        op.outputs
    )
    slices = ops.candsamp_ragged_loss_grad(
        grad=first_order(op, grad, grads_of_kept[:3]),
        inputs=given["inputs"],
        labels=given["labels"],
        label_splits=given["label_splits"],
        candidates=given["candidates"],
        candidate_splits=given["candidate_splits"],
        label_logit_grad=label_logit_grad,
        candidate_logit_grad=candidate_logit_grad,
        unscaled_inputs_grad=unscaled_inputs_grad,
        weight_rows=weight_rows,
        bias_rows=bias_rows,
        W=op.get_attr("W"),
        Tshape=op.get_attr("Tshape"),
        num_weights=len(given["weights"]),
        num_biases=len(given["biases"]),
    )
    return gradients(given, slices)


for _name in (
    "Candsamp>RaggedSampledSoftmaxLoss",
    "Candsamp>ResourceRaggedSampledSoftmaxLoss",
    "Candsamp>RaggedNceLoss",
    "Candsamp>ResourceRaggedNceLoss",
):
    tf.RegisterGradient(_name)(_ragged_loss_gradient)


def _ragged_logits_gradient(op, grad, grad_of_rows, *_):
    given = inputs_by_name(op, _LOGITS_ARGUMENTS)
    _, rows, row_ids, weight_rows, bias_rows = op.outputs
    keeps_rows = any(shard.dtype == tf.resource for shard in given["weights"])
    slices = ops.candsamp_ragged_candidate_logits_grad(
        grad=first_order(op, grad, [grad_of_rows]),
        inputs=given["inputs"],
        candidates=given["candidates"],
        candidate_splits=given["candidate_splits"],
        rows=[rows] if keeps_rows else given["weights"],
        row_ids=row_ids if keeps_rows else given["candidates"],
        weight_rows=weight_rows,
        bias_rows=bias_rows,
        Tshape=op.get_attr("Tshape"),
        num_weights=len(given["weights"]),
        num_biases=len(given["biases"]),
    )
    return gradients(given, slices)


tf.RegisterGradient("Candsamp>RaggedCandidateLogits")(_ragged_logits_gradient)
tf.RegisterGradient("Candsamp>ResourceRaggedCandidateLogits")(_ragged_logits_gradient)
tf.RegisterGradient("Candsamp>RaggedLossGrad")(no_second_derivative)
tf.RegisterGradient("Candsamp>RaggedCandidateLogitsGrad")(no_second_derivative)
