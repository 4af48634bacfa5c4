"""Unigram weights as arguments: a vector, or a vocabulary file."""

import os

import tensorflow as tf

from tf_candsamp._library import ops
from tf_candsamp._sampling import integer, positive
from tf_candsamp._tensors import to_tensor


def unigram_weights(unigrams, vocab_file, distortion, num_reserved_ids, num_shards, shard):
    """The weights of one shard, float32 [range_max]: from a vector, or a file if that is None."""
    if unigrams is None:
        unigrams = _read_vocabulary(vocab_file)
    else:
        unigrams = to_tensor("unigrams", unigrams, tf.float32)
        if not (unigrams.dtype.is_floating or unigrams.dtype.is_integer):
            raise TypeError(f"unigrams must be a vector of numbers, got {unigrams.dtype.name}.")
        unigrams = tf.cast(unigrams, tf.float32)
        if unigrams.shape.rank not in (1, None):
            raise ValueError(f"unigrams must be a vector, got shape {unigrams.shape}.")
    return ops.candsamp_unigram_weights(
        unigrams=unigrams,
        distortion=distortion,
        num_reserved_ids=integer("num_reserved_ids", num_reserved_ids),
        num_shards=positive("num_shards", num_shards),
        shard=integer("shard", shard),
    )


def _read_vocabulary(path):
    """The weights in a file, read now, also where a graph is being made."""
    with tf.init_scope():
        if tf.executing_eagerly():
            return ops.candsamp_read_vocabulary(vocab_file=os.fspath(path))
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        return session.run(ops.candsamp_read_vocabulary(vocab_file=os.fspath(path)))
