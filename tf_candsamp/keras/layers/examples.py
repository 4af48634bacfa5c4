# SPDX-License-Identifier: Apache-2.0
"""The examples of a batch as rows: from sequences, without those that do not count."""

from typing import Any, NamedTuple

import tensorflow as tf

from tf_candsamp._arguments.tensors import int64_tensor, to_tensor


class Examples(NamedTuple):
    """N examples that count, of the M that a batch has.

    inputs: [N, D].
    labels: int64 [N, T].
    weights: float32 [N].
    kept: int64 [N], their places among all M; None if all count.
    outer_shape: the shape of all M, as a tensor.
    """

    inputs: tf.Tensor
    labels: tf.Tensor
    weights: tf.Tensor
    kept: tf.Tensor | None
    outer_shape: tf.Tensor

    def mean(self, losses: tf.Tensor) -> tf.Tensor:
        """The sum of weighted losses divided by the number of examples that count; 0 without any.

        This is how Keras reduces a loss under a mask and sample weights.
        """
        count = tf.cast(tf.size(losses), losses.dtype)
        total = tf.reduce_sum(tf.cast(self.weights, losses.dtype) * losses)
        return tf.math.divide_no_nan(total, count)

    def spread(self, losses: tf.Tensor) -> tf.Tensor:
        """The losses in the shape of the batch, 0 where an example does not count."""
        if self.kept is not None:
            size = tf.reduce_prod(self.outer_shape, keepdims=True)
            losses = tf.scatter_nd(self.kept[:, tf.newaxis], losses, size)
        return tf.reshape(losses, self.outer_shape)


def examples_of(
    inputs: tf.Tensor,
    labels: Any,
    sample_weight: Any = None,
    mask: Any = None,
    ignore_id: int | None = None,
) -> Examples:
    """The examples of inputs [..., D] and labels of the shape [...] or [..., T].

    Args:
      inputs: [B, D], or sequences [B, L, D].
      labels: integers.
      sample_weight: [...], or [..., 1], or None for ones.
      mask: booleans [...], which examples count; None for all.
      ignore_id: an example whose labels are all this id does not count.
    """
    labels = int64_tensor("labels", labels)
    outer = inputs.shape[:-1]
    outer_shape = tf.shape(inputs, out_type=tf.int64)[:-1]
    _check_shape("labels", labels.shape, outer, "[..., num_true]", columns=None)
    num_true = labels.shape[-1] if labels.shape.rank == inputs.shape.rank else 1
    if num_true is None or num_true < 1:
        raise ValueError(
            "labels must have a known number of columns, one or more, got shape "
            f"{labels.shape}: give their input a shape, as keras.Input((1,), dtype='int64')."
        )
    size = tf.reduce_prod(outer_shape)
    rows = tf.ensure_shape(
        tf.reshape(inputs, [size, inputs.shape[-1]]), [outer.num_elements(), inputs.shape[-1]]
    )
    label_rows = tf.reshape(labels, [size, num_true])
    weights = _flat("sample_weight", sample_weight, outer, size, tf.float32)
    if weights is None:
        weights = tf.ones([size])
    counts = _flat("mask", mask, outer, size, tf.bool)
    if ignore_id is not None:
        labelled = tf.reduce_any(label_rows != ignore_id, axis=1)
        counts = labelled if counts is None else counts & labelled
    if counts is None:
        return Examples(rows, label_rows, weights, None, outer_shape)
    kept = tf.where(counts)[:, 0]
    parts = [tf.gather(part, kept) for part in (rows, label_rows, weights)]
    return Examples(parts[0], parts[1], parts[2], kept, outer_shape)


def _flat(
    name: str, value: Any, outer: tf.TensorShape, size: tf.Tensor, dtype: tf.DType
) -> tf.Tensor | None:
    if value is None:
        return None
    value = to_tensor(name, value)
    _check_shape(name, value.shape, outer, "[..., 1]", columns=1)
    return tf.reshape(tf.cast(value, dtype), [size])


def _check_shape(
    name: str, shape: tf.TensorShape, outer: tf.TensorShape, other: str, columns: int | None
) -> None:
    """Refuses a shape that is neither that of the batch nor that with a last dimension more."""
    if shape.is_compatible_with(outer) or shape.is_compatible_with([*outer, columns]):
        return
    raise ValueError(
        f"{name} must have the shape of inputs without its last dimension, {outer}, or {other}, "
        f"got {shape}."
    )
