# SPDX-License-Identifier: Apache-2.0
"""What a learned sampler derives from its counts depends on nothing else."""

import numpy as np
import pytest
import sampler_cases as spc
import tensorflow as tf
from internals import random_state

import tf_candsamp as tfcs


def assert_same_as_assigned(sampler):
    """The sampler, whatever it went through, draws as a new one does that has its counts."""
    other = tfcs.LearnedUnigramSampler(sampler.range_max, unique=False)
    other.counts.assign(sampler.counts)
    random_state(other).assign(random_state(sampler))
    ids, _, counts = sampler.sample(500)
    other_ids, _, other_counts = other.sample(500)
    np.testing.assert_array_equal(ids, other_ids)
    np.testing.assert_array_equal(counts, other_counts)


SIZES = [1, 2, 3, 50, 90, 91, 180, 181, 1000, 4097, 100_000]
SKEWS = {
    "even": lambda classes, random: random.integers(0, classes, [40]),
    "skewed": lambda classes, random: (classes * random.random([40]) ** 8).astype(int),
    "one class": lambda classes, random: np.full([40], classes // 2),
    "few": lambda classes, random: random.integers(0, classes, [40]) // 30 * 30,
}


@pytest.mark.parametrize("skew", SKEWS)
@pytest.mark.parametrize("classes", SIZES)
def test_layout_after_many_small_updates(classes, skew):
    random = np.random.default_rng(classes)
    sampler = tfcs.LearnedUnigramSampler(classes, unique=False)
    for _ in range(6):
        for _ in range(30):
            sampler.update(SKEWS[skew](classes, random)[: random.integers(41)])
        assert_same_as_assigned(sampler)
        sampler.update(np.repeat(SKEWS[skew](classes, random), classes // 40 + 1))
        assert_same_as_assigned(sampler)


@pytest.mark.parametrize("skew", SKEWS)
@pytest.mark.parametrize("classes", [1, 2, 3, 91, 1000])
def test_layout_where_the_sum_of_weights_crosses_a_power_of_two(classes, skew):
    """There each class's weight is cut anew. The sum goes there by single steps."""
    random = np.random.default_rng(classes)
    sampler = tfcs.LearnedUnigramSampler(classes, unique=False)
    total = classes
    for power in range(1, 6):
        for around in (-1, 0, 1):
            target = classes * 2**power + around
            while total < target:
                labels = SKEWS[skew](classes, random)[: target - total]
                sampler.update(labels)
                total += len(labels)
            assert_same_as_assigned(sampler)
    assert tf.reduce_sum(sampler.counts) + classes == total


@pytest.mark.parametrize("largest", [10**6, 2**31, 2**40 - 1, 2**53 + 1, 2**61])
@pytest.mark.parametrize("classes", [1, 2, 91, 1000, 4097])
def test_layout_of_huge_counts(classes, largest):
    random = np.random.default_rng(classes)
    counts = random.integers(0, 1000, [classes])
    counts[classes // 3] = largest
    sampler = tfcs.LearnedUnigramSampler(classes, unique=False)
    sampler.counts.assign(counts)
    for _ in range(3):
        assert_same_as_assigned(sampler)
        for _ in range(20):
            sampler.update(random.integers(0, classes, [20]))
            sampler.update([classes // 3])


@pytest.mark.parametrize("power", [20, 33, 52, 61])
@pytest.mark.parametrize("classes", [1, 2, 91, 1000])
def test_layout_where_huge_weights_cross_a_power_of_two(classes, power):
    shift = power - classes.bit_length()
    counts = np.random.default_rng(classes).multinomial(1 << 18, np.ones(classes) / classes)
    counts[-1] += classes * 2**shift - (1 << 18) - classes - 3  # the weights' sum is 3 short
    sampler = tfcs.LearnedUnigramSampler(classes, unique=False)
    sampler.counts.assign(counts)
    for step in range(6):
        assert_same_as_assigned(sampler)
        sampler.update([step % classes])


def mix(x):
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def test_layout_after_a_block_overflows():
    """Random classes do not bring that about: these are chosen with the hash of cc/lib, so that
    their slots go to the first block until it is full and another hash must be tried."""
    classes, blocks = 100_000, 1112  # or fewer blocks
    ids = np.arange(classes)
    chosen = []
    for slot in range(1, 5):
        hashed = ids.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        hashed = mix(hashed + mix(np.array([slot], np.uint64)))
        chosen.append(ids[hashed < 2**64 // blocks])
    # Slots before the one that counts are needed too, they go anywhere.
    labels = np.concatenate([np.repeat(ids, slot) for slot, ids in enumerate(chosen, start=1)])
    assert sum(map(len, chosen)) > 256 and len(labels) < classes
    sampler = tfcs.LearnedUnigramSampler(classes, unique=False)
    for part in np.array_split(labels, 20):
        sampler.update(part)
        assert_same_as_assigned(sampler)
    for step in range(4):  # beyond where the other hash stays
        sampler.update(spc.labels_of(classes, step, classes // 2))
        assert_same_as_assigned(sampler)
