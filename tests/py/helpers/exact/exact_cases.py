# SPDX-License-Identifier: Apache-2.0
"""Arguments for the functions that score all classes; see loss_cases.py."""

import dataclasses

import numpy as np
import reference
import tensorflow as tf
from loss_cases import rounded

import tf_candsamp as tfcs

# What a logit may be made of. float32 holds the numbers, as attributes of the ops do.
OPTIONS = {
    "plain": {},
    "temperature": {"temperature": 0.375},
    "normalize": {"normalize": True},
    "softcap": {"logit_softcap": 2.5},
    "all": {"temperature": 0.125, "normalize": True, "logit_softcap": 3.0},
}


@dataclasses.dataclass
class Case:
    """Arguments as NumPy arrays."""

    weights: np.ndarray
    biases: np.ndarray | None
    labels: np.ndarray  # [B, T]
    inputs: np.ndarray
    options: dict

    def rounded(self, input_type, weight_type=None):
        """The case with floats that these types hold exactly."""
        weight_type = weight_type or input_type
        return dataclasses.replace(
            self,
            weights=rounded(self.weights, weight_type),
            biases=None if self.biases is None else rounded(self.biases, weight_type),
            inputs=rounded(self.inputs, input_type),
        )

    def grad(self, kind):
        """A gradient of the losses, in numbers that every type holds exactly."""
        return np.random.default_rng(len(self.inputs)).integers(-16, 17, len(self.inputs)) / 8

    def apply(self, kind, weights, biases, inputs):
        labels = tf.constant(self.labels, tf.int64)
        return tfcs.full_softmax_loss(weights, biases, labels, inputs, **self.options)

    def reference(self, kind, grad):
        options = {k: v for k, v in self.options.items() if k != "partition_strategy"}
        return reference.full_softmax_loss(
            self.weights, self.biases, self.labels, self.inputs, grad=grad, **options
        )


def random_case(
    seed=0, *, rows=7, classes=50, depth=5, num_true=2, biases=True, scale=1.0, **options
):
    rng = np.random.default_rng(seed)
    num_classes = options.get("num_classes") or classes
    return Case(
        weights=rng.normal(0, scale, [classes, depth]),
        biases=rng.normal(0, scale, classes) if biases else None,
        labels=rng.integers(0, num_classes, [rows, num_true]),
        inputs=rng.normal(0, 1, [rows, depth]),
        options=options,
    )
