"""Keeps on the host what kernels for GPUs need there: numbers of candidates, row splits."""

import contextlib

import tensorflow as tf


def on_host():
    """A context for small tensors that decide sizes.

    Made on a GPU they would have to be copied back, which waits for the GPU. Without TensorFlow for
    GPUs it does nothing, and costs nothing.
    """
    return tf.device("/CPU:0") if tf.test.is_built_with_cuda() else contextlib.nullcontext()
