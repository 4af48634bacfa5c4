# SPDX-License-Identifier: Apache-2.0
"""Ranks and top k within each row of candidates."""

import math
from typing import NamedTuple

import tensorflow as tf

from tf_candsamp.exact import TopK

_CURE = (
    "(rows that a mask or ignore_id leaves out are not numbered). missing_label='miss' counts such "
    "a row as a miss, 'join' lets its labels join the candidates."
)


class LabelPlaces(NamedTuple):
    """Where labels are among the candidates of their rows.

    rows: int64 [N], the row of each candidate.
    is_label: bool [N], which candidates are a label of their row.
    position: int64 [B, T], of each label's first occurrence among all N; N if there is none.
    """

    rows: tf.Tensor
    is_label: tf.Tensor
    position: tf.Tensor

    def missing(self) -> tf.Tensor:
        """Which labels, bool [B, T], are not among the candidates."""
        return tf.equal(self.position, tf.size(self.is_label, out_type=tf.int64))


def label_places(labels: tf.Tensor, candidates: tf.RaggedTensor) -> LabelPlaces:
    """Finds labels, int64 [B, T], among candidates, ragged int64 [B, None]."""
    rows = candidates.value_rowids()
    size = tf.size(candidates.values, out_type=tf.int64)
    equal = tf.equal(candidates.values[:, tf.newaxis], tf.gather(labels, rows))
    place = tf.where(equal, tf.range(size)[:, tf.newaxis], size)
    first = tf.math.unsorted_segment_min(place, rows, candidates.nrows())
    return LabelPlaces(rows, tf.reduce_any(equal, axis=1), tf.minimum(first, size))


def refuse_missing(labels: tf.Tensor, places: LabelPlaces) -> tf.Tensor:
    """The labels, which fail at run time if one of them is not among the candidates of its row."""
    missing = tf.reduce_any(places.missing(), axis=1)
    row = tf.reduce_sum(tf.cast(tf.math.cumsum(tf.cast(missing, tf.int32)) < 1, tf.int32))
    message = [
        "candidates must hold each row's labels, got a row without, row",
        row,
        "with labels",
        labels[row : row + 1],
        _CURE,
    ]
    with tf.control_dependencies([tf.debugging.Assert(~tf.reduce_any(missing), message)]):
        return tf.identity(labels)


def best_label_rank(
    places: LabelPlaces, label_logits: tf.Tensor, candidate_logits: tf.Tensor
) -> tf.Tensor:
    """How many candidates beat the best label of each row, int64 [B]; 0 is the top.

    The logits are those of the labels, [B, T], and of the candidates of all rows, [N].

    Among equals the first of the row comes first. A label that is no candidate comes last.
    """
    best = tf.reduce_max(label_logits, axis=1)
    is_best = tf.equal(label_logits, best[:, tf.newaxis])
    size = tf.size(places.is_label, out_type=tf.int64)
    position = tf.reduce_min(tf.where(is_best, places.position, size), axis=1)
    best = tf.gather(best, places.rows)
    earlier = tf.range(size) < tf.gather(position, places.rows)
    ahead = (candidate_logits > best) | (tf.equal(candidate_logits, best) & earlier)
    beats = tf.cast(~places.is_label & ahead, tf.int64)
    return tf.math.unsorted_segment_sum(beats, places.rows, tf.shape(label_logits)[0])


def top_k_of_rows(logits: tf.RaggedTensor, candidates: tf.RaggedTensor, k: int) -> TopK:
    """The k highest logits of each row and whose they are, [B, k]; -inf and -1 behind the last.

    Among equals the first of the row comes first.
    """
    padded = logits.to_tensor(-math.inf)
    padded = tf.pad(
        padded, [[0, 0], [0, tf.maximum(k - tf.shape(padded)[1], 0)]], constant_values=-math.inf
    )
    values, columns = tf.math.top_k(padded, k)
    columns = tf.cast(columns, tf.int64)
    # With one id behind the last, no column is out of range.
    ids = tf.concat([candidates.values, [-1]], 0)
    starts = tf.cast(candidates.row_starts(), tf.int64)[:, tf.newaxis]
    lengths = tf.cast(candidates.row_lengths(), tf.int64)[:, tf.newaxis]
    place = tf.where(columns < lengths, starts + columns, tf.size(ids, out_type=tf.int64) - 1)
    return TopK(values, tf.gather(ids, place))
