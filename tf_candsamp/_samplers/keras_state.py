# SPDX-License-Identifier: Apache-2.0
"""Makes a sampler a layer, if there is Keras: so Keras lists, saves and restores its state.

Keras 3 finds state by its class alone: in a layer only Keras's own variables, and other layers.
"""

import sys
import warnings
from typing import Any, TypeVar

import tensorflow as tf

_Class = TypeVar("_Class", bound=type)


def keras_layer() -> Any:
    """The class of Keras's layers; None without Keras, or if it runs on another backend."""
    try:
        layer, backend = tf.keras.layers.Layer, tf.keras.backend.backend()
    except (ImportError, AttributeError, RecursionError, ValueError):
        # TensorFlow raises a RecursionError where it looked for Keras before; a ValueError is about
        # KERAS_BACKEND.
        return None
    return layer if backend == "tensorflow" else None


def _tracked_module(layer: Any) -> Any:
    """The class of modules that Keras sees, given the class of its layers."""
    is_module = issubclass(layer, tf.Module)  # in Keras 2

    class TrackedModule(*((layer,) if is_module else (layer, tf.Module))):  # type: ignore[misc]
        """A module that Keras sees wherever a layer or model holds it, in lists and dicts too.

        It is never called as a layer. Its variables are TensorFlow's own, those that
        `_state_variables` gives.
        """

        if not is_module:
            name = None  # Keras 3 assigns it, which tf.Module's property does not allow.

        def __new__(cls, *args: Any, **kwargs: Any) -> Any:
            if not is_module and "tf_keras" in sys.modules:
                warnings.warn(
                    "tf_keras is imported, but tf.keras is Keras 3, and a sampler's state is saved "
                    "by the layers of tf.keras alone: for tf_keras set TF_USE_LEGACY_KERAS=1 "
                    "before TensorFlow is imported.",
                    stacklevel=2,
                )
            # A layer's __new__ would make a config of the arguments, for a million weights in
            # seconds.
            return object.__new__(cls)

        def __init__(self, name: str | None = None) -> None:
            super().__init__(name=name)
            if not is_module:
                tf.Module.__init__(self)
            self.built = True
            self.supports_jit = False  # The ops have no XLA kernels: no jit_compile="auto".

        @property
        def variables(self) -> list[tf.Variable]:
            """The `tf.Variable`s that are the sampler's state."""
            variables = self._state_variables()
            for key, variable in variables.items():
                variable.path = f"{self.name}/{key}"  # what Keras 3 tells variables apart by
            return list(variables.values())

        weights = non_trainable_variables = non_trainable_weights = variables

        @property
        def trainable_variables(self) -> list[tf.Variable]:
            """Empty: no variable is trained by gradients."""
            return []

        trainable_weights = trainable_variables

    return TrackedModule


_Layer = keras_layer()

TrackedModule: Any = tf.Module if _Layer is None else _tracked_module(_Layer)


def serializable(cls: _Class) -> _Class:
    """Registers a class with Keras, if there is Keras, so that its files can name it."""
    if _Layer is None:
        return cls
    return tf.keras.utils.register_keras_serializable(package="tf_candsamp")(cls)
