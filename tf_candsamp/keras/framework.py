# SPDX-License-Identifier: Apache-2.0
"""The Keras that `tf.keras` is, and what differs between its versions 2 and 3."""

from typing import Any

import tensorflow as tf

from tf_candsamp._samplers.keras_state import keras_layer

if keras_layer() is None:
    raise ImportError(
        "tf_candsamp.keras needs Keras on the backend tensorflow: install keras, and unset "
        "KERAS_BACKEND or set it to 'tensorflow'."
    )

keras: Any = tf.keras
KERAS_3: bool = not issubclass(keras.layers.Layer, tf.Module)

serializable: Any = keras.utils.register_keras_serializable(package="tf_candsamp")

# So that a policy of mixed precision does not cast a whole table wherever it is used.
NO_AUTOCAST: dict[str, bool] = {"autocast" if KERAS_3 else "experimental_autocast": False}


def is_symbolic(value: Any) -> bool:
    """Whether a value stands for a tensor while a functional model is put together."""
    try:
        return bool(keras.backend.is_keras_tensor(value))
    except ValueError:  # of Keras 2, for what is no tensor
        return False


def symbolic(shape: Any, dtype: Any, *, ragged: bool = False) -> Any:
    """What Keras 3 calls the output of a layer before there is one."""
    return keras.KerasTensor(tuple(shape), dtype=dtype, **({"ragged": True} if ragged else {}))


def dtype_name(dtype: Any) -> str:
    """The name of a type, as Keras 3 has it or as TensorFlow does."""
    return str(tf.as_dtype(dtype).name)
