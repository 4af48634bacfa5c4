# SPDX-License-Identifier: Apache-2.0
"""What all classes say: the softmax over all of them, ranks of labels, and the best classes."""

from typing import Any, NamedTuple, SupportsIndex

import tensorflow as tf

from tf_candsamp._arguments.classes import warn_of_rounded_labels
from tf_candsamp._arguments.ragged import class_rows
from tf_candsamp._arguments.scalars import host_integers, integer, positive, positive_number
from tf_candsamp._arguments.tables import variables_as_tensors
from tf_candsamp._arguments.tensors import int64_tensor
from tf_candsamp._library import no_gradient, ops
from tf_candsamp._losses.gradients import (
    first_order,
    inputs_by_name,
    no_second_derivative,
    register_gradient,
)
from tf_candsamp._losses.inputs import LossInputs, loss_inputs
from tf_candsamp._losses.sequences import Positions, open_positions
from tf_candsamp._types import ClassTableLike, PartitionStrategy, RaggedLike, TensorLike

__all__ = ["TopK", "full_softmax_loss", "label_rank", "top_k"]


class TopK(NamedTuple):
    """The best classes of each row, best first.

    values: [B, k], their logits: float64 for float64 inputs, else float32.
    indices: int64 [B, k], the classes.
    """

    values: tf.Tensor
    indices: tf.Tensor


_NO_RANK = 2**62  # of a row that does not count


class _Options(NamedTuple):
    """The functions' arguments of these names, which are attributes of the ops."""

    num_classes: SupportsIndex | None
    temperature: float
    normalize: bool
    partition_strategy: PartitionStrategy

    def attributes(self) -> dict[str, Any]:
        if self.partition_strategy not in ("div", "mod"):
            raise ValueError(
                f"partition_strategy must be 'div' or 'mod', got {self.partition_strategy!r}."
            )
        return {
            "num_classes": -1
            if self.num_classes is None
            else positive("num_classes", self.num_classes),
            "temperature": positive_number("temperature", self.temperature),
            "normalize": bool(self.normalize),
            "partition_strategy": self.partition_strategy,
        }


def full_softmax_loss(
    weights: ClassTableLike,
    biases: ClassTableLike | None,
    labels: TensorLike,
    inputs: TensorLike,
    *,
    num_classes: SupportsIndex | None = None,
    temperature: float = 1.0,
    normalize: bool = False,
    logit_softcap: float | None = None,
    partition_strategy: PartitionStrategy = "div",
    mask: TensorLike | None = None,
    ignore_id: SupportsIndex | None = None,
    name: str | None = None,
) -> tf.Tensor:
    r"""Softmax cross-entropy over all classes, without ever holding all logits.

    With the labels t_1 .. t_T of row i and

        s(c) = <weights[c], inputs[i]> / temperature + biases[c]

    the loss of the row is

        logsumexp(s(0), .., s(V - 1)) - mean_k s(t_k).

    It is what `sampled_softmax_loss` estimates: use it to evaluate a model, and to train one with
    few classes. The op works through the classes panel by panel (Milakov and Gimelshein, arXiv
    1805.02867), and its gradient computes the logits again. So memory does not grow with
    [B, num_classes]; the gradients of `weights` and `biases` are dense, as large as these.

    Args:
      weights: [V, D] with V >= num_classes, a row for each class: a `tf.Variable` or Keras variable
        (read in place), a tensor, or a list of shards, see `partition_strategy`. Rows from
        num_classes on, as in a table that is padded, have the gradient 0.
      biases: at least num_classes values, in any of these forms, of the type of `weights`; or None.
        Minus infinity masks a class.
      labels: the true classes, [B] or [B, num_true], of any integer type, or of a float type, which
        is cast to int64. float32 holds ids exactly only below 2^24 (float16 below 2^11, bfloat16
        below 2^8). For sequences [B, L] or [B, L, num_true].
      inputs: [B, D], or for sequences [B, L, D], of type float32, float64, bfloat16 or float16.
        `weights` must have the same type, or float32 with the half types, whose products are summed
        in float32 in any case.
      num_classes: the number of classes; None for as many as have rows in weights and biases.
      temperature: what products are divided by, a number, held as float32.
      normalize: whether rows of `weights` and `inputs` are divided by their Euclidean norms first,
        so that products are cosines. A row of zeros stays one. Gradients go through the norms.
      logit_softcap: None, or a cap: s(c) becomes logit_softcap * tanh(s(c) / logit_softcap). A bias
        of minus infinity masks its class in any case.
      partition_strategy: which rows the shards of a list hold. "div": consecutive ones. "mod": row
        i is in shard i mod their number.
      mask, ignore_id: which rows count, see `sampled_softmax_loss`.
      name: a name for the operation.

    Returns:
      The losses, [B], or [B, L] for sequences: float64 for float64 `inputs`, else float32, for the
      half types too. Gradients are dense, and have the types of their tensors. Results have the
      same bits for any number of threads. There is no second derivative.

    Raises:
      TypeError: for arguments of other types than those above, ragged and sparse tensors included.
      ValueError: for shapes and values that are wrong already when the graph is built.
      tf.errors.InvalidArgumentError: for labels outside of [0, num_classes), a table with fewer
        rows than num_classes, or other shapes that do not agree.

    Example:

    >>> weights = tf.Variable([[1., 0.], [0., 1.], [1., 1.]])
    >>> tfcs.full_softmax_loss(weights, None, labels=[0, 2], inputs=[[1., 0.], [0., 1.]])
    <tf.Tensor: shape=(2,), dtype=float32, numpy=array([0.8619948, 0.8619948], dtype=float32)>
    """
    with tf.name_scope(name or "FullSoftmaxLoss"):
        options = _Options(num_classes, temperature, normalize, partition_strategy)
        batch = loss_inputs(
            variables_as_tensors("weights", weights), variables_as_tensors("biases", biases), inputs
        )
        positions, batch, matrix = _rows_that_count(batch, labels, mask, ignore_id)
        loss: tf.Tensor = _call(
            ops.candsamp_full_softmax_loss,
            batch,
            labels=matrix,
            logit_softcap=_softcap(logit_softcap),
            A=batch.sum_type(),
            **options.attributes(),
        ).loss
        return positions.restore(loss)


def label_rank(
    weights: ClassTableLike,
    biases: ClassTableLike | None,
    labels: TensorLike,
    inputs: TensorLike,
    *,
    exclude: RaggedLike | None = None,
    num_classes: SupportsIndex | None = None,
    temperature: float = 1.0,
    normalize: bool = False,
    partition_strategy: PartitionStrategy = "div",
    mask: TensorLike | None = None,
    ignore_id: SupportsIndex | None = None,
    name: str | None = None,
) -> tf.Tensor:
    r"""The rank of each label among all classes: 0 where no class is better.

    With s(c) as in `full_softmax_loss`, the rank of the label t of row i is the number of classes c
    with s(c) > s(t), or with s(c) = s(t) and c < t. The classes that `exclude` names do not count.
    Hits at k are `label_rank(..) < k`, which is true exactly where `top_k(.., k)` holds the label;
    the reciprocal rank is 1 / (label_rank(..) + 1).

    Equal rows have equal logits to the last bit, wherever they are in the table. NaN is below all
    numbers, and numbers below the smallest normal one count as 0. A softcap does not change ranks.

    Args:
      weights, biases, labels, inputs: as in `full_softmax_loss`. A variable is read in place.
      exclude: ragged [B, None] or dense [B, n], of any integer type: classes that do not compete in
        a row, as those that a user has seen already. Repeats count once. The label always competes.
        It may be a `tf.RaggedTensor`, a list of rows, or a `tf.SparseTensor`. For sequences as the
        candidates of `ragged_sampled_softmax_loss`.
      num_classes, temperature, normalize, partition_strategy: as in `full_softmax_loss`.
        (Temperature changes ranks only where there are biases.)
      mask, ignore_id: which rows count, see `sampled_softmax_loss`.
      name: a name for the operation.

    Returns:
      int64, of the shape of `labels`. It has no gradient. Where a row does not count it is 2^62, a
      rank that no label has.

    Raises:
      TypeError, ValueError, tf.errors.InvalidArgumentError: as `full_softmax_loss`, also for
        classes of `exclude` outside of [0, num_classes).

    Example:

    >>> weights = tf.Variable([[1., 0.], [0., 1.], [1., 1.]])
    >>> tfcs.label_rank(weights, None, labels=[1, 1], inputs=[[1., 0.], [0., 2.]]).numpy().tolist()
    [2, 0]
    >>> tfcs.label_rank(weights, None, labels=[1, 1], inputs=[[1., 0.], [0., 2.]],
    ...                 exclude=[[0], []]).numpy().tolist()
    [1, 0]
    """
    with tf.name_scope(name or "LabelRank"):
        options = _Options(num_classes, temperature, normalize, partition_strategy)
        batch = loss_inputs(weights, biases, inputs, partition_strategy)
        positions, batch, matrix = _rows_that_count(batch, labels, mask, ignore_id)
        rank = _call(
            ops.candsamp_resource_label_rank if batch.has_variable() else ops.candsamp_label_rank,
            batch,
            labels=matrix,
            **_excluded(exclude, positions),
            **options.attributes(),
        )
        if positions.lead is None:
            return _of_shape_of(labels, rank)
        rank = positions.restore(rank, ignored=_NO_RANK)
        has_columns = _static_rank(labels) > positions.lead.rank
        return rank if has_columns else rank[..., 0]


def top_k(
    weights: ClassTableLike,
    biases: ClassTableLike | None,
    inputs: TensorLike,
    k: SupportsIndex | tf.Tensor,
    *,
    exclude: RaggedLike | None = None,
    num_classes: SupportsIndex | None = None,
    temperature: float = 1.0,
    normalize: bool = False,
    logit_softcap: float | None = None,
    partition_strategy: PartitionStrategy = "div",
    name: str | None = None,
) -> TopK:
    r"""The best k of all classes for each row of inputs, best first.

    They are the classes with the largest s(c) of `full_softmax_loss`, in the order of `label_rank`:
    of equal logits the lower id comes first, and NaN comes last. Memory is that of a panel of
    classes and of the k best so far.

    Args:
      weights, biases, inputs: as in `full_softmax_loss`. A variable is read in place. Sequences are
        taken at every position.
      k: how many classes, an integer or an integer scalar tensor. Each row must have as many that
        compete.
      exclude: as in `label_rank`: classes that do not compete in a row.
      num_classes, temperature, normalize, partition_strategy: as in `full_softmax_loss`.
      logit_softcap: as in `full_softmax_loss`. It changes the values, not the order.
      name: a name for the operation.

    Returns:
      A `TopK`: values and indices, [B, k], or [B, L, k] for sequences. They have no gradient: to
      train on the best classes, score them with `ragged_candidate_logits`.

    Raises:
      TypeError, ValueError, tf.errors.InvalidArgumentError: as `label_rank`, also for a negative k
        or one above the number of classes that compete.

    Example:

    >>> weights = tf.Variable([[1., 0.], [0., 1.], [1., 1.]])
    >>> best = tfcs.top_k(weights, None, inputs=[[1., 0.], [0., 2.]], k=2)
    >>> best.indices.numpy().tolist(), best.values.numpy().tolist()
    ([[0, 2], [1, 2]], [[1.0, 1.0], [2.0, 2.0]])
    """
    with tf.name_scope(name or "TopK"):
        options = _Options(num_classes, temperature, normalize, partition_strategy)
        batch = loss_inputs(weights, biases, inputs, partition_strategy)
        has_variable = batch.has_variable()
        positions = open_positions(batch.inputs, None, None)
        batch = batch._replace(inputs=positions.flat("inputs", batch.inputs))
        best = _call(
            ops.candsamp_resource_top_classes if has_variable else ops.candsamp_top_classes,
            batch,
            k=_number_of_classes(k),
            logit_softcap=_softcap(logit_softcap),
            A=batch.sum_type(),
            **_excluded(exclude, positions),
            **options.attributes(),
        )
        return TopK(*positions.restore((best.values, best.indices)))


def _call(op: Any, batch: LossInputs, **arguments: Any) -> Any:
    """Calls an op on tables and inputs."""
    return op(
        weights=batch.weights.entries,
        biases=batch.biases.entries,
        inputs=batch.inputs,
        W=batch.weights.dtype,
        **arguments,
    )


def _label_matrix(labels: TensorLike) -> tf.Tensor:
    """int64 [B, num_true], from [B] or [B, num_true]."""
    ids = int64_tensor("labels", labels, floats=True)
    if ids.shape.rank not in (1, 2, None):
        raise ValueError(f"labels must have shape [B] or [B, num_true], got {ids.shape}.")
    if ids.shape.rank == 2:
        return ids
    if ids.shape.rank == 1:
        return ids[:, tf.newaxis]
    shape = tf.shape(ids)
    message = "labels must have shape [B] or [B, num_true], got shape"
    fits = tf.reduce_any(tf.equal(tf.rank(ids), [1, 2]))
    with tf.control_dependencies([tf.debugging.Assert(fits, [message, shape])]):
        columns = tf.reduce_prod(shape[1:])
    return tf.reshape(ids, tf.stack([shape[0], columns]))


def _of_shape_of(labels: TensorLike, rank: tf.Tensor) -> tf.Tensor:
    """A [B, num_true] result as one of the shape of the labels."""
    static = tf.TensorShape(getattr(labels, "shape", None))
    if static.rank is None:
        dense = int64_tensor("labels", labels, floats=True)
        static = dense.shape
        if static.rank is None:
            return tf.reshape(rank, tf.shape(dense))
    return rank[:, 0] if static.rank == 1 else rank


def _static_rank(labels: TensorLike) -> int:
    static = tf.TensorShape(getattr(labels, "shape", None))
    if static.rank is None:
        static = int64_tensor("labels", labels, floats=True).shape
    return int(static.rank)


def _rows_that_count(
    batch: LossInputs, labels: TensorLike, mask: TensorLike | None, ignore_id: SupportsIndex | None
) -> tuple[Positions, LossInputs, tf.Tensor]:
    """Where the rows are that count; these rows of the inputs, and of the labels as a matrix."""
    warn_of_rounded_labels(labels, batch.weights.rows)
    positions = open_positions(batch.inputs, mask, ignore_id)
    is_sequence = positions.lead is not None and positions.lead.rank > 1
    matrix = positions.label_matrix(labels if is_sequence else _label_matrix(labels))
    positions = positions.keeping(mask, ignore_id, matrix)
    inputs = positions.rows(positions.flat("inputs", batch.inputs))
    return positions, batch._replace(inputs=inputs), positions.rows(matrix)


def _excluded(exclude: RaggedLike | None, positions: Positions) -> dict[str, list[tf.Tensor]]:
    if exclude is None:
        return {"exclude": [], "exclude_splits": []}
    rows = class_rows("exclude", positions.flat_ragged("exclude", exclude))
    kept = positions.ragged_rows(exclude=rows.values, exclude_splits=rows.splits)
    return {name: [value] for name, value in kept.items()}


def _number_of_classes(k: SupportsIndex | tf.Tensor) -> tf.Tensor:
    if not tf.is_tensor(k):
        number = integer("k", k)
        if number < 0:
            raise ValueError(f"k must not be negative, got {number}.")
        k = tf.constant(number, tf.int64)
    return host_integers("k", k, rank=0)


def _softcap(cap: float | None) -> float:
    """The attribute logit_softcap, which is 0 for none."""
    return 0.0 if cap is None else positive_number("logit_softcap", cap)


_INPUTS = ("weights", "biases", "inputs", "labels")
_ATTRIBUTES = (*_Options._fields, "logit_softcap")


def _full_softmax_gradient(op: tf.Operation, *grads: tf.Tensor | None) -> list[Any]:
    inputs = inputs_by_name(op, _INPUTS)
    gradients = ops.candsamp_full_softmax_loss_grad(
        **inputs,
        grad=first_order(op, *grads),
        max=op.outputs[1],
        sum=op.outputs[2],
        W=op.get_attr("W"),
        **{name: op.get_attr(name) for name in _ATTRIBUTES},
    )
    return [*gradients.weights_grad, *gradients.biases_grad, gradients.inputs_grad, None]


register_gradient(_full_softmax_gradient, "FullSoftmaxLoss")
register_gradient(no_second_derivative, "FullSoftmaxLossGrad")
no_gradient("LabelRank", "ResourceLabelRank", "TopClasses", "ResourceTopClasses", "ShareVariable")
