# SPDX-License-Identifier: Apache-2.0
"""Keras layers and optimizers for models with very many classes.

    layer = tfcs.keras.layers.SampledSoftmax(num_classes=1_000_000, num_sampled=2048)

Keras here means `tf.keras`.
"""

import importlib
from types import ModuleType

from tf_candsamp.keras import layers
from tf_candsamp.keras.exporting import export

__all__ = ["export", "layers"]


def __getattr__(name: str) -> ModuleType:
    """Imports `optimizers` when it is first asked for."""
    if name == "optimizers":
        return importlib.import_module("tf_candsamp.keras.optimizers")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
