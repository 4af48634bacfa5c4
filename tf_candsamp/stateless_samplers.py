# SPDX-License-Identifier: Apache-2.0
"""Candidate samplers as pure functions of a seed."""

from typing import Any, SupportsIndex

import tensorflow as tf

from tf_candsamp._arguments.classes import class_matrix
from tf_candsamp._arguments.scalars import (
    host_integers,
    positive,
    positive_or_tensor,
    wants_exact,
)
from tf_candsamp._arguments.tensors import check_dense, int64_tensor
from tf_candsamp._arguments.unigrams import check_one_origin, unigram_weights
from tf_candsamp._library import no_gradient, ops
from tf_candsamp._results import CandidateSample
from tf_candsamp._types import ExpectedCount, PathLike, TensorLike

__all__ = [
    "stateless_fixed_unigram_candidate_sampler",
    "stateless_log_uniform_candidate_sampler",
    "stateless_uniform_candidate_sampler",
]


def stateless_uniform_candidate_sampler(
    true_classes: TensorLike,
    num_true: SupportsIndex,
    num_sampled: SupportsIndex | tf.Tensor,
    unique: bool,
    range_max: SupportsIndex,
    seed: TensorLike,
    name: str | None = None,
    *,
    expected_count: ExpectedCount = "tf",
) -> CandidateSample:
    """Draws candidates from the uniform distribution, as a function of `seed`.

    The ids depend on the arguments alone, and stay the same across releases, machines and numbers
    of threads. With seed [a, b] they are those of the first call of
    `tf.raw_ops.UniformCandidateSampler(seed=a, seed2=b, ...)`.

        sample = tfcs.stateless_uniform_candidate_sampler([[3]], 1, 5, True, 1000, seed=[1, step])

    Args:
      true_classes: [batch_size, num_true], of any integer type, a tensor or lists.
      num_true: the number of true classes of each example.
      num_sampled: S, how many candidates to draw for the batch. An integer, or a scalar tensor.
      unique: whether all candidates are different.
      range_max: the number of classes. Ids are in [0, range_max).
      seed: [2], of any integer type, a tensor or a list.
      name: a name for the op.
      expected_count: "tf" or "exact", see `uniform_candidate_sampler`.

    Returns:
      A `CandidateSample`: sampled_candidates int64 [S], true_expected_count float32
      [batch_size, num_true], sampled_expected_count float32 [S].

    Raises:
      TypeError, ValueError: an argument of the wrong type, shape or value, as far as Python sees.
      tf.errors.InvalidArgumentError: true_classes out of range (on a GPU an expected count of NaN
        instead), num_sampled not positive, or `unique` and num_sampled above range_max.
    """
    arguments = _arguments(true_classes, num_true, num_sampled, unique, seed, expected_count)
    range_max = positive("range_max", range_max)
    return CandidateSample(
        *ops.candsamp_stateless_uniform_sample(range_max=range_max, name=name, **arguments)
    )


def stateless_log_uniform_candidate_sampler(
    true_classes: TensorLike,
    num_true: SupportsIndex,
    num_sampled: SupportsIndex | tf.Tensor,
    unique: bool,
    range_max: SupportsIndex,
    seed: TensorLike,
    name: str | None = None,
    *,
    expected_count: ExpectedCount = "tf",
) -> CandidateSample:
    """Draws candidates from P(k) = log((k + 2) / (k + 1)) / log(range_max + 1).

    As `stateless_uniform_candidate_sampler` in all other respects.

        sample = tfcs.stateless_log_uniform_candidate_sampler([[3]], 1, 5, True, 1000, [1, step])
    """
    arguments = _arguments(true_classes, num_true, num_sampled, unique, seed, expected_count)
    range_max = positive("range_max", range_max)
    return CandidateSample(
        *ops.candsamp_stateless_log_uniform_sample(range_max=range_max, name=name, **arguments)
    )


def stateless_fixed_unigram_candidate_sampler(
    true_classes: TensorLike,
    num_true: SupportsIndex,
    num_sampled: SupportsIndex | tf.Tensor,
    unique: bool,
    range_max: SupportsIndex,
    vocab_file: PathLike = "",
    distortion: float = 1.0,
    num_reserved_ids: SupportsIndex = 0,
    num_shards: SupportsIndex = 1,
    shard: SupportsIndex = 0,
    unigrams: TensorLike = (),
    seed: TensorLike | None = None,
    name: str | None = None,
    *,
    expected_count: ExpectedCount = "tf",
) -> CandidateSample:
    """Draws candidates from given weights, P(k) proportional to weight[k] ** distortion.

    As `stateless_uniform_candidate_sampler`. The weights are given as to
    `fixed_unigram_candidate_sampler`, but `unigrams` may be a tensor. What the op derives from it
    is kept for the next call with the same tensor, if nothing else changes the weights.

        weights = tf.constant([0.1, 0.2, 0.3, 0.4])
        sample = tfcs.stateless_fixed_unigram_candidate_sampler(
            [[1]], 1, 2, True, 4, unigrams=weights, seed=[1, step])

    `seed` must be given. It has a default only because the arguments, in the order of
    `tf.random.fixed_unigram_candidate_sampler`, follow others that have one.
    """
    arguments = _arguments(true_classes, num_true, num_sampled, unique, seed, expected_count)
    range_max = positive("range_max", range_max)
    if unigrams is None:
        raise TypeError("unigrams must be a vector of numbers, got None.")
    check_dense("unigrams", unigrams)
    given = not isinstance(unigrams, (tuple, list)) or len(unigrams) > 0
    check_one_origin(given, vocab_file)
    weights = unigram_weights(
        unigrams if given else None, vocab_file, distortion, num_reserved_ids, num_shards, shard
    )
    size = weights.shape[0]
    if size is not None and size != range_max:
        raise ValueError(f"range_max must be the number of weights, {size}, got {range_max}.")
    return CandidateSample(
        *ops.candsamp_stateless_fixed_unigram_sample(
            weights=weights, range_max=range_max, name=name, **arguments
        )
    )


def _arguments(
    true_classes: TensorLike,
    num_true: SupportsIndex,
    num_sampled: SupportsIndex | tf.Tensor,
    unique: bool,
    seed: TensorLike | None,
    expected_count: ExpectedCount,
) -> dict[str, Any]:
    """What every op takes."""
    num_true = positive("num_true", num_true)
    true_classes = class_matrix("true_classes", true_classes, num_true)
    if seed is None:
        raise TypeError("seed must be two integers, got None.")
    seeds = int64_tensor("seed", seed)
    if not seeds.shape.is_compatible_with([2]):
        raise ValueError(f"seed must be two integers, got shape {seeds.shape}.")
    seeds = tf.ensure_shape(seeds, [2])
    num_sampled = positive_or_tensor("num_sampled", num_sampled)
    return {
        "stream": tf.stack([tf.zeros([], tf.int64), seeds[1], seeds[0]]),
        "num_sampled": host_integers("num_sampled", num_sampled, rank=0),
        "true_classes": true_classes,
        "num_true": num_true,
        "unique": unique,
        "exact": wants_exact(expected_count),
    }


no_gradient("StatelessUniformSample", "StatelessLogUniformSample", "StatelessFixedUnigramSample")
