# SPDX-License-Identifier: Apache-2.0
"""What the layers share that draw candidates for a whole batch."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, SupportsIndex

import tensorflow as tf

from tf_candsamp._arguments.scalars import positive
from tf_candsamp._arguments.tables import variable_of_keras
from tf_candsamp._arguments.tensors import int64_tensor
from tf_candsamp._types import ExpectedCount, RaggedLike, TensorLike
from tf_candsamp.exact import TopK, full_softmax_loss, label_rank, top_k
from tf_candsamp.keras.framework import NO_AUTOCAST, keras, symbolic
from tf_candsamp.keras.layers.class_table_layer import ClassTableLayer, no_labels_in_training
from tf_candsamp.keras.layers.examples import Examples
from tf_candsamp.samplers import LearnedUnigramSampler, LogUniformSampler, Sampler, UniformSampler

if TYPE_CHECKING:
    from typing_extensions import Self

_SAMPLERS = {
    "learned_unigram": LearnedUnigramSampler,
    "log_uniform": LogUniformSampler,
    "uniform": UniformSampler,
}
_EVALUATIONS = ("exact", "sampled")


class SampledLayer(ClassTableLayer):
    """A layer whose loss is over candidates that a sampler draws. Use one of its subclasses.

    The arguments are those of `SampledSoftmax`.
    """

    def __init__(
        self,
        num_classes: SupportsIndex,
        num_sampled: SupportsIndex,
        *,
        sampler: Sampler | str = "log_uniform",
        seed: SupportsIndex | None = None,
        expected_count: ExpectedCount = "tf",
        remove_accidental_hits: bool = True,
        recompute: bool = False,
        evaluation: str = "exact",
        top_k: SupportsIndex | Sequence[SupportsIndex] = (10,),
        **options: Any,
    ) -> None:
        if evaluation not in _EVALUATIONS:
            raise ValueError(f"evaluation must be 'exact' or 'sampled', got {evaluation!r}.")
        if isinstance(top_k, tuple) and top_k == (10,):
            top_k = (min(10, positive("num_classes", num_classes)),)
        super().__init__(num_classes, top_k=top_k, **options)
        self.sampler = _sampler(sampler, self._num_classes, seed)
        self.expected_count = expected_count
        self.remove_accidental_hits = bool(remove_accidental_hits)
        self.recompute = bool(recompute)
        self.evaluation = evaluation
        size = self._checked_num_sampled(num_sampled)
        self._num_sampled = self.add_weight(
            name="num_sampled",
            shape=(),
            dtype="int64",
            initializer=keras.initializers.Constant(size),
            trainable=False,
            **NO_AUTOCAST,
        )

    def _reported(self) -> Mapping[str, Sequence[str]]:
        return {
            "sampled": ["sampled_loss", "sampled_accuracy"],
            "exact": ["nll", "accuracy", *(f"top_{k}_accuracy" for k in self._top_k)],
        }

    @property
    def num_sampled(self) -> Any:
        """S, how many candidates a training step draws.

        It is a variable of the model: what is assigned holds from the next step on, also in a
        `fit` that is under way, and is saved with the weights. In a graph this is a tensor.
        """
        variable = variable_of_keras(self._num_sampled)
        size = tf.convert_to_tensor(variable)
        return int(size) if tf.executing_eagerly() else size

    @num_sampled.setter
    def num_sampled(self, num_sampled: SupportsIndex) -> None:
        self._num_sampled.assign(self._checked_num_sampled(num_sampled))

    def _checked_num_sampled(self, num_sampled: SupportsIndex) -> int:
        size = positive("num_sampled", num_sampled)
        if self.sampler.unique and size > self._num_classes:
            raise ValueError(
                f"num_sampled must be at most num_classes = {self._num_classes} for candidates "
                f"that are all different, got {size}."
            )
        return size

    def get_config(self) -> dict[str, Any]:
        """The arguments of a layer like this one, for `from_config`."""
        return {
            **super().get_config(),
            "num_sampled": self.num_sampled,
            "sampler": keras.utils.serialize_keras_object(self.sampler),
            "expected_count": self.expected_count,
            "remove_accidental_hits": self.remove_accidental_hits,
            "recompute": self.recompute,
            "evaluation": self.evaluation,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Self":
        """Makes a layer with the arguments that another one's `get_config` gave."""
        sampler = keras.utils.deserialize_keras_object(config["sampler"])
        return super().from_config({**config, "sampler": sampler})

    def call(
        self,
        inputs: Any,
        labels: Any = None,
        sample_weight: Any = None,
        mask: Any = None,
        training: Any = None,
    ) -> Any:
        """See the class."""
        if labels is None:
            if training:
                raise no_labels_in_training()
            return self._logits(self._checked_inputs(inputs))
        examples = self._examples(inputs, labels, sample_weight, mask)
        if training or self.evaluation == "sampled":
            losses = self._sampled_losses(examples, bool(training))
        else:
            losses = self._exact_losses(examples)
        self.add_loss(examples.mean(losses))
        return examples.spread(losses)

    def _loss(self, labels: tf.Tensor, inputs: tf.Tensor, **arguments: Any) -> Any:
        """The loss function with this layer's options: (losses, stats)."""
        raise NotImplementedError

    def _sampled_losses(self, examples: Examples, training: bool) -> tf.Tensor:
        losses, stats = self._loss(
            examples.labels,
            self._loss_inputs(examples.inputs, training),
            num_sampled=tf.identity(variable_of_keras(self._num_sampled)),
            num_classes=self._num_classes,
            num_true=examples.labels.shape[1],
            sampler=self.sampler,
            expected_count=self.expected_count,
            remove_accidental_hits=self.remove_accidental_hits,
            recompute=self.recompute,
            # The sampler that learns counts what the model is trained on, nothing else.
            update=training,
            return_stats=True,
            **self._logit_options(),
        )
        self.averages.update_state("sampled", [losses, stats.label_is_top], examples.weights)
        return losses

    def _exact_losses(self, examples: Examples) -> tf.Tensor:
        inputs = self._exact_inputs(examples.inputs)
        losses = full_softmax_loss(
            self.table,
            self.bias,
            examples.labels,
            inputs,
            num_classes=self._num_classes,
            **self._logit_options(),
        )
        rank = tf.reduce_min(self._ranks(inputs, examples.labels, None), axis=1)
        hits = [rank < k for k in (1, *self._top_k)]
        self.averages.update_state("exact", [losses, *hits], examples.weights)
        return losses

    def _ranks(self, inputs: tf.Tensor, labels: tf.Tensor, exclude: RaggedLike | None) -> tf.Tensor:
        return label_rank(
            self.table,
            self.bias,
            labels,
            tf.stop_gradient(inputs),
            exclude=exclude,
            num_classes=self._num_classes,
            **self._rank_options(),
        )

    def _rank_options(self) -> dict[str, Any]:
        """Of the logits' options those that may change the order of classes."""
        options = self._logit_options()
        options.pop("logit_softcap", None)
        return options

    def rank(
        self, inputs: TensorLike, labels: TensorLike, *, exclude: RaggedLike | None = None
    ) -> tf.Tensor:
        """The rank of labels among all classes, 0 for the best, without a [B, V] buffer.

        Args:
          inputs: [B, D].
          labels: integers [B] or [B, T].
          exclude: ragged [B, None], classes that do not compete, such as those already seen; or
            None.

        Returns:
          int64, of the shape of `labels`. Among equals the lower id comes first.
        """
        inputs = self._exact_inputs(self._checked_inputs(inputs))
        return self._ranks(inputs, int64_tensor("labels", labels), exclude)

    def top_k(
        self, inputs: TensorLike, k: SupportsIndex, *, exclude: RaggedLike | None = None
    ) -> TopK:
        """The k best of all classes, without a [B, V] buffer.

        Args:
          inputs: [B, D].
          k: how many, at most num_classes.
          exclude: ragged [B, None], classes that do not compete, such as those already seen; or
            None.

        Returns:
          `values` [B, k], logits in descending order, and `indices` int64 [B, k], the classes.
        """
        return top_k(
            self.table,
            self.bias,
            self._exact_inputs(self._checked_inputs(inputs)),
            self._checked_k(k),
            exclude=exclude,
            num_classes=self._num_classes,
            **self._logit_options(),
        )

    def _logits(self, inputs: tf.Tensor) -> tf.Tensor:
        """The logits of all classes, [..., V], in TensorFlow's own ops."""
        dtype = tf.as_dtype(self._output_dtype())
        table = tf.convert_to_tensor(variable_of_keras(self.table))[: self._num_classes]
        table = tf.cast(table, dtype)
        rows = tf.cast(tf.reshape(inputs, [-1, inputs.shape[-1]]), dtype)
        logits = tf.matmul(rows, table, transpose_b=True)
        if self.normalize:
            norms = tf.norm(rows, axis=1)[:, tf.newaxis] * tf.norm(table, axis=1)
            logits = tf.math.divide_no_nan(logits, norms)
        logits /= self.temperature
        mask = None
        if self.bias is not None:
            bias = tf.cast(tf.convert_to_tensor(variable_of_keras(self.bias)), dtype)
            mask = tf.equal(bias, -math.inf)
            logits += bias
        if self.logit_softcap is not None:
            logits = self.logit_softcap * tf.tanh(logits / self.logit_softcap)
            if mask is not None:  # No softcap brings back a class whose bias is minus infinity.
                logits = tf.where(mask, tf.constant(-math.inf, dtype), logits)
        return tf.reshape(logits, tf.concat([tf.shape(inputs)[:-1], [self._num_classes]], 0))

    def compute_output_spec(
        self,
        inputs: Any,
        labels: Any = None,
        sample_weight: Any = None,
        mask: Any = None,
        training: Any = None,
    ) -> Any:
        """What a call returns, for Keras 3."""
        shape = tuple(inputs.shape[:-1])
        return symbolic(
            shape if labels is not None else (*shape, self._num_classes), self._output_dtype()
        )


def _sampler(sampler: Any, num_classes: int, seed: SupportsIndex | None) -> Sampler:
    if isinstance(sampler, str) and sampler in _SAMPLERS:
        made: Sampler = _SAMPLERS[sampler](num_classes, seed=seed)
        return made
    if not isinstance(sampler, Sampler):
        raise TypeError(
            f"sampler must be one of {', '.join(map(repr, _SAMPLERS))} or a sampler object, got "
            f"{sampler!r}."
        )
    if seed is not None:
        raise ValueError(f"seed must be None where sampler is an object, got {seed}.")
    if sampler.range_max != num_classes:
        raise ValueError(
            f"sampler must draw from num_classes = {num_classes} classes, got one with range_max "
            f"{sampler.range_max}."
        )
    return sampler
