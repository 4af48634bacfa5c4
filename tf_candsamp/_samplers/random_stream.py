# SPDX-License-Identifier: Apache-2.0
"""Random streams: where in a Philox stream an op begins to draw.

A stream is int64 [3]: the lower and the upper half of the 128-bit counter, and the key.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from tf_candsamp._arguments.scalars import host_integers, integer
from tf_candsamp._devices import on_host
from tf_candsamp._library import no_gradient, ops

_MOST_SAMPLED = 2**40


def op_seeds(seed: Any) -> tuple[int, int] | tuple[None, None]:
    """An op's two seeds, made of its own and the global one; None if they are to be random."""
    return tf.compat.v1.get_seed(None if seed is None else integer("seed", seed))


def stream_of_seeds(seed1: int, seed2: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The start of the stream that TensorFlow's samplers have for two op seeds."""
    return np.array([0, _uint64_as_int64(seed2), _uint64_as_int64(seed1)], np.int64)


def seeded_stream(num_sampled: int, seed: int | None) -> tf.Tensor:
    """The stream of a call of a function that takes an op seed and keeps no state in a variable.

    As with TensorFlow's ops, `tf.random.set_seed` makes it start again.
    """
    seed1, seed2 = op_seeds(seed)
    if tf.executing_eagerly() and seed is None and seed1 is not None and seed2 is not None:
        # The global seed gives each call other seeds. A stateful op would get a kernel for each of
        # these, which TensorFlow keeps and never uses again.
        return tf.constant(stream_of_seeds(seed1, seed2))
    with on_host():
        size = host_integers("num_sampled", num_sampled, rank=0)
        return ops.candsamp_reserve_stream(size, seed=seed1 or 0, seed2=seed2 or 0)


def stream_of_generator(generator: tf.random.Generator, num_sampled: int | tf.Tensor) -> tf.Tensor:
    """The stream for a draw of num_sampled candidates; that of the next call starts behind it.

    A step of the generator is 256 blocks of 128 bits; TensorFlow sets 512 blocks aside for each
    candidate.
    """
    with on_host():
        if not isinstance(num_sampled, int):
            # The op will refuse a bad number, but until then it must not turn the state back.
            num_sampled = tf.clip_by_value(num_sampled, 0, _MOST_SAMPLED)
        steps = tf.cast(2 * num_sampled, tf.uint64)
    stream = generator.skip(steps)
    replica = tf.distribute.get_replica_context()
    if replica is not None and replica.num_replicas_in_sync > 1:
        # Replicas share the state; each draws from counters of its own.
        upper = tf.cast(replica.replica_id_in_sync_group, tf.int64) * _REPLICA_STEP
        stream += tf.stack([tf.zeros([], tf.int64), upper, tf.zeros([], tf.int64)])
    return stream


def _uint64_as_int64(value: int) -> int:
    """The int64 with the same bits as the lowest 64 of an integer."""
    value &= 2**64 - 1
    return value - 2**64 if value >= 2**63 else value


# An odd 64-bit number: its multiples are far apart.
_REPLICA_STEP = _uint64_as_int64(0x9E3779B97F4A7C15)

no_gradient("ReserveStream")
