# SPDX-License-Identifier: Apache-2.0
"""How often ids come in a stream, for item spaces that have no table of counts."""

import json
from typing import Any, SupportsIndex

import tensorflow as tf

from tf_candsamp._arguments.scalars import fraction, positive
from tf_candsamp._arguments.tensors import int64_tensor
from tf_candsamp._devices import on_host
from tf_candsamp._library import no_gradient, ops
from tf_candsamp._samplers.keras_state import TrackedModule, serializable
from tf_candsamp._samplers.saved_state import Identity, SavedState
from tf_candsamp._types import TensorLike
from tf_candsamp._variables import handle_of

__all__ = ["FrequencyEstimator"]

_MOST_HASHES = 16
_MOST_PLACES = 2**31 - 1


@serializable
class FrequencyEstimator(SavedState, TrackedModule):
    """Estimates how often ids come from the gaps between their occurrences.

        estimator = tfcs.FrequencyEstimator(1_000_000)
        loss = tfcs.in_batch_softmax_loss(query, item, item_ids, sampler=estimator)

    The ids need no vocabulary: they are hashed. The idea is that of Yi et al. 2019,
    "Sampling-bias-corrected neural modeling for large corpus item recommendations": an array holds
    when each hash came last, another its mean gap, of which the inverse is the probability. Several
    hashes make collisions rare, and the largest of an id's gaps counts, since collisions only
    shorten gaps. Here time is counted in ids, not in batches, so that the probability is that of a
    single id, however often it comes in a batch. With k occurrences in a batch that ends at time t,
    where the last one before ended at time s, and the learning rate a,

        gap = (1 - a)^k gap + (1 - (1 - a)^k) (t - s) / k.

    The first gaps of a hash are averaged evenly, until 1 / a of them are known. In a stationary
    stream the gap's mean is 1 / p and its relative deviation sqrt(a / 2): 7% for a = 0.01. In one
    that changes, an id forgets in 1 / a occurrences. An id that has not come for ten times its gap
    becomes rarer as time goes on. One that came once or never has the probability 1 / t.

    All state is in a variable. `tf.train.Checkpoint`, SavedModels and Keras's files save it as they
    save a sampler's. Each replica of a strategy follows the ids that it gets, and the first one's
    state is saved: from batches that are divided at random all learn the same probabilities.
    Updates from several threads are never lost. Estimators live on the host: there are no kernels
    for GPUs.

    Args:
      num_buckets: values of each hash, a few times the number of ids that matter. A bucket of one
        hash takes 16 bytes.
      num_hashes: how many hashes, at most 16.
      learning_rate: a, a number of (0, 1]. Smaller ones are more precise and slower to follow.
      name: a name for the module.

    Raises:
      TypeError, ValueError: an argument of the wrong type or value.
    """

    def __init__(
        self,
        num_buckets: SupportsIndex,
        *,
        num_hashes: SupportsIndex = 2,
        learning_rate: float = 0.01,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self._num_buckets = positive("num_buckets", num_buckets)
        self._num_hashes = positive("num_hashes", num_hashes)
        self._learning_rate = fraction("learning_rate", learning_rate)
        if self._learning_rate == 0:
            raise ValueError("learning_rate must be above 0, got 0.")
        if self._num_hashes > _MOST_HASHES:
            raise ValueError(f"num_hashes must be at most {_MOST_HASHES}, got {num_hashes}.")
        places = self._num_buckets * self._num_hashes
        if places > _MOST_PLACES:
            raise ValueError(f"num_buckets times num_hashes must be less than 2^31, got {places}.")
        self._identity = _Identity("frequency-estimator", places)
        with tf.init_scope(), on_host():
            self._state = tf.Variable(
                lambda: tf.zeros([1 + 2 * places], tf.int64),
                trainable=False,
                name="state",
                synchronization=tf.VariableSynchronization.ON_READ,
                aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
            )

    def get_config(self) -> dict[str, Any]:
        """The arguments of an estimator like this one, for `from_config`, in JSON's types."""
        return {
            "num_buckets": self._num_buckets,
            "num_hashes": self._num_hashes,
            "learning_rate": self._learning_rate,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "FrequencyEstimator":
        """Makes an estimator with the arguments that another one's `get_config` gave."""
        return cls(**config)

    def update(self, ids: TensorLike, name: str | None = None) -> tf.Operation | None:
        """Takes notice of a batch of ids.

            estimator.update([3, 17, 3])

        Args:
          ids: of any integer type and shape, negative ones included.
          name: a name for the ops.

        Returns:
          The op, in TensorFlow 1's graphs; else None.
        """
        ids = int64_tensor("ids", ids)
        with on_host():
            op = ops.candsamp_frequency_update(
                ids=ids, learning_rate=self._learning_rate, name=name, **self._place()
            )
        return None if tf.compat.v1.executing_eagerly_outside_functions() else op

    def probability(self, ids: TensorLike, name: str | None = None) -> tf.Tensor:
        """The probability that the next id is this one, by what was seen.

            estimator.probability([3, 17])

        Args:
          ids: of any integer type and shape.
          name: a name for the ops.

        Returns:
          float32, the shape of ids: above 0, and at most 1.
        """
        with tf.name_scope(name or "FrequencyEstimatorProbability"):
            return tf.math.reciprocal(self._gaps(ids))

    def log_q(self, ids: TensorLike, name: str | None = None) -> tf.Tensor:
        """The logarithm of `probability`, finite for every id.

        That of the expected count in a batch of n is log n more, which no softmax notices.

            logits = tf.matmul(queries, items, transpose_b=True) - estimator.log_q(item_ids)

        Args:
          ids: of any integer type and shape.
          name: a name for the ops.

        Returns:
          float32, the shape of ids.
        """
        with tf.name_scope(name or "FrequencyEstimatorLogQ"):
            return -tf.math.log(self._gaps(ids))

    def _gaps(self, ids: TensorLike) -> tf.Tensor:
        """The mean gap of each id, at least 1."""
        ids = int64_tensor("ids", ids)
        with on_host():
            return ops.candsamp_frequency_gaps(ids=ids, **self._place())

    def _place(self) -> dict[str, Any]:
        """The ops' arguments that say which places ids have."""
        return {
            "state": handle_of(self._state),
            "num_buckets": self._num_buckets,
            "num_hashes": self._num_hashes,
        }

    def _state_variables(self) -> dict[str, tf.Variable]:
        return {"state": self._state}


class _Identity(Identity):
    """Names an estimator and its size in a checkpoint, and refuses one of another size."""

    def deserialize(self, string_value: str) -> None:
        saved = json.loads(string_value)
        if saved != json.loads(self.serialize()):
            raise ValueError(
                f"What was saved is a {saved['kind']} of size {saved['range_max']}, which cannot "
                f"be restored into a {self._kind} of num_buckets * num_hashes = {self._range_max}. "
                "The estimator was left as it was."
            )


no_gradient("FrequencyUpdate", "FrequencyGaps")
