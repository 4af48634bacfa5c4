# SPDX-License-Identifier: Apache-2.0
"""What the layers report."""

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from tf_candsamp.keras.framework import keras


class Averages(keras.metrics.Metric):
    """Weighted means of several values over an epoch, in groups of which one is reported.

    A training step updates other values than an evaluation does, and a mean of nothing would be
    reported as 0. So `result` is a dict with the values of the group that was updated.

    Args:
      groups: for each group the names of its values.
      prefix: what all reported names begin with.
      name: the metric's name.
    """

    def __init__(
        self, groups: Mapping[str, Sequence[str]], prefix: str = "", name: str = "averages"
    ) -> None:
        super().__init__(name=name, dtype="float32")
        self._names = {group: [prefix + name for name in names] for group, names in groups.items()}
        self._latest = next(iter(groups))
        # For each group the sums of its values, then the sum of weights.
        self._sums = {
            group: self.add_weight(
                name=f"{group}_sums", shape=(len(names) + 1,), initializer="zeros"
            )
            for group, names in groups.items()
        }

    def update_state(
        self, group: str, values: Sequence[tf.Tensor], sample_weight: tf.Tensor
    ) -> None:
        """Adds the values of a batch, each [N], with the weights [N]."""
        self._latest = group
        if tf.distribute.in_cross_replica_context():
            return  # Keras 2 builds a functional model: there is no replica whose batch this is.
        weights = tf.cast(sample_weight, tf.float32)
        sums = [tf.reduce_sum(weights * tf.cast(value, tf.float32)) for value in values]
        self._sums[group].assign_add(tf.stack([*sums, tf.reduce_sum(weights)]))

    def result(self) -> dict[str, tf.Tensor]:
        """The means by name: of the group that the function being traced has updated.

        Outside of functions that is the group that was updated since the last reset.
        """
        means: dict[str, tf.Tensor] = {}
        for group in self._reported():
            sums = tf.convert_to_tensor(self._sums[group])
            values = tf.unstack(tf.math.divide_no_nan(sums[:-1], sums[-1]))
            means.update(zip(self._names[group], values, strict=True))
        return means

    def _reported(self) -> list[str]:
        if not tf.executing_eagerly():
            return [self._latest]
        updated = [group for group, sums in self._sums.items() if float(sums[-1]) > 0]
        return updated or [self._latest]

    def reset_state(self) -> None:
        """Begins anew."""
        for sums in self._sums.values():
            sums.assign(tf.zeros_like(sums))

    def get_config(self) -> dict[str, Any]:
        """Never used: the layer that has this metric makes it."""
        raise NotImplementedError
