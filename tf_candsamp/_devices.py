# SPDX-License-Identifier: Apache-2.0
"""Where ops run: what GPU kernels read in host memory, and whether there are any."""

import contextlib

import tensorflow as tf

from tf_candsamp._build_info import GPU_KERNELS


def on_host() -> contextlib.AbstractContextManager[object]:
    """A context in which to make small tensors that decide sizes.

    A kernel that needs such a tensor on the host would have to copy it back from the GPU, and so
    wait for the GPU. In TensorFlow without GPU support the context does nothing and costs nothing.
    """
    return tf.device("/CPU:0") if tf.test.is_built_with_cuda() else contextlib.nullcontext()


def tables_on_host() -> contextlib.AbstractContextManager[object]:
    """A context in which to make tables that no GPU kernel of this wheel could read."""
    return contextlib.nullcontext() if GPU_KERNELS else tf.device("/CPU:0")


def check_device(name: str, variable: tf.Variable) -> None:
    """Raises UnimplementedError for a variable on a GPU if the wheel has no GPU kernels.

    Args:
      name: the argument's name, for the error.
      variable: the variable.
    """
    device = variable.device
    if device and "GPU:" in device and not GPU_KERNELS:
        raise tf.errors.UnimplementedError(
            None,
            None,
            f"{name} is a variable on {device}, and this wheel of tf_candsamp was built without "
            "GPU kernels: create it within tf.device('/CPU:0').",
        )
