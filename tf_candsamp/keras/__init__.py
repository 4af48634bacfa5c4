# SPDX-License-Identifier: Apache-2.0
"""Keras layers and optimizers for models with very many classes.

    layer = tfcs.keras.layers.SampledSoftmax(num_classes=1_000_000, num_sampled=2048)

Keras here means `tf.keras`.
"""

from tf_candsamp.keras import layers, optimizers
from tf_candsamp.keras.exporting import export

__all__ = ["export", "layers", "optimizers"]
