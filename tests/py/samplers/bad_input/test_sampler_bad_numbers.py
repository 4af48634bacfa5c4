# SPDX-License-Identifier: Apache-2.0
"""Samplers: a mistake in a number, a flag or a seed is an error that names it.

Mistakes in tensors are made in eager mode, in a function that knows no shapes (so that the kernel
finds them), and in one that knows all shapes (so that building the graph may find them).
"""

import re

import numpy as np
import pytest
import sampler_cases as spc
import tensorflow as tf
from calls import ERRORS, SHAPE_MODES, refused
from sampler_arguments import (
    FIXED,
    FUNCTIONS,
    LABELS,
    STATELESS,
    V,
    assert_state,
    call,
    in_rank_mode,
    state_of,
)

import tf_candsamp as tfcs


def test_arguments_without_mistake_are_fine():
    for kind in FUNCTIONS:
        for mode in SHAPE_MODES:
            sample = in_rank_mode(
                mode, lambda labels, kind=kind: call(kind, labels), tf.constant(LABELS)
            )
            assert [part.shape for part in sample] == [[4], [2, 1], [4]]


@pytest.mark.parametrize("bad", [0, -1, -(2**63)])
@pytest.mark.parametrize("name", ["range_max", "num_sampled", "num_true"])
@pytest.mark.parametrize("kind", FUNCTIONS)
def test_not_positive(kind, name, bad):
    refused(f"{name} must be positive, got {bad}", call, kind, **{name: bad}, errors=ValueError)


@pytest.mark.parametrize("bad", [1.0, "4", True, None, [4], np.float32(4), tf.ones([])], ids=str)
@pytest.mark.parametrize("name", ["range_max", "num_sampled", "num_true"])
@pytest.mark.parametrize("kind", FUNCTIONS)
def test_no_integer(kind, name, bad):
    message = f"{name} must be an integer, got {re.escape(repr(bad))}"
    if tf.is_tensor(bad) and name == "num_sampled" and kind in STATELESS:  # may be a tensor
        message = "num_sampled must be of an integer type, got float32"
    refused(message, call, kind, **{name: bad}, errors=TypeError)


@pytest.mark.parametrize("name", ["range_max", "num_sampled", "num_true"])
@pytest.mark.parametrize("kind", FUNCTIONS)
def test_beyond_64_bits(kind, name):
    refused(name, call, kind, **{name: 2**63}, errors=ERRORS + (OverflowError,))


@pytest.mark.parametrize("bad", [0, -1, -(2**63)])
@pytest.mark.parametrize("make", [tfcs.UniformSampler, tfcs.LogUniformSampler])
def test_range_of_objects(make, bad):
    refused(f"range_max must be positive, got {bad}", make, bad, errors=ValueError)
    refused(r"range_max must be an integer, got 2\.0", make, 2.0, errors=TypeError)


@pytest.mark.parametrize("bad, text", [(0, "positive"), (-3, "positive"), (2**32 + 1, "2\\^32")])
def test_range_of_a_learned_object(bad, text):
    message = f"range_max must be .*{text}.*, got {bad}"
    refused(message, tfcs.LearnedUnigramSampler, bad, errors=ValueError)


@pytest.mark.parametrize("mode", SHAPE_MODES)
@pytest.mark.parametrize("bad", [0, -1, 2**40 + 1, 2**63 - 1])
@pytest.mark.parametrize("kind", STATELESS)
def test_num_sampled_tensor(kind, bad, mode):
    message = f"num_sampled must be (positive|between 1 and .*), got {bad}"
    bad = tf.constant(bad, tf.int64)
    refused(message, in_rank_mode, mode, lambda n: call(kind, num_sampled=n), bad)


@pytest.mark.parametrize("mode", SHAPE_MODES)
@pytest.mark.parametrize("bad", [0, -1, 2**40 + 1, 2**63 - 1])
@pytest.mark.parametrize("kind", spc.OBJECTS)
def test_num_sampled_tensor_of_objects(kind, bad, mode):
    """A sampler does not go back to candidates that it drew before."""
    sampler = spc.sampler(kind, V)
    sampler.sample(8)
    before, *others = state_of(sampler)
    bad = tf.constant(bad, tf.int64)
    message = f"num_sampled must be (positive|between 1 and .*), got {int(bad)}"
    refused(message, in_rank_mode, mode, lambda n: sampler.sample(n, LABELS), bad)
    after, *same = state_of(sampler)
    np.testing.assert_array_equal(after[1:], before[1:])
    assert before[0] <= after[0] < before[0] + 2**60
    for got, want in zip(same, others, strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("bad", [0, -1])
@pytest.mark.parametrize("kind", spc.OBJECTS)
def test_num_sampled_of_objects(kind, bad):
    sampler = spc.sampler(kind, V)
    state = state_of(sampler)
    message = f"num_sampled must be positive, got {bad}"
    refused(message, sampler.sample, bad, LABELS, errors=ValueError)
    refused("num_sampled must be an integer, got 2.0", sampler.sample, 2.0, errors=TypeError)
    refused("num_sampled must be an integer, got True", sampler.sample, True, errors=TypeError)
    assert_state(sampler, state)


@pytest.mark.parametrize("mode", SHAPE_MODES)
@pytest.mark.parametrize("bad", [[4, 5], []], ids=str)
@pytest.mark.parametrize("kind", STATELESS + spc.OBJECTS)
def test_num_sampled_is_no_scalar(kind, bad, mode):
    sampler = spc.sampler(kind, V) if kind in spc.OBJECTS else None
    sample = sampler.sample if sampler else lambda n: call(kind, num_sampled=n)
    # Where the rank is not known, TensorFlow's own op is the first to see a sampler's num_sampled.
    message = r"num_sampled must be a scalar, got shape|must have shape \[\], not"
    refused(message, in_rank_mode, mode, sample, tf.constant(bad, tf.int64))


@pytest.mark.parametrize("dtype", [tf.float32, tf.string, tf.bool])
@pytest.mark.parametrize("kind", STATELESS + spc.OBJECTS)
def test_type_of_num_sampled(kind, dtype):
    bad = tf.constant("4") if dtype == tf.string else tf.cast(4, dtype)
    message = f"num_sampled must be of an integer type, got {dtype.name}"
    if kind in STATELESS:
        refused(message, call, kind, num_sampled=bad, errors=TypeError)
    else:
        refused(message, spc.sampler(kind, V).sample, bad, errors=TypeError)


TOO_MANY = "Sampler's range is too small: num_sampled must be at most {most}, .*, got {got}"


@pytest.mark.parametrize("form", [int, tf.constant])
@pytest.mark.parametrize("got", [V + 1, 10_000])
@pytest.mark.parametrize("kind", [*FUNCTIONS, *spc.OBJECTS])
def test_more_candidates_than_classes(kind, got, form):
    def sample(unique):
        if kind in FUNCTIONS:
            return call(kind, num_sampled=form(got), unique=unique)
        return spc.sampler(kind, V, unique=unique).sample(form(got))

    refused(TOO_MANY.format(most=V, got=got), sample, True)
    assert sample(False).sampled_candidates.shape == [got]


@pytest.mark.parametrize("mode", SHAPE_MODES)
@pytest.mark.parametrize("kind", FIXED)
def test_more_candidates_than_classes_with_weight(kind, mode):
    weights = [0.0, 1.0, 0.0, 2.0, 0.5]
    sampler = tfcs.FixedUnigramSampler(weights)

    def sample(labels, size=4):
        if kind == "object":
            return sampler.sample(size, labels)
        return call(kind, labels, num_sampled=size, range_max=5, unigrams=weights)

    labels = tf.constant([[0], [4]], tf.int64)
    refused(TOO_MANY.format(most=3, got=4), in_rank_mode, mode, sample, labels)
    ids = in_rank_mode(mode, lambda labels: sample(labels, 3), labels).sampled_candidates
    assert sorted(ids.numpy()) == [1, 3, 4]


@pytest.mark.parametrize("bad", [None, "yes", 2], ids=repr)
@pytest.mark.parametrize("kind", FUNCTIONS)
def test_unique_is_no_bool(kind, bad):
    message = f"bool for argument 'unique' not {bad!r}"
    refused(message, call, kind, unique=bad, errors=TypeError)


@pytest.mark.parametrize("bad", ["bogus", None, True, "TF"], ids=repr)
def test_expected_count(bad):
    message = f"expected_count must be 'tf' or 'exact', got {bad!r}"
    for kind in FUNCTIONS:
        refused(message, call, kind, expected_count=bad, errors=ValueError)
    for kind in spc.OBJECTS:
        sampler = spc.sampler(kind, V)
        refused(message, sampler.sample, 2, LABELS, expected_count=bad, errors=ValueError)
        refused(message, sampler.sample_ragged, [2], expected_count=bad, errors=ValueError)


# Seeds.


@pytest.mark.parametrize("mode", SHAPE_MODES)
@pytest.mark.parametrize("bad", [[], [1], [1, 2, 3], [[1, 2]], 1], ids=str)
@pytest.mark.parametrize("kind", STATELESS)
def test_shape_of_a_stateless_seed(kind, bad, mode):
    message = "seed must be two integers, got shape" if mode != "unknown_shapes" else r"seed|\[2\]"
    bad = tf.constant(bad, tf.int64)
    refused(message, in_rank_mode, mode, lambda seed: call(kind, seed=seed), bad)


@pytest.mark.parametrize("bad", [[1.0, 2.0], ["a", "b"], np.array([True, False])], ids=str)
@pytest.mark.parametrize("kind", STATELESS)
def test_type_of_a_stateless_seed(kind, bad):
    refused("seed must be of an integer type, got", call, kind, seed=bad, errors=TypeError)


@pytest.mark.parametrize("kind", STATELESS)
def test_no_stateless_seed(kind):
    """Which is what the fixed-unigram sampler gets where seed is left out."""
    refused("seed must be", call, kind, seed=None)


@pytest.mark.parametrize("bad", [1.5, [1, 2]], ids=str)
@pytest.mark.parametrize("kind", spc.OBJECTS)
def test_seed_of_objects(kind, bad):
    refused("seed must be an integer, got", spc.sampler, kind, V, seed=bad)


@pytest.mark.parametrize("form", [np.int64, np.int32])
@pytest.mark.parametrize("kind", spc.OBJECTS)
def test_seeds_that_numpy_made_are_fine(kind, form):
    tf.random.set_seed(1)
    spc.assert_same(
        spc.sampler(kind, V, seed=form(3)).sample(5), spc.sampler(kind, V, seed=3).sample(5)
    )
