# SPDX-License-Identifier: Apache-2.0
"""Softmax over each row's own candidates, as a layer."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, SupportsIndex

import tensorflow as tf

from tf_candsamp._arguments.ragged import class_rows
from tf_candsamp.exact import TopK
from tf_candsamp.keras.framework import serializable, symbolic
from tf_candsamp.keras.layers.class_table_layer import ClassTableLayer, no_labels_in_training
from tf_candsamp.keras.layers.examples import Examples
from tf_candsamp.keras.layers.row_ranks import (
    best_label_rank,
    label_places,
    refuse_missing,
    top_k_of_rows,
)
from tf_candsamp.ragged_losses import ragged_candidate_logits, ragged_sampled_softmax_loss

_MISSING_LABEL = ("refuse", "miss", "join")
_REPORTED = "ragged"


class _Candidates(NamedTuple):
    """Candidates as rows; `padded` is what they were before if they were dense."""

    rows: tf.RaggedTensor
    padded: tf.Tensor | None

    def like_before(self, logits: tf.RaggedTensor) -> tf.Tensor | tf.RaggedTensor:
        """Values of the rows in the form of the candidates: dense with -inf for padding."""
        if self.padded is None:
            return logits
        places = tf.where(self.padded >= 0)
        dense = tf.fill(tf.shape(self.padded), tf.constant(-math.inf, logits.dtype))
        return tf.tensor_scatter_nd_update(dense, places, logits.values)


@serializable
class RaggedSampledSoftmax(ClassTableLayer):
    """Softmax over each row's own candidates: the legal moves, the documents shown.

        hidden = keras.layers.Dense(64, "relu")(keras.Input([250]))
        layer = tfcs.keras.layers.RaggedSampledSoftmax(num_classes=27_472)
        moves = keras.Input([None], dtype="int64", ragged=True)
        choice = keras.Input((1,), dtype="int64")
        losses = layer(hidden, moves, labels=choice)

    With labels the layer returns the loss of each row, see `tfcs.ragged_sampled_softmax_loss`, and
    adds their mean to the model's loss. Without labels it returns the logits of the candidates.
    A step costs what the candidates of its batch cost, however many classes there are.

    It reports, in training and evaluation alike, `nll` (the mean loss), `accuracy` (how often no
    candidate has a higher logit than the label) and the accuracies that `top_k` names, such as
    `top_5_accuracy`. In training these take the logits of the candidates once more, while without
    `top_k` the loss itself says which labels are the top; labels that tie then count.

    Candidates are ragged [B, None], or dense [B, n] in which negative ids are padding. So the dense
    signature that `model.export` writes works, and `tfcs.keras.export` writes a ragged one.

    Args:
      num_classes: V.
      missing_label: what to do with a row whose candidates lack a label. "refuse": an error that
        names the row. "miss": the label competes in the loss, as always, but no accuracy counts it.
        "join": the label joins the candidates, which suits candidates that are negatives only.
      use_bias, table_initializer, bias_initializer, embedding, temperature, normalize,
        logit_softcap, ignore_id, top_k, metric_prefix, **options: see `SampledSoftmax`. An example
        that is ignored has candidates, too, which nothing reads.

    Call arguments:
      inputs: [B, D].
      candidates: ragged [B, None] or dense [B, n], of any integer type.
      labels: [B] or [B, num_true], integers; None for logits.
      sample_weight: [B] or [B, 1], or None: the weights of the rows.
      mask: bool [B], or None: which rows count.

    Returns:
      With labels: the losses, float32 [B] (float64 for float64 inputs), without sample weights.
      Without: the logits in the form of `candidates`, -inf for padding.

    Raises:
      ValueError: no labels in training; wrong shapes.
      TypeError: labels or a table of a wrong type.
      tf.errors.InvalidArgumentError: a class id outside of [0, num_classes); a label that is not
        among its row's candidates, with missing_label="refuse".
    """

    def __init__(
        self,
        num_classes: SupportsIndex,
        *,
        missing_label: str = "refuse",
        top_k: SupportsIndex | Sequence[SupportsIndex] = (),
        **options: Any,
    ) -> None:
        if missing_label not in _MISSING_LABEL:
            raise ValueError(
                f"missing_label must be one of {', '.join(map(repr, _MISSING_LABEL))}, got "
                f"{missing_label!r}."
            )
        super().__init__(num_classes, top_k=top_k, **options)
        self.missing_label = missing_label

    def _reported(self) -> Mapping[str, Sequence[str]]:
        return {_REPORTED: ["nll", "accuracy", *(f"top_{k}_accuracy" for k in self._top_k)]}

    def get_config(self) -> dict[str, Any]:
        """The arguments of a layer like this one, for `from_config`."""
        return {**super().get_config(), "missing_label": self.missing_label}

    def call(
        self,
        inputs: Any,
        candidates: Any,
        labels: Any = None,
        sample_weight: Any = None,
        mask: Any = None,
        training: Any = None,
    ) -> Any:
        """See the class."""
        if labels is None:
            if training:
                raise no_labels_in_training()
            return self.logits(inputs, candidates)
        rows = _candidates(candidates)
        examples = self._examples(inputs, labels, sample_weight, mask)
        ragged = rows.rows
        if examples.kept is not None:
            ragged = tf.gather(ragged, examples.kept)
        losses = self._example_losses(examples, ragged, bool(training))
        self.add_loss(examples.mean(losses))
        return examples.spread(losses)

    def _example_losses(
        self, examples: Examples, candidates: tf.RaggedTensor, training: bool
    ) -> tf.Tensor:
        labels = examples.labels
        places = label_places(labels, candidates)
        if self.missing_label == "refuse":
            labels = refuse_missing(labels, places)
        losses, stats = ragged_sampled_softmax_loss(
            self.table,
            self.bias,
            labels,
            self._loss_inputs(examples.inputs, training),
            candidates,
            return_stats=True,
            **self._logit_options(),
        )
        if training and not self._top_k:
            hits = [stats.label_is_top]  # which costs nothing
        else:
            inputs = tf.stop_gradient(examples.inputs)
            label_logits = self._logits(inputs, labels).values
            rank = best_label_rank(
                places,
                tf.reshape(label_logits, tf.shape(labels)),
                self._logits(inputs, candidates).values,
            )
            hits = [rank < k for k in (1, *self._top_k)]
        if self.missing_label == "miss":
            found = ~tf.reduce_any(places.missing(), axis=1)
            hits = [hit & found for hit in hits]
        self.averages.update_state(_REPORTED, [losses, *hits], examples.weights)
        return losses

    def _logits(
        self, inputs: tf.Tensor, candidates: tf.Tensor | tf.RaggedTensor
    ) -> tf.RaggedTensor:
        logits = ragged_candidate_logits(
            self.table,
            self.bias,
            self._exact_inputs(inputs),
            candidates,
            **self._logit_options(),
        )
        return logits.with_values(tf.cast(logits.values, self._output_dtype()))

    def logits(self, inputs: Any, candidates: Any) -> Any:
        """The logits of each row's candidates, in their form: what a call without labels returns.

        Args:
          inputs: [B, D].
          candidates: ragged [B, None], or dense [B, n] with negative ids as padding.
        """
        rows = _candidates(candidates)
        return rows.like_before(self._logits(self._checked_inputs(inputs), rows.rows))

    def probabilities(self, inputs: Any, candidates: Any) -> Any:
        """The softmax of each row's logits, in the form of `candidates`; 0 for padding.

        Args:
          inputs: [B, D].
          candidates: ragged [B, None], or dense [B, n] with negative ids as padding.
        """
        logits = self.logits(inputs, candidates)
        if isinstance(logits, tf.RaggedTensor):
            return _softmax_of_rows(logits)
        # A row of nothing but padding has no probabilities.
        return tf.where(tf.math.is_inf(logits), 0.0, tf.nn.softmax(logits))

    def top_k(self, inputs: Any, candidates: Any, k: SupportsIndex) -> TopK:
        """The k best candidates of each row.

        Args:
          inputs: [B, D].
          candidates: ragged [B, None], or dense [B, n] with negative ids as padding.
          k: how many; at most num_classes. A row may have fewer candidates.

        Returns:
          `values` [B, k], logits in descending order, and `indices` int64 [B, k], the classes.
          Behind the last candidate of a row they are -inf and -1. Among equals the first of the
          row comes first.
        """
        k = self._checked_k(k)
        rows = _candidates(candidates).rows
        return top_k_of_rows(self._logits(self._checked_inputs(inputs), rows), rows, k)

    def compute_output_spec(
        self,
        inputs: Any,
        candidates: Any,
        labels: Any = None,
        sample_weight: Any = None,
        mask: Any = None,
        training: Any = None,
    ) -> Any:
        """What a call returns, for Keras 3."""
        dtype = self._output_dtype()
        if labels is not None:
            return symbolic(inputs.shape[:-1], dtype)
        return symbolic(candidates.shape, dtype, ragged=getattr(candidates, "ragged", False))


def _candidates(candidates: Any) -> _Candidates:
    if not isinstance(candidates, tf.RaggedTensor):
        rows = class_rows("candidates", candidates)
        if rows.ragged is None:  # dense
            padded = tf.reshape(rows.values, tf.shape(candidates))
            padded = tf.ensure_shape(padded, rows.dense_shape)
            return _Candidates(tf.ragged.boolean_mask(padded, padded >= 0), padded)
        return _Candidates(rows.with_values(rows.values), None)
    rows = class_rows("candidates", candidates)
    return _Candidates(rows.with_values(rows.values), None)


def _softmax_of_rows(logits: tf.RaggedTensor) -> tf.RaggedTensor:
    rows, count = logits.value_rowids(), logits.nrows()
    largest = tf.math.unsorted_segment_max(logits.values, rows, count)
    exponentials = tf.exp(logits.values - tf.gather(largest, rows))
    total = tf.math.unsorted_segment_sum(exponentials, rows, count)
    return logits.with_values(exponentials / tf.gather(total, rows))
