# SPDX-License-Identifier: Apache-2.0
"""Layers that own a row for each class, compute the loss, and report how good the model is."""

from tf_candsamp.keras.layers.ragged_sampled_softmax import RaggedSampledSoftmax

__all__ = ["RaggedSampledSoftmax"]
