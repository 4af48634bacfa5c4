# SPDX-License-Identifier: Apache-2.0
"""Noise-contrastive estimation as a layer."""

from typing import Any, SupportsIndex

import tensorflow as tf

from tf_candsamp.keras.framework import serializable
from tf_candsamp.keras.layers.sampled_layer import SampledLayer
from tf_candsamp.sampled_losses import nce_loss


@serializable
class NCE(SampledLayer):
    """A model of very many classes, trained by noise-contrastive estimation.

        features, labels = keras.Input([128]), keras.Input((1,), dtype="int64")
        layer = tfcs.keras.layers.NCE(num_classes=1_000_000, num_sampled=2048)
        losses = layer(keras.layers.Dense(64)(features), labels=labels)

    In training the losses are those of `tfcs.nce_loss`. Evaluation and inference are those of
    `SampledSoftmax`: the loss is that of the full softmax, whose logits are what this loss fits.

    Args:
      num_classes, num_sampled, **options: see `SampledSoftmax`, `correction` excepted.
      remove_accidental_hits: as there; by default hits stay, as in `tfcs.nce_loss`.
      positive_weight: what the label's term is multiplied by, see `tfcs.nce_loss` and
        `tfcs.gbce_positive_weight`.

    Call arguments, results and errors are those of `SampledSoftmax`.
    """

    def __init__(
        self,
        num_classes: SupportsIndex,
        num_sampled: SupportsIndex,
        *,
        remove_accidental_hits: bool = False,
        positive_weight: float = 1.0,
        **options: Any,
    ) -> None:
        super().__init__(
            num_classes, num_sampled, remove_accidental_hits=remove_accidental_hits, **options
        )
        self.positive_weight = positive_weight

    def get_config(self) -> dict[str, Any]:
        """The arguments of a layer like this one, for `from_config`."""
        return {**super().get_config(), "positive_weight": self.positive_weight}

    def _loss(self, labels: tf.Tensor, inputs: tf.Tensor, **arguments: Any) -> Any:
        if self.positive_weight != 1.0:
            arguments["positive_weight"] = self.positive_weight
        return nce_loss(self.table, self.bias, labels, inputs, **arguments)
