# SPDX-License-Identifier: Apache-2.0
"""How the losses make a logit of a score, and the statistics that they return."""

from typing import Any, NamedTuple

import tensorflow as tf

from tf_candsamp._arguments.scalars import boolean, positive_number
from tf_candsamp._results import LossStats


class LogitOptions(NamedTuple):
    """The losses' arguments of these names."""

    temperature: float = 1.0
    normalize: bool = False
    logit_softcap: float | None = None

    def attributes(self) -> dict[str, Any]:
        """What the ops take for them."""
        softcap = self.logit_softcap
        return {
            "temperature": positive_number("temperature", self.temperature),
            "normalize": boolean("normalize", self.normalize),
            "logit_softcap": 0.0 if softcap is None else positive_number("logit_softcap", softcap),
        }


def logit_attributes(op: tf.Operation) -> dict[str, Any]:
    """The same of an op, for its gradient op."""
    return {name: op.get_attr(name) for name in LogitOptions._fields}


def loss_and_stats(outputs: Any, return_stats: bool) -> tf.Tensor | tuple[tf.Tensor, LossStats]:
    """What a loss function returns of its op's outputs. Statistics are constants for gradients."""
    if not return_stats:
        return outputs.loss
    return outputs.loss, LossStats(tf.stop_gradient(outputs.log_sum_exp), outputs.label_is_top)
