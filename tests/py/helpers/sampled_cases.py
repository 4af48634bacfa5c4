# SPDX-License-Identifier: Apache-2.0
"""Arguments for the losses whose rows share their candidates; see loss_cases.py."""

import dataclasses

import numpy as np
import reference
import tensorflow as tf
from loss_cases import rounded

import tf_candsamp as tfcs

FUNCTIONS = {"softmax": tfcs.sampled_softmax_loss, "nce": tfcs.nce_loss}
_REFERENCES = {"softmax": reference.sampled_softmax_loss, "nce": reference.nce_loss}


@dataclasses.dataclass
class Case:
    """Arguments as NumPy arrays. `sampled` and the expected counts are the sampled_values."""

    weights: np.ndarray
    biases: np.ndarray | None
    labels: np.ndarray  # [B, T]
    inputs: np.ndarray
    sampled: np.ndarray  # [S]
    true_expected_count: np.ndarray
    sampled_expected_count: np.ndarray
    remove_accidental_hits: bool = True
    recompute: bool = False
    partition_strategy: str = "div"
    num_classes: int | None = None  # None: as many as weights have rows
    options: dict = dataclasses.field(default_factory=dict)  # other arguments of the losses

    def rounded(self, input_type, weight_type=None):
        """The case with floats that these types (and float32 for counts) hold exactly."""
        weight_type = weight_type or input_type
        return dataclasses.replace(
            self,
            weights=rounded(self.weights, weight_type),
            biases=None if self.biases is None else rounded(self.biases, weight_type),
            inputs=rounded(self.inputs, input_type),
            true_expected_count=rounded(self.true_expected_count, tf.float32),
            sampled_expected_count=rounded(self.sampled_expected_count, tf.float32),
        )

    def grad(self, kind):
        """A gradient of the losses, in numbers that every type holds exactly."""
        return np.random.default_rng(len(self.inputs)).integers(-16, 17, len(self.inputs)) / 8

    def sampled_values(self, count_type=tf.float32):
        return (
            tf.constant(self.sampled, tf.int64),
            tf.constant(self.true_expected_count, count_type),
            tf.constant(self.sampled_expected_count, count_type),
        )

    def sizes(self):
        """The arguments of the losses that are numbers."""
        return {
            "num_sampled": len(self.sampled),
            "num_classes": self.num_classes or len(self.weights),
            "num_true": self.labels.shape[1],
        }

    def apply(self, kind, weights, biases, inputs):
        return FUNCTIONS[kind](
            weights,
            biases,
            tf.constant(self.labels, tf.int64),
            inputs,
            **self.sizes(),
            sampled_values=self.sampled_values(),
            remove_accidental_hits=self.remove_accidental_hits,
            recompute=self.recompute,
            partition_strategy=self.partition_strategy,
            **self.options,
        )

    def reference(self, kind, grad):
        corrected = self.options.get("correction") == "corrected_log_q"
        function = reference.corrected_softmax_loss if corrected else _REFERENCES[kind]
        return function(*self._for_reference(), **self._options_of_reference(), grad=grad)

    def stats(self):
        """log_sum_exp and label_is_top by reference.py."""
        options = self._options_of_reference()
        options.pop("positive_weight", None)
        return reference.sampled_stats(*self._for_reference(), **options)

    def _for_reference(self):
        counts = (self.true_expected_count, self.sampled_expected_count)
        if self.options.get("correction") == "none":
            counts = (np.ones(1), np.ones(1))
        return self.weights, self.biases, self.labels, self.inputs, (self.sampled, *counts)

    def _options_of_reference(self):
        options = {k: v for k, v in self.options.items() if k != "correction"}
        return options | {"remove_accidental_hits": self.remove_accidental_hits}


def random_case(
    seed=0,
    *,
    rows=7,
    classes=50,
    depth=5,
    num_true=2,
    num_sampled=20,
    unique=True,
    biases=True,
    scale=1.0,
    **options,
):
    """With `unique` no candidate comes twice; a label may repeat in its row in any case."""
    rng = np.random.default_rng(seed)
    return Case(
        weights=rng.normal(0, scale, [classes, depth]),
        biases=rng.normal(0, scale, classes) if biases else None,
        labels=rng.integers(0, classes, [rows, num_true]),
        inputs=rng.normal(0, 1, [rows, depth]),
        sampled=rng.choice(classes, num_sampled, replace=not unique),
        true_expected_count=np.exp(rng.normal(-2, 1, [rows, num_true])),
        sampled_expected_count=np.exp(rng.normal(-2, 1, num_sampled)),
        **options,
    )
