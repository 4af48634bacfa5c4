# SPDX-License-Identifier: Apache-2.0
"""Loads the op library, or says in one sentence why it cannot be loaded."""

import os
from typing import Any

try:
    from tf_candsamp import _build_info
except ImportError:
    raise ImportError(
        f"Python found the source folder {os.path.dirname(__file__)} before the installed "
        "tf_candsamp: run 'make build', then start .venv/bin/python from another directory."
    ) from None


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


_WANTED = _minor(_build_info.TF_VERSION)

try:
    import tensorflow as tf
except ModuleNotFoundError as error:
    if error.name != "tensorflow":
        raise
    raise ImportError(
        f"tf_candsamp needs TensorFlow {_WANTED}: "
        "pip install 'tf_candsamp[cpu]' or 'tf_candsamp[gpu]'."
    ) from None

if _minor(tf.__version__) != _WANTED:
    raise ImportError(
        f"This tf_candsamp {_build_info.VERSION} was built for TensorFlow {_WANTED}, "
        f"but TensorFlow {tf.__version__} is installed: install TensorFlow {_WANTED}, "
        "or build tf_candsamp for yours."
    )


def library_path() -> str:
    """The path of the library that holds all ops and their kernels.

    A program without this package loads it before a SavedModel that uses these ops: Python by
    `tf.load_op_library`, C and C++ by `TF_LoadLibrary`.

        tf.load_op_library(path)  # what tfcs.library_path() returned where the package is

    It needs TensorFlow of the minor version that it was built for, and nothing else.
    """
    return os.path.join(os.path.dirname(__file__), "libtf_candsamp.so")


ops: Any = tf.load_op_library(library_path())


def no_gradient(*op_names: str) -> None:
    """Says of ops of this package that nothing flows back through them."""
    for name in op_names:
        tf.no_gradient(f"Candsamp>{name}")
