# SPDX-License-Identifier: Apache-2.0
"""Samplers: variables, checkpoints and updates with a mistake are refused, and change nothing."""

import functools

import numpy as np
import pytest
import sampler_cases as spc
import tensorflow as tf
from calls import MODES, refused
from internals import ops
from sampler_arguments import LABELS, V, assert_state, call, state_of

import tf_candsamp as tfcs

BAD_COUNTS = [
    ([0, 0, -1, 0], "-1 for class 2"),
    ([0, -(2**63), 0, 0], f"-{2**63} for class 1"),
    ([2**62, 0, 0, 0], f"{2**62} for class 0"),
    ([2**61, 2**61, 0, 0], f"{2**61} for class 1"),
    ([2**63 - 1] * 4, f"{2**63 - 1} for class 0"),
    ([2**62 - 3, 0, 0, 0], f"{2**62 - 3} for class 0"),
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("bad, message", BAD_COUNTS, ids=str)
def test_assigned_counts(bad, message, mode):
    sampler = tfcs.LearnedUnigramSampler(4)
    wrap = MODES[mode]
    uses = [
        wrap(lambda: sampler.sample(2, LABELS)),
        wrap(lambda: sampler.sample_ragged([2])),
        wrap(lambda: sampler.probability([0])),
        wrap(lambda: sampler.update([1])),
    ]
    for use in uses:
        use()
    for good in ([0, 0, 0, 96], [96, 0, 0, 0]):
        sampler.counts.assign(bad)
        for use in uses:
            refused(f"counts must .*got {message}", use)
            np.testing.assert_array_equal(sampler.counts, bad)
        sampler.counts.assign(good)
        np.testing.assert_allclose(sampler.probability(range(4)), (1 + np.array(good)) / 100)
        for use in uses:
            use()
        assert sampler.counts.numpy().sum() == 96 + 3


def test_counts_that_would_be_too_many():
    """The sum of 1 + count may be 2^62."""
    sampler = tfcs.LearnedUnigramSampler(4)
    sampler.counts.assign([2**62 - 6, 0, 0, 0])
    sampler.update([1, 1])
    refused("counts must sum to at most", sampler.update, [2])
    refused("counts must sum to at most", sampler.sample, 2, LABELS)
    np.testing.assert_array_equal(sampler.counts, [2**62 - 6, 2, 0, 0])
    assert sampler.sample(4)[0].shape == [4]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "bad, message",
    [([1, -1, 1], "-1"), ([1, 1, np.nan], "nan"), ([np.inf, 1, 1], "inf"), ([0, 0, 0], "zeros")],
    ids=str,
)
def test_assigned_weights(bad, message, mode):
    sampler = tfcs.FixedUnigramSampler([1.0, 2.0, 3.0])
    wrap = MODES[mode]
    uses = [
        wrap(lambda: sampler.sample(1, LABELS)),
        wrap(lambda: sampler.sample_ragged([1])),
        wrap(lambda: sampler.probability([0])),
    ]
    for good in ([0.0, 0.0, 4.0], [1.0, 0.0, 0.0]):
        sampler.unigrams.assign(bad)
        for use in uses:
            refused(f"(unigrams|weights) must .*got {message}", use)
        sampler.unigrams.assign(good)
        for use in uses:
            use()
        np.testing.assert_array_equal(sampler.probability(range(3)), np.array(good) / sum(good))


@pytest.mark.parametrize("kind", ["fixed_unigram", "learned_unigram"])
def test_values_assigned_from_one_tensor(kind):
    """Parts of one tensor share its memory, and yet they are different values."""
    sampler = spc.sampler(kind, 64, unique=False)
    learned = kind == "learned_unigram"
    variable = sampler.counts if learned else sampler.unigrams
    halves = np.repeat(np.eye(2), 32, axis=1) * 2**40
    for row, part in enumerate(tf.unstack(tf.constant(halves, variable.dtype))):
        variable.assign(part)
        assert set(sampler.sample(100)[0].numpy() // 32) == {row}
        np.testing.assert_allclose(sampler.probability(range(64)), halves[row] / 2**45, atol=1e-9)


def test_counts_of_another_size():
    """Through the raw ops a variable can change its shape: no id outside it is counted."""
    big = tf.zeros([4096], tf.int64)
    counts = tf.Variable(big, shape=[None])
    for size in (4096, 32, 1024, 16):
        counts.assign(big[:size])
        probability = functools.partial(
            ops.candsamp_learned_unigram_probability, counts=counts.handle
        )
        np.testing.assert_allclose(probability(ids=[0]), [1 / size])
        refused(rf"ids must hold class ids in \[0, {size}\)", probability, ids=[size])


@pytest.mark.parametrize("mode", MODES)
def test_nothing_of_a_refused_update_is_counted(mode):
    sampler = tfcs.LearnedUnigramSampler(V)
    wrap = MODES[mode]
    update, sample = wrap(sampler.update), wrap(lambda labels: sampler.sample(3, labels))
    rows = wrap(lambda labels: sampler.sample_ragged([1, 1], labels))
    update(tf.constant([1, 1, 3]))
    for bad in (V, -1, 2**62):
        text = rf"must hold class ids in \[0, {V}\), .*, got {bad}"
        refused(f"(^| )classes {text}", update, tf.constant([2, 2, bad], tf.int64))
        labels = tf.constant([[5], [bad]], tf.int64)
        refused(f"true_classes {text}", sample, labels)
        refused(f"true_classes {text}", rows, labels)
    for bad in ([1.0], ["a"], np.array([True])):
        refused("classes must be of an integer type, got", sampler.update, bad, errors=TypeError)
    np.testing.assert_array_equal(sampler.counts, [0, 2, 0, 1] + [0] * 6)
    np.testing.assert_allclose(sampler.probability([0, 1, 3]), np.array([1, 3, 2]) / 13)


def test_sampler_of_the_learned_function():
    sampler = tfcs.LearnedUnigramSampler(V)

    def sample(**options):
        return call("learned_unigram", **options)

    message = f"range_max must be that of sampler, {V}, got 11"
    refused(message, sample, sampler=sampler, range_max=11, errors=ValueError)
    message = "seed must be None where sampler is given, got 4"
    refused(message, sample, sampler=sampler, seed=4, errors=ValueError)
    for bad in (tfcs.UniformSampler(V), "sampler", tfcs.LearnedUnigramSampler):
        message = "sampler must be a LearnedUnigramSampler, got"
        refused(message, sample, sampler=bad, errors=TypeError)
    refused("Sampler's range is too small", sample, sampler=sampler, num_sampled=11)
    assert not sampler.counts.numpy().any()
    sample(sampler=sampler)
    assert sampler.counts.numpy().sum() == 2


# Checkpoints.


@pytest.mark.parametrize("other_range", [V, V + 1])
@pytest.mark.parametrize("other", spc.OBJECTS)
@pytest.mark.parametrize("kind", spc.OBJECTS)
def test_checkpoint_of_another_sampler(kind, other, other_range, tmp_path):
    saved = spc.sampler(kind, V)
    saved.sample(3, LABELS)
    path = tf.train.Checkpoint(sampler=saved, step=tf.Variable(5)).write(str(tmp_path / "ckpt"))
    live, step = spc.sampler(other, other_range), tf.Variable(1)
    live.sample(2, [[other_range - 1]])
    state = state_of(live)
    checkpoint = tf.train.Checkpoint(sampler=live, step=step)
    if kind == other and other_range == V:
        checkpoint.read(path).assert_consumed()
        assert_state(live, state_of(saved))
        return
    name, other_name = kind.replace("_", "-"), other.replace("_", "-")
    message = f"{name} sampler of range {V}.* {other_name} sampler of range {other_range}"
    refused(message, checkpoint.read, path)
    assert_state(live, state)
    assert int(step) == 1
    sample = live.sample(3, LABELS)
    assert len(set(sample.sampled_candidates.numpy())) == 3
