# SPDX-License-Identifier: Apache-2.0
"""Samplers that several threads, functions and datasets use at once."""

import collections
import functools
import itertools
import threading

import numpy as np
import pytest
import sampler_cases as spc
import tensorflow as tf
from calls import MODES
from internals import random_state

import tf_candsamp as tfcs

THREADS = 16


def run_threads(works, background=()):
    """Runs each work(k) in a thread; meanwhile each of background again and again in its own."""
    errors = []
    barrier = threading.Barrier(len(works) + len(background))
    done = threading.Event()

    def guard(function):
        try:
            barrier.wait()
            function()
        except Exception as error:
            errors.append(error)
            done.set()

    def repeat(function):
        function()  # at least once
        while not done.is_set():
            function()

    front = [functools.partial(work, k) for k, work in enumerate(works)]
    back = [functools.partial(repeat, function) for function in background]
    threads = [threading.Thread(target=guard, args=[f], daemon=True) for f in front + back]
    for thread in threads:
        thread.start()
    for k, thread in enumerate(threads):
        if k == len(front):
            done.set()
        thread.join(60)
        assert not thread.is_alive(), "deadlock"
    if errors:
        raise errors[0]


def assert_consistent(sampler):
    """The sampler draws what a new one draws that is given the same state."""
    other = tfcs.LearnedUnigramSampler(sampler.range_max, unique=sampler.unique)
    other.counts.assign(sampler.counts)
    random_state(other).assign(random_state(sampler))
    size = sampler.range_max // 2
    for got, want in zip(sampler.sample(size), other.sample(size), strict=True):
        if want is not None:
            np.testing.assert_array_equal(got, want)


# Threads


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("classes", [40, 5000])
def test_counts_of_all_threads_add_up(classes, mode):
    sampler = tfcs.LearnedUnigramSampler(classes)
    sample = MODES[mode](lambda labels: sampler.sample(20, labels))
    update = MODES[mode](lambda labels: (sampler.update(labels), None)[1])
    probability = MODES[mode](lambda: sampler.probability([0, 1]))
    counted = np.zeros([THREADS, classes], np.int64)

    def work(k):
        random = np.random.default_rng(k)
        for _ in range(25):
            labels = (classes * random.random([30, 2]) ** 3).astype(np.int64)
            spc.assert_valid(sample(tf.constant(labels[:20])), classes, 20)
            update(tf.constant(labels[20:]))
            assert (probability().numpy() > 0).all()
            counted[k] += np.bincount(labels.ravel(), minlength=classes)

    run_threads([work] * THREADS)
    np.testing.assert_array_equal(sampler.counts, counted.sum(0))
    assert_consistent(sampler)


@pytest.mark.parametrize("mode", MODES)
def test_threads_share_one_stream(mode):
    """Each batch of the stream is given once, to one of the threads."""
    shared, alone = (tfcs.UniformSampler(10**6, seed=1) for _ in range(2))
    random_state(alone).assign(random_state(shared))
    sample = MODES[mode](lambda: shared.sample(5).sampled_candidates)
    drawn = [[] for _ in range(THREADS)]

    def work(k):
        for _ in range(20):
            drawn[k].append(tuple(sample().numpy()))

    run_threads([work] * THREADS)
    want = [tuple(alone.sample(5).sampled_candidates.numpy()) for _ in range(THREADS * 20)]
    together = itertools.chain.from_iterable(drawn)
    assert collections.Counter(together) == collections.Counter(want)


def test_readers_and_checkpoints_see_whole_updates(tmp_path):
    """Every update counts all classes once: whoever looks sees equal counts."""
    classes = 5000
    sampler = tfcs.LearnedUnigramSampler(classes)
    everything = tf.range(classes, dtype=tf.int64)
    checkpoint = tf.train.Checkpoint(sampler=sampler)
    seen, saved = [], []

    def work(k):
        for _ in range(30):
            sampler.update(everything)
            sampler.sample(5, everything[:, tf.newaxis])

    def read():
        counts = sampler.counts.read_value()
        first = counts.numpy()
        assert first.min() == first.max()
        seen.append((counts, first[0]))
        assert (sampler.probability([0, 1, classes - 1]).numpy() == np.float32(1 / classes)).all()

    def save():
        path = checkpoint.write(tmp_path / str(len(saved)))
        values = tf.train.load_checkpoint(path).get_tensor(
            "sampler/_counts/.ATTRIBUTES/VARIABLE_VALUE"
        )
        assert values.min() == values.max()
        saved.append((path, values[0]))

    run_threads([work] * 4, [read, read, save])
    assert (sampler.counts.numpy() == 4 * 30 * 2).all()
    for counts, value in seen[:20]:  # they were not written to later
        assert (counts.numpy() == value).all()
    assert [value for _, value in saved] == sorted(value for _, value in saved)
    path, value = saved[-1]
    restored = tfcs.LearnedUnigramSampler(classes)
    tf.train.Checkpoint(sampler=restored).read(path).assert_consumed()
    assert (restored.counts.numpy() == value).all()


@pytest.mark.parametrize("mode", MODES)
def test_a_draw_is_from_weights_before_or_after_an_assignment(mode):
    low, high = np.zeros([2, 1000], np.float32)
    low[:500], high[500:] = 1, 1
    sampler = tfcs.FixedUnigramSampler(low)
    sample = MODES[mode](lambda: sampler.sample(50))
    ragged = MODES[mode](lambda: sampler.sample_ragged([30, 30]).candidates.values)

    def work(k):
        for _ in range(40):
            drawn = sample()
            spc.assert_valid(drawn, 1000, 50)
            for ids in (drawn.sampled_candidates.numpy(), ragged().numpy()):
                assert (ids < 500).all() or (ids >= 500).all()

    assign = [lambda: sampler.unigrams.assign(low), lambda: sampler.unigrams.assign(high)]
    run_threads([work] * 6, assign)
    sampler.unigrams.assign(high)
    assert (sample().sampled_candidates.numpy() >= 500).all()


@pytest.mark.parametrize(("kind", "drawing"), [("fixed_unigram", 1), ("learned_unigram", 3)])
def test_a_sparse_update_during_draws_is_noticed(kind, drawing):
    """TensorFlow writes it in place, under a lock that is shared with those who draw."""
    classes = 100_000
    if kind == "fixed_unigram":
        sampler = tfcs.FixedUnigramSampler(np.ones(classes, np.float32), unique=False)
        variable = sampler.unigrams
    else:
        sampler = tfcs.LearnedUnigramSampler(classes, unique=False)
        variable = sampler.counts
    ids = tf.range(classes)
    for step in range(60):
        values = tf.cast(ids * (step + 3) % 1000 + step, variable.dtype)
        update = tf.IndexedSlices(values, ids)
        run_threads(
            [lambda k, update=update: variable.scatter_update(update)],
            [lambda: sampler.sample(2)] * drawing,
        )
        values = variable.numpy().astype(float) + (kind == "learned_unigram")
        probability = sampler.probability(ids)
        np.testing.assert_allclose(probability, values / values.sum(), rtol=1e-5)


def test_counts_are_assigned_while_others_count():
    """An assignment takes effect as a whole, and what is counted after it is added to it."""
    sampler = tfcs.LearnedUnigramSampler(1000)
    everything = tf.range(1000, dtype=tf.int64)
    base = 10**6

    def work(k):
        for step in range(50):
            if k == 0 and step % 5 == 0:
                sampler.counts.assign(tf.fill([1000], tf.constant(base, tf.int64)))
            sampler.update(everything)
            spc.assert_valid(sampler.sample(20, everything[:, tf.newaxis]), 1000, 20)
            counts = sampler.counts.numpy()
            assert counts.min() == counts.max()

    run_threads([work] * 8)
    assert base < sampler.counts.numpy()[0] <= base + 8 * 50 * 2
    assert_consistent(sampler)


def test_functional_sampler_is_made_once():
    """Threads that come at once share the sampler of their key."""

    def work(k):
        for _ in range(5):
            tfcs.learned_unigram_candidate_sampler([[3]], 1, 4, True, 10, name="threads")

    run_threads([work] * THREADS)
    sample = tfcs.learned_unigram_candidate_sampler([[3]], 1, 1, False, 10, name="threads")
    want = (THREADS * 5 + 1) / (THREADS * 5 + 10)
    np.testing.assert_allclose(sample.true_expected_count, [[want]], rtol=1e-6)


# Functions and datasets


def test_functions_share_a_sampler_with_unique_and_without():
    sampler = tfcs.LearnedUnigramSampler(30)

    def draw(unique):
        return tfcs.learned_unigram_candidate_sampler(
            [[1], [2]], 1, 30, unique, 30, sampler=sampler
        )

    functions = [
        tf.function(lambda: draw(True)),
        tf.function(lambda: draw(False)),
        lambda: draw(True),
    ]
    for step in range(4):
        for k, function in enumerate(functions):
            count = step * len(functions) + k
            sample = function()
            if k == 1:
                p = (1 + count) / (30 + 2 * count)
                np.testing.assert_allclose(sample.true_expected_count, [[30 * p]] * 2, rtol=1e-6)
            else:
                assert sorted(sample.sampled_candidates.numpy()) == list(range(30))
    np.testing.assert_array_equal(sampler.counts[:4], [0, 12, 12, 0])


def test_functions_that_call_each_other():
    sampler = tfcs.LearnedUnigramSampler(30)

    @tf.function
    def inner(label):
        sampler.update([label])
        return sampler.sample(5, [[label]]).sampled_candidates

    @tf.function
    def outer(times):
        for k in tf.range(times):
            inner(k % 3)
            if k % 2 == 0:
                sampler.update([4])
        return sampler.counts.read_value()

    np.testing.assert_array_equal(outer(tf.constant(6))[:6], [4, 4, 4, 0, 3, 0])
    np.testing.assert_array_equal(outer(tf.constant(2))[:6], [6, 6, 4, 0, 4, 0])


@pytest.mark.parametrize("calls", [tf.data.AUTOTUNE, 4, None])
@pytest.mark.parametrize("deterministic", [False, True])
def test_in_dataset_map(calls, deterministic):
    sampler = tfcs.LearnedUnigramSampler(1000)
    labels = np.random.default_rng(0).integers(0, 1000, [600, 1])
    batches = tf.data.Dataset.from_tensor_slices(labels).batch(4)
    batches = batches.map(
        lambda batch: sampler.sample(20, batch),
        num_parallel_calls=calls,
        deterministic=deterministic if calls else None,
    ).prefetch(2)
    drawn = []
    for epoch in (1, 2):
        for sample in batches:
            spc.assert_valid(sample, 1000, 20)
            drawn.append(tuple(sample[0].numpy()))
        counts = np.bincount(labels[:, 0], minlength=1000)
        np.testing.assert_array_equal(sampler.counts, epoch * counts)
    assert len(set(drawn)) == 300
    assert_consistent(sampler)


def test_dataset_and_training_share_a_sampler():
    sampler = tfcs.LearnedUnigramSampler(100)
    batches = tf.data.Dataset.range(100).batch(5)
    batches = batches.map(
        lambda batch: (batch, sampler.sample(10, batch[:, tf.newaxis])[0]),
        num_parallel_calls=tf.data.AUTOTUNE,
    ).prefetch(tf.data.AUTOTUNE)
    step = tf.function(lambda batch: sampler.sample(10, batch[:, tf.newaxis])[0])
    for batch, _ in batches:
        step(batch)
    np.testing.assert_array_equal(sampler.counts, np.full(100, 2))
