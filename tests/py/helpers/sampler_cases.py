# SPDX-License-Identifier: Apache-2.0
"""What the samplers' tests share: TensorFlow's and ours of each kind, and NumPy's numbers."""

import collections

import numpy as np
import tensorflow as tf

import tf_candsamp as tfcs

# ours, core: functions with TensorFlow's arguments. raw: TensorFlow's op. stateless: of a seed.
Kind = collections.namedtuple("Kind", "ours core raw stateless")

KINDS = {
    "uniform": Kind(
        tfcs.uniform_candidate_sampler,
        tf.random.uniform_candidate_sampler,
        tf.raw_ops.UniformCandidateSampler,
        tfcs.stateless_uniform_candidate_sampler,
    ),
    "log_uniform": Kind(
        tfcs.log_uniform_candidate_sampler,
        tf.random.log_uniform_candidate_sampler,
        tf.raw_ops.LogUniformCandidateSampler,
        tfcs.stateless_log_uniform_candidate_sampler,
    ),
    "fixed_unigram": Kind(
        tfcs.fixed_unigram_candidate_sampler,
        tf.random.fixed_unigram_candidate_sampler,
        tf.raw_ops.FixedUnigramCandidateSampler,
        tfcs.stateless_fixed_unigram_candidate_sampler,
    ),
}
OBJECTS = ("uniform", "log_uniform", "fixed_unigram", "learned_unigram")


def sampler(kind, range_max, **options):
    """A sampler object of a kind; the fixed weights are 1, 2, 3 ..."""
    if kind == "uniform":
        return tfcs.UniformSampler(range_max, **options)
    if kind == "log_uniform":
        return tfcs.LogUniformSampler(range_max, **options)
    if kind == "fixed_unigram":
        return tfcs.FixedUnigramSampler(1.0 + np.arange(range_max), **options)
    return tfcs.LearnedUnigramSampler(range_max, **options)


def state_input(sampler):
    """The ops' input for the variable that a unigram sampler's distribution is in."""
    if isinstance(sampler, tfcs.FixedUnigramSampler):
        return {"weights": sampler.unigrams.handle}
    return {"counts": sampler.counts.handle}


def probabilities(kind, ids, range_max, weights=None):
    """Of a single draw, float64. `weights` are those of the fixed-unigram sampler, all of them."""
    ids = np.asarray(ids)
    if kind == "uniform":
        return np.full(ids.shape, 1 / range_max)
    if kind == "log_uniform":
        return np.log1p(1 / (ids + 1.0)) / np.log1p(range_max)
    weights = np.asarray(weights, np.float64)
    return weights[ids] / weights.sum()


def expected_counts(p, num_sampled, tries):
    """TensorFlow's formula, in float64."""
    if tries == num_sampled:
        return p * num_sampled
    with np.errstate(divide="ignore"):  # p = 1
        return -np.expm1(tries * np.log1p(-p))


def parts(sample):
    """The arrays of a sample, ragged ones as values and splits."""
    tensors = []
    for part in sample:
        if isinstance(part, tf.RaggedTensor):
            tensors += [part.values, part.row_splits]
        elif part is not None:
            tensors.append(part)
    return [tensor.numpy() for tensor in tensors]


def assert_same(sample, other):
    """The same bits."""
    for got, want in zip(parts(sample), parts(other), strict=True):
        np.testing.assert_array_equal(got, want)


def labels_of(classes, step, count=64):
    """Skewed labels, int64 [count, 1]: the same ones for the same arguments."""
    random = np.random.default_rng([classes, step]).random([count, 1])
    return (classes * random**4).astype(np.int64)


def draws(sampler, steps=3, first=0):
    """What the sampler gives in a few steps, each of which advances all of its state."""
    drawn = []
    for step in range(first, first + steps):
        labels = labels_of(sampler.range_max, step)
        drawn += sampler.sample(min(20, sampler.range_max), labels)
        ragged = sampler.sample_ragged([1, 0, min(7, sampler.range_max)], labels[:3])
        drawn += [ragged.candidates.values, ragged.expected_count.values]
    return [tensor.numpy() for tensor in drawn]


def assert_valid(sample, classes, size):
    ids, _, counts = (None if tensor is None else tensor.numpy() for tensor in sample)
    assert ids.shape == counts.shape == (size,)
    assert len(set(ids)) == size
    assert ids.min() >= 0 and ids.max() < classes
    assert (counts > 0).all() and (counts <= 1).all()


def assert_equal(got, want):
    assert len(got) == len(want)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_array_equal(a, b)


def pair(kind, range_max, **options):
    """Two samplers that start with different random states."""
    return [sampler(kind, range_max, seed=seed, **options) for seed in (1, 2)]


def with_variable(kind):
    """A unigram sampler of ten classes, and the variable that its distribution is in."""
    made = sampler(kind, 10, unique=False)
    return made, made.unigrams if kind == "fixed_unigram" else made.counts
