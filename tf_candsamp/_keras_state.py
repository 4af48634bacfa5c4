"""What makes Keras list, save and restore a sampler's state: there a sampler is a layer.

Keras 3 knows state by its class alone, and within a layer only variables of its own and layers.
"""

import sys
import warnings

import tensorflow as tf


def keras_layer():
    """The class of Keras's layers; None where there is no Keras or it runs on another backend."""
    try:
        layer, backend = tf.keras.layers.Layer, tf.keras.backend.backend()
    except (ImportError, AttributeError, RecursionError, ValueError):
        # TensorFlow raises a RecursionError where it looked for Keras before; a ValueError is about
        # KERAS_BACKEND.
        return None
    return layer if backend == "tensorflow" else None


_Layer = keras_layer()

if _Layer is None:
    TrackedModule = tf.Module

    def serializable(cls):
        return cls

else:
    serializable = tf.keras.utils.register_keras_serializable(package="tf_candsamp")
    _is_module = issubclass(_Layer, tf.Module)  # in Keras 2

    class TrackedModule(*((_Layer,) if _is_module else (_Layer, tf.Module))):
        """A module that Keras sees wherever a layer or model holds it, in lists and dicts too.

        It is never called as a layer. Its variables are TensorFlow's own, those that
        `_state_variables` gives.
        """

        if not _is_module:
            name = None  # Keras 3 assigns it, which tf.Module's property does not allow.

        def __new__(cls, *args, **kwargs):
            # A layer's would make a config of the arguments, for a million weights in seconds.
            return object.__new__(cls)

        def __init__(self, name=None):
            super().__init__(name=name)
            if not _is_module:
                tf.Module.__init__(self)
                if "tf_keras" in sys.modules:
                    warnings.warn(
                        "tf_keras is imported, but tf.keras is Keras 3, and a sampler's state is "
                        "saved by the layers of tf.keras alone: for tf_keras set "
                        "TF_USE_LEGACY_KERAS=1 before TensorFlow is imported.",
                        stacklevel=4,
                    )
            self.built = True
            self.supports_jit = False  # The ops have no XLA kernels: no jit_compile="auto".

        @property
        def variables(self):
            """The `tf.Variable`s that are the sampler's state."""
            variables = self._state_variables()
            for key, variable in variables.items():
                variable.path = f"{self.name}/{key}"  # what Keras 3 tells variables apart by
            return list(variables.values())

        weights = non_trainable_variables = non_trainable_weights = variables

        @property
        def trainable_variables(self):
            """No variable is trained by gradients."""
            return []

        trainable_weights = trainable_variables
