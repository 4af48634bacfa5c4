# SPDX-License-Identifier: Apache-2.0
"""Layers that own a row for each class, compute the loss, and report how good the model is."""

from tf_candsamp.keras.layers.nce import NCE
from tf_candsamp.keras.layers.ragged_sampled_softmax import RaggedSampledSoftmax
from tf_candsamp.keras.layers.sampled_softmax import SampledSoftmax

__all__ = ["NCE", "RaggedSampledSoftmax", "SampledSoftmax"]
