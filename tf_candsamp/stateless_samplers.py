"""Candidate samplers as pure functions of a seed."""

import tensorflow as tf

from tf_candsamp._library import ops
from tf_candsamp._sampling import (
    CandidateSample,
    class_ids,
    count_tensor,
    positive,
    wants_exact,
)
from tf_candsamp._tensors import check_dense
from tf_candsamp._unigram_weights import unigram_weights


def stateless_uniform_candidate_sampler(
    true_classes, num_true, num_sampled, unique, range_max, seed, name=None, *, expected_count="tf"
):
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
    true_classes, num_true, num_sampled, unique, range_max, seed, name=None, *, expected_count="tf"
):
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
    true_classes,
    num_true,
    num_sampled,
    unique,
    range_max,
    vocab_file="",
    distortion=1.0,
    num_reserved_ids=0,
    num_shards=1,
    shard=0,
    unigrams=(),
    seed=None,
    name=None,
    *,
    expected_count="tf",
):
    """Draws candidates from given weights, P(k) proportional to weight[k] ** distortion.

    As `stateless_uniform_candidate_sampler`; the weights are given as to
    `fixed_unigram_candidate_sampler`, but `unigrams` may be a tensor. The table that is built from
    it is kept for the next call with the same tensor, where nothing else changes the weights.

        weights = tf.constant([0.1, 0.2, 0.3, 0.4])
        sample = tfcs.stateless_fixed_unigram_candidate_sampler(
            [[1]], 1, 2, True, 4, unigrams=weights, seed=[1, step])
    """
    arguments = _arguments(true_classes, num_true, num_sampled, unique, seed, expected_count)
    range_max = positive("range_max", range_max)
    if unigrams is None:
        raise TypeError("unigrams must be a vector of numbers, got None.")
    check_dense("unigrams", unigrams)
    given = not isinstance(unigrams, (tuple, list)) or len(unigrams) > 0
    if not given and not vocab_file:
        raise ValueError("Must provide either vocab_file or unigrams.")
    if given and vocab_file:
        raise ValueError("Must only provide one of vocab_file and unigrams.")
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


def _arguments(true_classes, num_true, num_sampled, unique, seed, expected_count):
    true_classes = class_ids("true_classes", true_classes)
    num_true = positive("num_true", num_true)
    if not true_classes.shape.is_compatible_with([None, num_true]):
        raise ValueError(
            f"true_classes must be a matrix [batch_size, num_true = {num_true}], got shape "
            f"{true_classes.shape}."
        )
    if seed is None:
        raise TypeError("seed must be two integers, got None.")
    seed = class_ids("seed", seed)
    if not seed.shape.is_compatible_with([2]):
        raise ValueError(f"seed must be two integers, got shape {seed.shape}.")
    seed = tf.ensure_shape(seed, [2])
    if not tf.is_tensor(num_sampled):
        num_sampled = positive("num_sampled", num_sampled)
    return {
        "stream": tf.stack([tf.zeros([], tf.int64), seed[1], seed[0]]),
        "num_sampled": count_tensor("num_sampled", num_sampled, rank=0),
        "true_classes": true_classes,
        "num_true": num_true,
        "unique": unique,
        "exact": wants_exact(expected_count),
    }


for _op in ("Uniform", "LogUniform", "FixedUnigram"):
    tf.no_gradient(f"Candsamp>Stateless{_op}Sample")
