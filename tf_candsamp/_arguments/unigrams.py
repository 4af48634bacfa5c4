# SPDX-License-Identifier: Apache-2.0
"""Unigram weights as arguments: a vector, or a vocabulary file."""

import os
from typing import Any, SupportsIndex, TypeGuard

import numpy as np
import tensorflow as tf

from tf_candsamp._arguments.scalars import integer, positive
from tf_candsamp._arguments.tensors import check_dense, to_tensor
from tf_candsamp._library import ops
from tf_candsamp._types import PathLike, TensorLike


def is_path(unigrams: Any) -> TypeGuard[PathLike]:
    """Whether an argument that is a vector of weights or a path is a path."""
    return isinstance(unigrams, (str, bytes)) or hasattr(unigrams, "__fspath__")


def check_one_origin(has_unigrams: bool, vocab_file: PathLike) -> None:
    """Refuses weights that are given in no way, or both in `unigrams` and in `vocab_file`."""
    if not has_unigrams and not vocab_file:
        raise ValueError("Must provide either vocab_file or unigrams, got neither.")
    if has_unigrams and vocab_file:
        raise ValueError(
            f"Must only provide one of vocab_file and unigrams, got both: vocab_file is "
            f"{vocab_file!r}."
        )


def list_of_weights(unigrams: Any) -> list[float]:
    """A list of floats, for an attribute of an op. None, which TensorFlow takes, gives none."""
    if unigrams is None:
        return []
    check_dense("unigrams", unigrams)
    try:
        weights = np.asarray(unigrams, np.float32)
    except (TypeError, ValueError, NotImplementedError) as error:  # the last from symbolic tensors
        raise TypeError(f"unigrams must be a list of numbers: {error}") from None
    if weights.ndim != 1:
        raise ValueError(f"unigrams must be a list of numbers, got shape {weights.shape}.")
    return weights.tolist()


def unigram_weights(
    unigrams: TensorLike | None,
    vocab_file: PathLike,
    distortion: float,
    num_reserved_ids: SupportsIndex,
    num_shards: SupportsIndex,
    shard: SupportsIndex,
) -> tf.Tensor:
    """The weights of one shard, float32 [range_max]: of a vector, or of a file if that is None."""
    if unigrams is None:
        vector = _read_vocabulary(vocab_file)
    else:
        vector = to_tensor("unigrams", unigrams, tf.float32)
        if not (vector.dtype.is_floating or vector.dtype.is_integer):
            raise TypeError(f"unigrams must be a vector of numbers, got {vector.dtype.name}.")
        vector = tf.cast(vector, tf.float32)
        if vector.shape.rank not in (1, None):
            raise ValueError(f"unigrams must be a vector, got shape {vector.shape}.")
    return ops.candsamp_unigram_weights(
        unigrams=vector,
        distortion=distortion,
        num_reserved_ids=integer("num_reserved_ids", num_reserved_ids),
        num_shards=positive("num_shards", num_shards),
        shard=integer("shard", shard),
    )


def _read_vocabulary(path: PathLike) -> Any:
    """The weights in a file, read now, even if a graph is being built."""
    with tf.init_scope():
        if tf.executing_eagerly():
            return ops.candsamp_read_vocabulary(vocab_file=os.fspath(path))
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        return session.run(ops.candsamp_read_vocabulary(vocab_file=os.fspath(path)))
