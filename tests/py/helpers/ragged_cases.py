# SPDX-License-Identifier: Apache-2.0
"""Arguments for the ragged functions; see loss_cases.py."""

import dataclasses

import numpy as np
import reference
import tensorflow as tf
from loss_cases import rounded

import tf_candsamp as tfcs

KINDS = ("softmax", "nce", "logits")

FUNCTIONS = {
    "softmax": tfcs.ragged_sampled_softmax_loss,
    "nce": tfcs.ragged_nce_loss,
    "logits": tfcs.ragged_candidate_logits,
}
_REFERENCES = {
    "softmax": reference.ragged_sampled_softmax_loss,
    "nce": reference.ragged_nce_loss,
    "logits": reference.ragged_candidate_logits,
}


@dataclasses.dataclass
class Case:
    """Arguments as NumPy arrays, ids and log_q as lists of one array for each row."""

    weights: np.ndarray
    biases: np.ndarray | None
    labels: list
    inputs: np.ndarray
    candidates: list
    label_log_q: list | None = None
    candidate_log_q: list | None = None
    remove_accidental_hits: bool = True
    options: dict = dataclasses.field(default_factory=dict)  # other arguments of the functions

    def rounded(self, input_type, weight_type=None):
        """The case with floats that these types (and float32 for log_q) hold exactly."""
        weight_type = weight_type or input_type
        return dataclasses.replace(
            self,
            weights=rounded(self.weights, weight_type),
            biases=None if self.biases is None else rounded(self.biases, weight_type),
            inputs=rounded(self.inputs, input_type),
            label_log_q=_rounded_rows(self.label_log_q),
            candidate_log_q=_rounded_rows(self.candidate_log_q),
        )

    def grad(self, kind):
        """A gradient of the function's value, in numbers that every type holds exactly."""
        size = sum(map(len, self.candidates)) if kind == "logits" else len(self.inputs)
        return np.random.default_rng(size).integers(-16, 17, size) / 8

    def apply(self, kind, weights, biases, inputs):
        if kind == "logits":
            scored = FUNCTIONS[kind](
                weights, biases, inputs, ragged(self.candidates), **self.options
            )
            return scored.flat_values
        return FUNCTIONS[kind](
            weights,
            biases,
            ragged(self.labels),
            inputs,
            ragged(self.candidates),
            label_log_q=_ragged_log_q(self.label_log_q),
            candidate_log_q=_ragged_log_q(self.candidate_log_q),
            remove_accidental_hits=self.remove_accidental_hits,
            **self.options,
        )

    def stats(self):
        """log_sum_exp and label_is_top by reference.py."""
        return reference.stats(
            self.weights,
            self.biases,
            self.labels,
            self.inputs,
            self.candidates,
            label_log_q=self.label_log_q,
            candidate_log_q=self.candidate_log_q,
            remove_accidental_hits=self.remove_accidental_hits,
            **self.options,
        )

    def reference(self, kind, grad):
        tables = (self.weights, self.biases)
        if kind == "logits":
            return _REFERENCES[kind](
                *tables, self.inputs, self.candidates, grad=grad, **self.options
            )
        return _REFERENCES[kind](
            *tables,
            self.labels,
            self.inputs,
            self.candidates,
            label_log_q=self.label_log_q,
            candidate_log_q=self.candidate_log_q,
            remove_accidental_hits=self.remove_accidental_hits,
            grad=grad,
            **self.options,
        )


def random_case(
    seed=0,
    *,
    rows=7,
    classes=50,
    depth=5,
    labels=(1, 3),
    candidates=(0, 12),
    biases=True,
    log_q=True,
    remove_accidental_hits=True,
    scale=1.0,
    options=None,
):
    """labels, candidates: the least and the most of a row, of ids that repeat."""
    rng = np.random.default_rng(seed)

    def ids(bounds):
        sizes = rng.integers(bounds[0], bounds[1], rows, endpoint=True)
        return [rng.integers(0, classes, n) for n in sizes]

    def logs(ids_of_rows):
        return [rng.normal(-2, 1, len(row)) for row in ids_of_rows] if log_q else None

    label_ids, candidate_ids = ids(labels), ids(candidates)
    return Case(
        weights=rng.normal(0, scale, [classes, depth]),
        biases=rng.normal(0, scale, classes) if biases else None,
        labels=label_ids,
        inputs=rng.normal(0, 1, [rows, depth]),
        candidates=candidate_ids,
        label_log_q=logs(label_ids),
        candidate_log_q=logs(candidate_ids),
        remove_accidental_hits=remove_accidental_hits,
        options=options or {},
    )


def ragged(rows, dtype=tf.int64, splits_type=tf.int64):
    values = np.concatenate([np.zeros(0), *rows]) if len(rows) else np.zeros(0)
    return tf.RaggedTensor.from_row_lengths(
        tf.constant(values, dtype), tf.constant([len(row) for row in rows], splits_type)
    )


def _ragged_log_q(rows):
    return None if rows is None else ragged(rows, tf.float32)


def _rounded_rows(rows):
    return None if rows is None else [rounded(row, tf.float32) for row in rows]
