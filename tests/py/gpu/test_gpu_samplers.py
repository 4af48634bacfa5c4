# SPDX-License-Identifier: Apache-2.0
"""Samplers on a GPU: the CPU's ids and counts, bit for bit, in the GPU's memory.

Each test also runs on the CPU, where it compares the CPU with itself: so that the tests themselves
are tested where there is no GPU.
"""

import numpy as np
import pytest
import tensorflow as tf

import tf_candsamp as tfcs

DEVICES = ["/CPU:0", pytest.param("/GPU:0", marks=pytest.mark.gpu)]
pytestmark = pytest.mark.parametrize("device", DEVICES)

CLASSES = 5000
WEIGHTS = 1000.0 / np.arange(1.0, CLASSES + 1)
LABELS = (np.random.default_rng(1).random([40, 2]) ** 3 * CLASSES).astype(np.int64)
SIZES = [1, 2, 33, 700, 4000]

FUNCTIONAL = {
    "uniform": tfcs.uniform_candidate_sampler,
    "log-uniform": tfcs.log_uniform_candidate_sampler,
    "fixed-unigram": lambda *arguments, **options: tfcs.fixed_unigram_candidate_sampler(
        *arguments, unigrams=WEIGHTS.tolist(), **options
    ),
}
STATELESS = {
    "uniform": tfcs.stateless_uniform_candidate_sampler,
    "log-uniform": tfcs.stateless_log_uniform_candidate_sampler,
    "fixed-unigram": lambda *arguments, **options: tfcs.stateless_fixed_unigram_candidate_sampler(
        *arguments, unigrams=tf.constant(WEIGHTS, tf.float32), **options
    ),
}
OBJECTS = {
    "uniform": tfcs.UniformSampler,
    "log-uniform": tfcs.LogUniformSampler,
    "fixed-unigram": lambda classes, **options: tfcs.FixedUnigramSampler(WEIGHTS, **options),
    "learned-unigram": tfcs.LearnedUnigramSampler,
}


def assert_on(device, tensors):
    """Results lie on the device, as do those of operations without a kernel for the CPU alone."""
    for tensor in tf.nest.flatten(tensors):
        assert tensor.device.endswith(device.replace("/", "device:")), (tensor.device, device)


def assert_equal(got, want):
    got, want = tf.nest.flatten(got), tf.nest.flatten(want)
    assert len(got) == len(want)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def flat(ragged_sample):
    """The tensors of a RaggedCandidateSample."""
    return [
        ragged_sample.candidates.values,
        ragged_sample.candidates.row_splits,
        ragged_sample.expected_count.values,
    ]


def on_both(device, call):
    """What call() gives on the device, checked to lie there, and on the CPU."""
    results = []
    for where in (device, "/CPU:0"):
        with tf.device(where):
            tf.random.set_seed(3)
            results.append(call())
    assert_on(device, results[0])
    return results


@pytest.mark.parametrize("expected_count", ["tf", "exact"])
@pytest.mark.parametrize("unique", [False, True])
@pytest.mark.parametrize("kind", FUNCTIONAL)
def test_functional_samplers(device, kind, unique, expected_count):
    def call():
        return [
            FUNCTIONAL[kind](
                LABELS, 2, size, unique, CLASSES, seed=seed, expected_count=expected_count
            )
            for size in SIZES
            for seed in (1, 1, 2)
        ]

    assert_equal(*on_both(device, call))


@pytest.mark.parametrize("unique", [False, True])
@pytest.mark.parametrize("kind", STATELESS)
def test_stateless_samplers(device, kind, unique):
    def call():
        return [
            STATELESS[kind](LABELS, 2, tf.constant(size), unique, CLASSES, seed=[step, -step])
            for step, size in enumerate(SIZES)
        ]

    assert_equal(*on_both(device, call))


@pytest.mark.parametrize("unique", [False, True])
@pytest.mark.parametrize("kind", OBJECTS)
@pytest.mark.parametrize("in_function", [False, True])
def test_sampler_objects(device, kind, unique, in_function):
    def call():
        sampler = OBJECTS[kind](CLASSES, unique=unique, seed=5)

        def step(size, labels):
            return (
                sampler.sample(size, labels),
                flat(sampler.sample_ragged([3, 0, 200, 1], labels[:4, 0])),
                flat(sampler.sample_ragged([3, 0, 200, 1], labels[:4], exclude_true=True)),
            )

        if in_function:
            step = tf.function(step)
        steps = [step(tf.constant(size), tf.constant(LABELS)) for size in SIZES]
        return steps, sampler.probability(LABELS)

    assert_equal(*on_both(device, call))


def test_counting(device):
    random = np.random.default_rng(2)
    batches = [
        (random.random(size) ** 4 * CLASSES).astype(np.int64) for size in (1, 10, 3000, 20000, 7)
    ]

    def call():
        sampler = tfcs.LearnedUnigramSampler(CLASSES, seed=1, unique=False)
        drawn = []
        for batch in batches:
            sampler.update(batch)
            drawn.append((sampler.sample(500, LABELS), tf.identity(sampler.counts)))
        return drawn

    got, want = on_both(device, call)
    assert_equal(got, want)
    assert got[-1][1].numpy().sum() == sum(map(len, batches)) + len(batches) * LABELS.size


@pytest.mark.parametrize("kind", OBJECTS)
def test_checkpoint_goes_from_one_device_to_another(device, kind, tmp_path):
    for place, (first, second) in enumerate([("/CPU:0", device), (device, "/CPU:0")]):
        with tf.device(first):
            sampler = OBJECTS[kind](CLASSES, seed=1)
            for _ in range(3):
                sampler.sample(50, LABELS)
            path = tf.train.Checkpoint(sampler=sampler).save(tmp_path / str(place))
            want = sampler.sample(50, LABELS), sampler.sample(700, LABELS)
        with tf.device(second):
            other = OBJECTS[kind](CLASSES, seed=2)
            tf.train.Checkpoint(sampler=other).restore(path).assert_consumed()
            got = other.sample(50, LABELS), other.sample(700, LABELS)
        assert_on(second, got)
        assert_equal(got, want)


def test_assigned_counts_and_weights_are_followed(device):
    def call():
        learned = tfcs.LearnedUnigramSampler(CLASSES, seed=1)
        fixed = tfcs.FixedUnigramSampler(WEIGHTS, seed=1)
        drawn = [learned.sample(50), fixed.sample(50)]
        learned.counts.assign(np.arange(CLASSES, dtype=np.int64)[::-1] ** 2)
        fixed.unigrams.assign(WEIGHTS[::-1].astype(np.float32))
        drawn += [learned.sample(50), fixed.sample(50)]
        learned.counts.scatter_nd_update([[7]], [10**12])
        drawn += [learned.sample(1), learned.probability([7, 8])]
        learned.update([7, 7])
        drawn += [learned.sample(50), tf.gather(learned.counts, [7]), learned.sample(50)]
        return [[part for part in sample if part is not None] for sample in drawn]

    assert_equal(*on_both(device, call))


def test_accidental_hits(device):
    random = np.random.default_rng(3)
    candidates = random.integers(0, 50, 300)

    def call():
        return (
            tfcs.compute_accidental_hits(LABELS % 60, candidates, 2),
            tfcs.compute_accidental_hits(LABELS + 100, candidates, 2),
            tfcs.compute_accidental_hits(LABELS[:0], candidates, 2),
            tfcs.compute_accidental_hits(LABELS, candidates[:0], 2),
        )

    got, want = on_both(device, call)
    assert_equal(got, want)
    assert got[0][0].shape[0] > 100


def test_all_candidates(device):
    assert_equal(*on_both(device, lambda: tfcs.all_candidate_sampler(LABELS, 2, CLASSES, True)))


@pytest.mark.parametrize("kind", OBJECTS)
def test_classes_out_of_range(device, kind):
    """An error on the CPU; on a GPU, which would have to wait for a check, a count of NaN."""
    labels = tf.constant([[3, -1], [CLASSES, 2**40]], tf.int64)
    with tf.device(device):
        sampler = OBJECTS[kind](CLASSES, seed=1)
        if device == "/CPU:0":
            with pytest.raises(tf.errors.InvalidArgumentError, match="true_classes"):
                sampler.sample(5, labels)
            return
        sample = sampler.sample(5, labels)
        np.testing.assert_array_equal(
            np.isnan(sample.true_expected_count), [[False, True], [True, True]]
        )
        assert np.isnan(sampler.probability([-1])).all()
        if kind == "learned-unigram":
            assert sampler.counts.numpy().sum() == 1


def test_bad_numbers_are_errors(device):
    with tf.device(device):
        sampler = tfcs.LogUniformSampler(10, seed=1)
        for size in (0, -1, 11):
            with pytest.raises(tf.errors.InvalidArgumentError, match="num_sampled"):
                sampler.sample(tf.constant(size))
        with pytest.raises(tf.errors.InvalidArgumentError, match="num_sampled"):
            sampler.sample_ragged([3, 11])
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"num_sampled\[1\]"):
            sampler.sample_ragged([3, -2])
        learned = tfcs.LearnedUnigramSampler(10)
        learned.counts.assign([0] * 9 + [-1])
        with pytest.raises(tf.errors.InvalidArgumentError, match="got -1 for class 9"):
            learned.sample(3)


def test_jobs_in_tf_data(device):
    """tf.data runs on the CPU, whatever the device around it."""
    with tf.device(device):
        data = tf.data.Dataset.range(5).map(
            lambda step: tfcs.stateless_log_uniform_candidate_sampler(
                [[3]], 1, 20, True, CLASSES, seed=[1, step]
            )
        )
        drawn = list(data)
    with tf.device("/CPU:0"):
        for step, sample in enumerate(drawn):
            want = tfcs.stateless_log_uniform_candidate_sampler(
                [[3]], 1, 20, True, CLASSES, seed=[1, step]
            )
            assert_equal(sample, want)
