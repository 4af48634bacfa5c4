# SPDX-License-Identifier: Apache-2.0
"""Dynamic loss scaling around an optimizer that updates rows."""

from collections.abc import Iterable
from typing import Any

import tensorflow as tf

from tf_candsamp._samplers.keras_state import serializable
from tf_candsamp.keras.optimizers.row_updates import IS_KERAS_3


class _FiniteSlices:
    """Looks for infinities and NaNs in the rows of slices alone."""

    def check_finite(self, grads: Iterable[Any]) -> tf.Tensor:
        """Whether all gradients are finite. Keras 3's own method makes slices dense."""
        values = [g.values if isinstance(g, tf.IndexedSlices) else g for g in grads]
        return super().check_finite(values)  # type: ignore[misc]


if IS_KERAS_3:
    _Base: Any = tf.keras.optimizers.LossScaleOptimizer

    @serializable
    class LossScaleOptimizer(_FiniteSlices, _Base):
        """Keras's LossScaleOptimizer, whose step does not grow with the table either.

        Keras 3's own class works, too, but looks at every row of the table. Give this one to
        `compile` under the policy "mixed_float16", where Keras would wrap an optimizer by itself.

            inner = tfcs.keras.optimizers.Adam(0.001)
            optimizer = tfcs.keras.optimizers.LossScaleOptimizer(inner)

        Args: those of `keras.optimizers.LossScaleOptimizer`.
        """

else:
    # That of Keras 2 looks at the rows of slices alone.
    LossScaleOptimizer = tf.keras.mixed_precision.LossScaleOptimizer  # type: ignore[misc]
