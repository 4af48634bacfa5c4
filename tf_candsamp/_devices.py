# SPDX-License-Identifier: Apache-2.0
"""Keeps in host memory what GPU kernels read there: numbers of candidates, row splits."""

import contextlib

import tensorflow as tf


def on_host() -> contextlib.AbstractContextManager[object]:
    """A context in which to make small tensors that decide sizes.

    A kernel that needs such a tensor on the host would have to copy it back from the GPU, and so
    wait for the GPU. In TensorFlow without GPU support the context does nothing and costs nothing.
    """
    return tf.device("/CPU:0") if tf.test.is_built_with_cuda() else contextlib.nullcontext()
