# SPDX-License-Identifier: Apache-2.0
"""Keras's optimizers, with a step of tables that costs as much as the rows it touches.

Each has the arguments of Keras's own class of that name, and is one. For dense gradients it does
what that one does. For `tf.IndexedSlices`, the gradients of gathers and of sampled losses, it
updates the rows that have a gradient, in place.
"""

from tf_candsamp.keras.optimizers.classes import SGD, Adagrad, Adam, AdamW, Ftrl, RMSprop
from tf_candsamp.keras.optimizers.loss_scale import LossScaleOptimizer

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Ftrl", "LossScaleOptimizer", "RMSprop"]
