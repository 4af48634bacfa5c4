# SPDX-License-Identifier: Apache-2.0
"""The sampled softmax as a layer."""

from typing import Any, SupportsIndex

import tensorflow as tf

from tf_candsamp.keras.framework import serializable
from tf_candsamp.keras.layers.sampled_layer import SampledLayer
from tf_candsamp.sampled_losses import sampled_softmax_loss


@serializable
class SampledSoftmax(SampledLayer):
    """A softmax over very many classes, trained with candidates that a sampler draws.

        features, labels = keras.Input([128]), keras.Input((1,), dtype="int64")
        layer = tfcs.keras.layers.SampledSoftmax(num_classes=1_000_000, num_sampled=2048)
        losses = layer(keras.layers.Dense(64)(features), labels=labels)
        model = keras.Model([features, labels], losses)

    The layer owns a row and a bias for each class. What a call does depends on `labels` and on
    Keras's `training`:

    - With labels, in training: draws candidates, returns the sampled losses (see
      `tfcs.sampled_softmax_loss`) and adds their mean to the model's loss. It reports
      `sampled_loss` and `sampled_accuracy`, how often the label beats all candidates.
    - With labels, else: returns the exact losses, those of the full softmax
      (`tfcs.full_softmax_loss`), in chunks that never hold [B, V], and adds their mean. It reports
      `nll`, `accuracy` and the accuracies that `top_k` names, by the rank among all classes.
    - Without labels: returns the logits of all classes, [B, V]. In training that is an error.

    The mean is the sum of the losses times `sample_weight`, divided by the number of examples that
    count, as Keras reduces a loss. What is reported are means weighted with `sample_weight`.
    Examples that the mask leaves out cost nothing, and no sampler counts their labels. Where an
    example has several labels, the best of them decides about its accuracy.

    Args:
      num_classes: V.
      num_sampled: S, how many candidates a training step draws. `layer.num_sampled = 4096` changes
        it at any time.
      sampler: "log_uniform" (for classes in descending order of frequency), "uniform",
        "learned_unigram", or a sampler object, such as `tfcs.FixedUnigramSampler`. Its state is
        saved with the model.
      seed: an op seed, where `sampler` is a name.
      expected_count: "tf" or "exact", see `tfcs.uniform_candidate_sampler`.
      remove_accidental_hits: whether a candidate that equals one of its row's labels is dropped.
      recompute: see `tfcs.sampled_softmax_loss`.
      evaluation: "exact", or "sampled" for what training computes: a metric of sampled candidates
        does not tell which of two models is better (Krichene and Rendle 2020).
      correction: "log_q", "corrected_log_q" or "none", see `tfcs.sampled_softmax_loss`.
      use_bias: whether classes have biases.
      table_initializer: of the table [V, D]; None draws from a uniform distribution with the
        variance 1 / D, so that logits begin with the scale of `inputs`.
      bias_initializer: of the biases [V].
      embedding: a `keras.layers.Embedding` whose table [V or more, D] is used in place of an own.
      temperature, normalize, logit_softcap: see `tfcs.sampled_softmax_loss`.
      ignore_id: an example whose labels are all this id does not count.
      top_k: the ks of the reported top-k accuracies.
      metric_prefix: what the names of the reported values begin with, to tell apart several layers
        of a model.
      **options: `name`, `dtype` and `trainable`, as of every layer.

    Call arguments:
      inputs: [B, D], or sequences [B, L, D].
      labels: integers [B] or [B, num_true], of sequences [B, L] or [B, L, num_true]; or None.
      sample_weight: [B] or [B, 1], of sequences [B, L] or [B, L, 1]; or None for ones.
      mask: bool [B], of sequences [B, L], which examples count. By default it is the mask that
        `inputs` carry, as after `Embedding(mask_zero=True)`.

    Returns:
      With labels: the losses [B] or [B, L], float32 (float64 for float64 inputs), without sample
      weights; 0 for examples that do not count. Without: the logits [B, V] or [B, L, V].

    Raises:
      ValueError: no labels in training; shapes, numbers or options that do not fit.
      TypeError: labels or a table of a wrong type; a sampler that is none.
      tf.errors.InvalidArgumentError: class ids outside of [0, num_classes).
    """

    def __init__(
        self,
        num_classes: SupportsIndex,
        num_sampled: SupportsIndex,
        *,
        correction: str = "log_q",
        **options: Any,
    ) -> None:
        super().__init__(num_classes, num_sampled, **options)
        self.correction = correction

    def get_config(self) -> dict[str, Any]:
        """The arguments of a layer like this one, for `from_config`."""
        return {**super().get_config(), "correction": self.correction}

    def _loss(self, labels: tf.Tensor, inputs: tf.Tensor, **arguments: Any) -> Any:
        if self.correction != "log_q":
            arguments["correction"] = self.correction
        return sampled_softmax_loss(self.table, self.bias, labels, inputs, **arguments)
