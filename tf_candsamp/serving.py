# SPDX-License-Identifier: Apache-2.0
"""Models for processes that serve: made of TensorFlow's own ops."""

import os
from typing import Any

import tensorflow as tf

from tf_candsamp._arguments.scalars import positive, positive_number
from tf_candsamp._arguments.tables import Shards, check_partition, take_apart
from tf_candsamp._types import ClassTableLike, PartitionStrategy, PathLike

__all__ = ["export_scorer"]


def export_scorer(
    path: PathLike,
    weights: ClassTableLike,
    biases: ClassTableLike | None = None,
    *,
    k: int = 10,
    temperature: float = 1.0,
    normalize: bool = False,
    logit_softcap: float | None = None,
    partition_strategy: PartitionStrategy = "div",
) -> None:
    r"""Writes a SavedModel that scores classes, made of TensorFlow's own ops.

    Whatever serves SavedModels can load it: it needs neither this package nor its library. With
    s(c) = softcap(<w_c, x> / temperature + b_c), the logit of `full_softmax_loss`, it has three
    signatures, whose arguments and results are named:

    - "score": inputs [B, D] to scores [B, V];
    - "top_k": inputs [B, D] to values and indices [B, k], the k best classes, best first. Of equal
      scores the lower id comes first;
    - "score_candidates": inputs [B, D] and candidates int64 [B, N] to scores [B, N]. The score of a
      candidate that is no class, as the -1 of padding, is -inf.

    They are also functions of the object that `tf.saved_model.load` returns. The tables are copied
    into it as they are now, with all their shards in one.

    Args:
      path: the folder to write.
      weights: [V, D], a variable, a tensor, shards in a list, or a partitioned variable.
      biases: [V] likewise, or None.
      k: how many classes "top_k" returns, at most V.
      temperature, normalize, logit_softcap: the model's, see `sampled_softmax_loss`.
      partition_strategy: how rows are shared out among shards.

    Raises:
      TypeError, ValueError: arguments of other types, shapes and values than these.

    Example:

    >>> tfcs.export_scorer("/tmp/scorer", tf.Variable([[1., 0.], [0., 1.], [1., 1.]]), k=2)
    >>> scorer = tf.saved_model.load("/tmp/scorer")
    >>> scorer.signatures["top_k"](inputs=tf.constant([[0., 2.]]))["indices"].numpy().tolist()
    [[1, 2]]
    """
    of_weights, of_biases = take_apart("weights", weights), take_apart("biases", biases)
    check_partition(partition_strategy, of_weights, of_biases)
    if not of_weights.values:
        raise ValueError("weights must be a table of classes, got None.")
    scorer = _Scorer(
        _whole(of_weights, 2, partition_strategy),
        _whole(of_biases, 1, partition_strategy) if of_biases.values else None,
        positive("k", k),
        positive_number("temperature", temperature),
        bool(normalize),
        None if logit_softcap is None else positive_number("logit_softcap", logit_softcap),
    )
    signatures = {name: getattr(scorer, name) for name in ("score", "top_k", "score_candidates")}
    tf.saved_model.save(scorer, os.fsdecode(path), signatures=signatures)


class _Scorer(tf.Module):
    """Tables in one piece each, and the functions that are saved."""

    def __init__(
        self,
        weights: tf.Tensor,
        biases: tf.Tensor | None,
        k: int,
        temperature: float,
        normalize: bool,
        softcap: float | None,
    ) -> None:
        super().__init__()
        classes, depth = weights.shape
        if k > classes:
            raise ValueError(f"k must be at most the number of classes, {classes}, got {k}.")
        if biases is not None and biases.shape != [classes]:
            raise ValueError(
                f"biases must have a value for each of {classes} classes, got shape {biases.shape}."
            )
        if normalize:
            weights = _unit_rows(weights)
        self.weights = tf.Variable(weights, trainable=False)
        self.biases = None if biases is None else tf.Variable(biases, trainable=False)
        self._k, self._temperature, self._normalize = k, temperature, normalize
        self._softcap = softcap
        inputs = tf.TensorSpec([None, depth], weights.dtype, "inputs")
        candidates = tf.TensorSpec([None, None], tf.int64, "candidates")
        self.score = tf.function(self._score, input_signature=[inputs])
        self.top_k = tf.function(self._top_k, input_signature=[inputs])
        self.score_candidates = tf.function(
            self._score_candidates, input_signature=[inputs, candidates]
        )

    def _score(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        products = tf.matmul(self._scaled(inputs), self.weights, transpose_b=True)
        return {"scores": self._finished(products, self.biases)}

    def _top_k(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        best = tf.math.top_k(self._score(inputs)["scores"], self._k)
        return {"values": best.values, "indices": tf.cast(best.indices, tf.int64)}

    def _score_candidates(self, inputs: tf.Tensor, candidates: tf.Tensor) -> dict[str, tf.Tensor]:
        classes = tf.shape(self.weights, tf.int64)[0]
        known = (candidates >= 0) & (candidates < classes)
        ids = tf.where(known, candidates, 0)
        products = tf.einsum("bd,bnd->bn", self._scaled(inputs), tf.gather(self.weights, ids))
        biases = None if self.biases is None else tf.gather(self.biases, ids)
        scores = self._finished(products, biases)
        return {"scores": tf.where(known, scores, tf.constant(float("-inf"), scores.dtype))}

    def _scaled(self, inputs: tf.Tensor) -> tf.Tensor:
        return (_unit_rows(inputs) if self._normalize else inputs) / self._temperature

    def _finished(self, products: tf.Tensor, biases: Any) -> tf.Tensor:
        scores = products if biases is None else products + biases
        return scores if self._softcap is None else self._softcap * tf.tanh(scores / self._softcap)


def _unit_rows(rows: tf.Tensor) -> tf.Tensor:
    """Rows divided by their norms; a row of zeros stays one."""
    return tf.math.divide_no_nan(rows, tf.norm(rows, axis=-1, keepdims=True))


def _whole(table: Shards, rank: int, partition_strategy: str) -> tf.Tensor:
    """All rows of a table, in the order of their ids."""
    parts = [tf.convert_to_tensor(part) for part in table.values]
    for part in parts:
        if part.shape.rank != rank:
            raise ValueError(f"{table.name} must have rank {rank}, got shape {part.shape}.")
    if partition_strategy == "div" or len(parts) == 1:
        return tf.concat(parts, 0)
    rows = [tf.range(k, k + len(parts) * part.shape[0], len(parts)) for k, part in enumerate(parts)]
    return tf.dynamic_stitch(rows, parts)
