"""Drop-in replacements for `tf.nn.sampled_softmax_loss` and `tf.nn.nce_loss`."""

import collections

import tensorflow as tf

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
from tf_candsamp._sampling import count_tensor, integer, positive, wants_exact
from tf_candsamp._tensors import class_ids, to_tensor, warn_of_rounded_labels
from tf_candsamp.candidate_samplers import log_uniform_candidate_sampler
from tf_candsamp.samplers import Sampler

# Where the candidates come from: the losses' arguments of these names.
_Candidates = collections.namedtuple(
    "_Candidates", "num_sampled sampled_values sampler seed expected_count update"
)


def sampled_softmax_loss(
    weights,
    biases,
    labels,
    inputs,
    num_sampled,
    num_classes,
    num_true=1,
    sampled_values=None,
    remove_accidental_hits=True,
    seed=None,
    name="sampled_softmax_loss",
    *,
    sampler=None,
    expected_count="tf",
    update=True,
    partition_strategy="div",
    recompute=False,
):
    r"""Softmax cross-entropy over each row's labels and candidates that all rows share.

    Takes the arguments of `tf.nn.sampled_softmax_loss` and returns its losses. With the labels
    t_1 .. t_T of row i, the candidates n_1 .. n_S, Q(c) the expected count of class c, and
    z(c) = <weights[c], inputs[i]> + biases[c] - log Q(c), the loss of the row is

        logsumexp(z(t_1), .., z(t_T), z(n_1), .., z(n_S)) - mean_k z(t_k),

    the sampled softmax of Jean et al., arXiv 1412.2007. It is one op forward and one backward:
    class rows are gathered from the variable where it lies, a block of logits becomes a part of the
    loss while it is in the cache, and one buffer of size [B, S] is kept for the gradient, or none.

    To evaluate a model use the full softmax: this loss underestimates its.

    Args:
      weights: [V, D] with V >= num_classes, a row for each class: a `tf.Variable` or Keras variable
        (read in place), a tensor, or a list of shards, see `partition_strategy`. Rows from
        num_classes on, as in a table that is padded, have no gradient.
      biases: at least num_classes values, in any of these forms, of the type of `weights`. May be
        None.
      labels: the true classes, [B, num_true], of any integer type, or of a float type, which is
        cast to int64. float32 holds ids exactly only below 2^24 (float16 below 2^11, bfloat16 below
        2^8).
      inputs: [B, D], of type float32, float64, bfloat16 or float16. `weights` must have the same
        type, or float32 under the half types, whose products are summed in float32 in any case.
      num_sampled: S, how many candidates to draw for the batch. With `sampled_values` or `sampler`
        it may be a scalar tensor.
      num_classes: the number of classes. With `sampled_values`, of candidates that come from the
        batch for example, it may be a scalar tensor or None: ids are then below V.
      num_true: T, the number of labels of each row.
      sampled_values: a `CandidateSample`, or any (sampled_candidates [S], true_expected_count
        [B, num_true] or what broadcasts to it, sampled_expected_count [S]), as the
        `*_candidate_sampler` functions return. Constant for the gradient. By default candidates
        are drawn by `log_uniform_candidate_sampler`, different from each other: for classes in
        descending order of frequency.
      remove_accidental_hits: whether a candidate that equals one of its row's labels is dropped
        from that row.
      seed: an op seed of the default sampler. See `tf.random.set_seed`.
      name: a name for the operation.
      sampler: a sampler object, `LearnedUnigramSampler` for one, to draw the candidates with.
        Instead of `sampled_values` and `seed`.
      expected_count: "tf" or "exact", of the candidates that are drawn, see
        `uniform_candidate_sampler`. `sampled_values` hold their counts already.
      update: whether a `sampler` that learns counts these labels. False where a model is validated;
        without effect on all others.
      partition_strategy: which rows the shards of a list hold. "div": consecutive ones. "mod": row
        i is in shard i mod their number.
      recompute: keep no [B, S] buffer for the gradient, which computes the products again: less
        memory for one more matrix product.

    Returns:
      The losses, [B]: float64 for float64 `inputs`, else float32, for the half types, too. The
      gradients have the types of their tensors; those for `weights` and `biases` are
      `tf.IndexedSlices` with distinct indices, that for `inputs` is a tensor. (Where two losses use
      one table the tape joins their slices, and indices repeat.) The same bits for any number of
      threads. There is no second derivative.

    Raises:
      TypeError: for arguments of other types than those above, ragged and sparse tensors included.
      ValueError: for shapes and values that are wrong already when the graph is built.
      tf.errors.InvalidArgumentError: for class ids outside of [0, num_classes), expected counts
        that are not positive and finite (that of a label is 0 if the sampler cannot draw it), a
        number of candidates that is not num_sampled, a table with fewer rows than num_classes, or
        other shapes that do not agree.

    Example:

    >>> weights = tf.Variable(tf.random.normal([50_000, 64]))
    >>> biases = tf.Variable(tf.zeros([50_000]))
    >>> inputs = tf.random.normal([2, 64])
    >>> tfcs.sampled_softmax_loss(weights, biases, [[3], [17]], inputs, 512, 50_000).shape
    TensorShape([2])
    """
    with tf.name_scope(name or "sampled_softmax_loss"):
        return _sampled_loss(
            "sampled_softmax_loss",
            weights,
            biases,
            labels,
            inputs,
            num_classes,
            num_true,
            _Candidates(num_sampled, sampled_values, sampler, seed, expected_count, update),
            remove_accidental_hits=bool(remove_accidental_hits),
            partition_strategy=partition_strategy,
            recompute=bool(recompute),
        )


def nce_loss(
    weights,
    biases,
    labels,
    inputs,
    num_sampled,
    num_classes,
    num_true=1,
    sampled_values=None,
    remove_accidental_hits=False,
    name="nce_loss",
    *,
    seed=None,
    sampler=None,
    expected_count="tf",
    update=True,
    partition_strategy="div",
    recompute=False,
):
    r"""Noise-contrastive estimation with candidates that all rows share.

    Takes the arguments of `tf.nn.nce_loss` and returns its losses. With z as in
    `sampled_softmax_loss` the loss of a row with labels t_1 .. t_T and candidates n_1 .. n_S is

        sum over all z of softplus(z) - mean_k z(t_k),

    the logistic losses of telling labels (target 1 / T each) from candidates (target 0); Gutmann
    and Hyvarinen 2010, and Mnih and Teh, arXiv 1206.6426.

    Arguments, result and errors are those of `sampled_softmax_loss`, except that accidental hits
    stay by default.

    Example:

    >>> weights = tf.Variable(tf.random.normal([50_000, 64]))
    >>> biases = tf.Variable(tf.zeros([50_000]))
    >>> inputs = tf.random.normal([2, 64])
    >>> tfcs.nce_loss(weights, biases, [[3], [17]], inputs, 512, 50_000, seed=1).shape
    TensorShape([2])
    """
    with tf.name_scope(name or "nce_loss"):
        return _sampled_loss(
            "nce_loss",
            weights,
            biases,
            labels,
            inputs,
            num_classes,
            num_true,
            _Candidates(num_sampled, sampled_values, sampler, seed, expected_count, update),
            remove_accidental_hits=bool(remove_accidental_hits),
            partition_strategy=partition_strategy,
            recompute=bool(recompute),
        )


def _sampled_loss(
    op_name, weights, biases, labels, inputs, num_classes, num_true, candidates, **attributes
):
    """The loss by the op of this name; `attributes` are those of the op that need no change."""
    strategy = attributes["partition_strategy"]
    if strategy not in ("div", "mod"):
        raise ValueError(f"partition_strategy must be 'div' or 'mod', got {strategy!r}.")
    num_classes = _num_classes(num_classes, candidates)
    num_true = positive("num_true", num_true)
    warn_of_rounded_labels(labels, num_classes)
    labels = class_ids("labels", labels, floats=True)
    if labels.shape.rank not in (2, None) or (
        labels.shape.rank == 2 and labels.shape[1] not in (num_true, None)
    ):
        raise ValueError(
            f"labels must have shape [batch_size, num_true = {num_true}], got {labels.shape}."
        )
    weights, biases, inputs = tables_and_inputs(weights, biases, inputs)
    num_sampled = _unless_tensor(integer, "num_sampled", candidates.num_sampled)
    sampled, true_count, sampled_count = _given_or_drawn(candidates, labels, num_classes, num_true)
    sampled = class_ids("sampled_candidates", sampled)
    if sampled.shape.rank not in (1, None):
        raise ValueError(f"sampled_candidates must be a vector [S], got shape {sampled.shape}.")
    if not tf.is_tensor(candidates.num_sampled) and sampled.shape.rank == 1:
        if sampled.shape[0] not in (num_sampled, None):
            raise ValueError(
                f"sampled_values must hold num_sampled = {num_sampled} candidates, got "
                f"{sampled.shape[0]}."
            )
    count_type = sum_type(inputs)
    return op_for(op_name, weights, biases)(
        weights=weights.entries,
        biases=biases.entries,
        inputs=inputs,
        labels=labels,
        sampled_candidates=sampled,
        true_expected_count=_expected_count(
            "true_expected_count", true_count, "labels", labels, count_type
        ),
        sampled_expected_count=_expected_count(
            "sampled_expected_count", sampled_count, "sampled_candidates", sampled, count_type
        ),
        num_classes=num_classes,
        num_sampled=num_sampled,
        num_true=num_true,
        **attributes,
        **type_attributes(weights, biases),
    ).loss


def _num_classes(num_classes, candidates):
    """The op's attribute num_classes; -1 where only a run knows their number, or nobody does."""
    if candidates.sampled_values is not None:
        return -1 if num_classes is None else _unless_tensor(positive, "num_classes", num_classes)
    try:
        return positive("num_classes", num_classes)
    except TypeError as error:
        raise TypeError(
            f"{error} It may be a tensor or None where sampled_values are given: to draw "
            "candidates it must be known."
        ) from None


def _unless_tensor(number, name, value):
    """number(name, value) for an attribute of the op; -1 for a tensor."""
    if not tf.is_tensor(value):
        return number(name, value)
    count_tensor(name, value, rank=0)
    return -1


def _given_or_drawn(candidates, labels, num_classes, num_true):
    """Candidates, and expected counts of labels and candidates."""
    num_sampled, sampled_values, sampler, seed, expected_count, update = candidates
    exact = wants_exact(expected_count)
    if sampler is not None:
        if not isinstance(sampler, Sampler):
            raise TypeError(
                f"sampler must be one of tf_candsamp's sampler objects, got {sampler!r}."
            )
        if sampled_values is not None:
            raise ValueError("Only one of sampler and sampled_values may be given, got both.")
        if seed is not None:
            raise ValueError(f"seed must be None where sampler is given, got {seed}.")
        if sampler.range_max != num_classes:
            raise ValueError(
                f"sampler must draw from num_classes = {num_classes} classes, got one with "
                f"range_max {sampler.range_max}."
            )
        return sampler.sample(num_sampled, labels, expected_count=expected_count, update=update)
    if sampled_values is None:
        return log_uniform_candidate_sampler(
            labels,
            num_true,
            num_sampled,
            True,
            num_classes,
            seed=seed,
            expected_count=expected_count,
        )
    if exact:
        raise ValueError(
            "expected_count must be 'tf' where sampled_values are given, for they hold the "
            f"counts, got {expected_count!r}."
        )
    try:
        sampled, true_count, sampled_count = sampled_values
    except (TypeError, ValueError):
        raise TypeError(
            "sampled_values must be a tuple (sampled_candidates, true_expected_count, "
            f"sampled_expected_count), got {sampled_values!r}."
        ) from None
    return sampled, true_count, sampled_count


def _expected_count(name, count, of, classes, dtype):
    """Expected counts of `classes`, of their shape or one that broadcasts to it."""
    if count is None:
        raise TypeError(f"{name} must be a tensor, got None.")
    count = to_tensor(name, count, dtype)
    if not count.dtype.is_floating:
        raise TypeError(f"{name} must be a float type, got {count.dtype.name}.")
    try:
        fits = tf.broadcast_static_shape(count.shape, classes.shape).is_compatible_with(
            classes.shape
        )
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"{name} must have the shape of {of}, {classes.shape}, or broadcast to it, got "
            f"{count.shape}."
        )
    return tf.cast(count, dtype)


# The arguments of the ops in order; of lists, the attribute that gives the length.
_ARGUMENTS = (
    ("weights", "weight_types"),
    ("biases", "bias_types"),
    ("inputs", None),
    ("labels", None),
    ("sampled_candidates", None),
    ("true_expected_count", None),
    ("sampled_expected_count", None),
)

# The float outputs of the ops, after the loss, that are kept for the gradient.
_KEPT = {
    "class_rows": 2,
    "sample_offsets": 5,
    "label_logit_grad": 6,
    "scales": 7,
    "slopes": 8,
}


def _sampled_loss_gradient(op, grad, *grads_of_kept):
    given = inputs_by_name(op, _ARGUMENTS)
    _, class_ids, _, label_classes, sample_columns, *_, weight_rows, bias_rows = op.outputs
    slices = ops.candsamp_sampled_loss_grad(
        grad=first_order(op, grad, [grads_of_kept[k - 1] for k in _KEPT.values()]),
        inputs=given["inputs"],
        class_ids=class_ids,
        label_classes=label_classes,
        sample_columns=sample_columns,
        weight_rows=weight_rows,
        bias_rows=bias_rows,
        **{name: op.outputs[k] for name, k in _KEPT.items()},
        loss="nce" if "Nce" in op.type else "softmax",
        remove_accidental_hits=op.get_attr("remove_accidental_hits"),
        recompute=op.get_attr("recompute"),
        partition_strategy=op.get_attr("partition_strategy"),
        Tshape=op.get_attr("Tshape"),
        num_weights=len(given["weights"]),
        num_biases=len(given["biases"]),
    )
    return gradients(given, slices)


for _name in (
    "Candsamp>SampledSoftmaxLoss",
    "Candsamp>ResourceSampledSoftmaxLoss",
    "Candsamp>NceLoss",
    "Candsamp>ResourceNceLoss",
):
    tf.RegisterGradient(_name)(_sampled_loss_gradient)
tf.RegisterGradient("Candsamp>SampledLossGrad")(no_second_derivative)
