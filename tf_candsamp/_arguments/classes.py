# SPDX-License-Identifier: Apache-2.0
"""Class ids of a batch: true classes and labels."""

import warnings
from typing import Any

import tensorflow as tf

from tf_candsamp._arguments.tensors import int64_tensor
from tf_candsamp._types import TensorLike


def class_matrix(
    name: str, ids: TensorLike, num_true: int | None = None, *, floats: bool = False
) -> tf.Tensor:
    """int64 [batch_size, num_true], from integers of any type; `floats` as in `as_int64`."""
    matrix = int64_tensor(name, ids, floats=floats)
    shape = matrix.shape
    wrong_rank = shape.rank not in (2, None)
    if wrong_rank or (num_true and shape.rank and shape[1] not in (num_true, None)):
        columns = f"num_true = {num_true}" if num_true else "num_true"
        raise ValueError(f"{name} must have shape [batch_size, {columns}], got shape {shape}.")
    return matrix


def class_vector(name: str, ids: TensorLike) -> tf.Tensor:
    """int64 [S], from integers of any type."""
    vector = int64_tensor(name, ids)
    if vector.shape.rank not in (1, None):
        raise ValueError(f"{name} must be a vector [S], got shape {vector.shape}.")
    return vector


# The types that hold all integers up to these exactly, and not all beyond.
_EXACT_UP_TO: dict[str | None, int] = {"bfloat16": 2**8, "float16": 2**11, "float32": 2**24}


def warn_of_rounded_labels(labels: Any, num_classes: int | None) -> None:
    """Warns the caller of a loss whose labels are of a float type that cannot name all classes."""
    name = getattr(getattr(labels, "dtype", None), "name", None)
    if num_classes is not None and num_classes > _EXACT_UP_TO.get(name, num_classes):
        warnings.warn(
            f"labels are of type {name}, which does not hold all ids of {num_classes} classes "
            "exactly, so some name another class: pass integers. (Under a mixed-precision policy "
            "Keras casts float labels of a layer unless it has autocast=False.)",
            stacklevel=4,  # this function, the loss's private function, the loss, its caller
        )
