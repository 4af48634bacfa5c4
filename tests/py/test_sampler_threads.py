"""Samplers that are used by several threads, functions, datasets and replicas at once."""

import collections
import functools
import gc
import json
import os
import pathlib
import subprocess
import sys
import threading
import weakref

import numpy as np
import pytest
import sampler_replicas
import tensorflow as tf

import tf_candsamp as tfcs

THREADS = 16
MODES = {"eager": lambda function: function, "function": tf.function}


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


def assert_valid(sample, classes, size):
    ids, _, counts = (None if tensor is None else tensor.numpy() for tensor in sample)
    assert ids.shape == counts.shape == (size,)
    assert len(set(ids)) == size
    assert ids.min() >= 0 and ids.max() < classes
    assert (counts > 0).all() and (counts <= 1).all()


def assert_consistent(sampler):
    """The sampler draws what a new one draws that is given the same state."""
    other = tfcs.LearnedUnigramSampler(sampler.range_max, unique=sampler.unique)
    other.counts.assign(sampler.counts)
    other._generator.state.assign(sampler._generator.state)
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
            assert_valid(sample(tf.constant(labels[:20])), classes, 20)
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
    alone._generator.state.assign(shared._generator.state)
    sample = MODES[mode](lambda: shared.sample(5).sampled_candidates)
    drawn = [[] for _ in range(THREADS)]

    def work(k):
        for _ in range(20):
            drawn[k].append(tuple(sample().numpy()))

    run_threads([work] * THREADS)
    want = [tuple(alone.sample(5).sampled_candidates.numpy()) for _ in range(THREADS * 20)]
    assert collections.Counter(sum(drawn, [])) == collections.Counter(want)


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
            assert_valid(drawn, 1000, 50)
            for ids in (drawn.sampled_candidates.numpy(), ragged().numpy()):
                assert (ids < 500).all() or (ids >= 500).all()

    assign = [lambda: sampler.unigrams.assign(low), lambda: sampler.unigrams.assign(high)]
    run_threads([work] * 6, assign)
    sampler.unigrams.assign(high)
    assert (sample().sampled_candidates.numpy() >= 500).all()


@pytest.mark.parametrize(("kind", "drawing"), [("fixed-unigram", 1), ("learned-unigram", 3)])
def test_a_sparse_update_during_draws_is_noticed(kind, drawing):
    """TensorFlow writes it in place, under a lock that is shared with those who draw."""
    classes = 100_000
    if kind == "fixed-unigram":
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
        values = variable.numpy().astype(float) + (kind == "learned-unigram")
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
            assert_valid(sampler.sample(20, everything[:, tf.newaxis]), 1000, 20)
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
            assert_valid(sample, 1000, 20)
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


# Replicas


@functools.cache
def replicas():
    script = pathlib.Path(sampler_replicas.__file__)
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=script.parent,
        env=dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3"),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def result_of(case):
    outcome = replicas()[case]
    assert "error" not in outcome, outcome["error"]
    return outcome["result"]


@pytest.mark.parametrize("mode", sampler_replicas.MODES)
@pytest.mark.parametrize("kind", sampler_replicas.KINDS)
def test_replicas_draw_different_candidates(kind, mode):
    steps = result_of(f"candidates {kind} {mode}")
    drawn = [tuple(ids) for step in steps for ids in step]
    assert len(drawn) == 6
    assert all(len(set(ids)) == 20 and max(ids) < 1000 for ids in drawn)
    assert len(set(drawn)) == 6


@pytest.mark.parametrize("mode", sampler_replicas.MODES)
@pytest.mark.parametrize("kind", sampler_replicas.KINDS)
def test_strategy_on_the_second_device(kind, mode):
    steps = result_of(f"second_device {kind} {mode}")
    assert len({tuple(ids) for (ids,) in steps}) == 3


@pytest.mark.parametrize("mode", sampler_replicas.MODES)
def test_replicas_count_for_themselves_and_a_checkpoint_has_the_sum(mode):
    assert result_of(f"counts {mode}") == {
        "replicas": [[3, 0, 0, 0], [3, 3, 3, 0]],
        "read": [6, 3, 3, 0],
        "checkpoint": [6, 3, 3, 0],
    }


def test_restored_replicas_have_the_sum():
    # TensorFlow divides a restored sum among the replicas in float64, and rounds down.
    saved, restored = result_of("restored_counts")
    for before, after in zip(saved, restored, strict=True):
        assert before - 1 - before * 2**-52 <= after <= before


def test_keras_weights_file_has_the_sum_of_replicas():
    result = result_of("keras_weights_file")
    assert result["replicas"] == [[3, 0, 0, 0], [0, 9, 0, 0]]
    assert result["counts"] == [[3, 9, 0, 0]] * 3
    random_state, *others = result["random states"]
    assert others == [random_state] * 2


@pytest.mark.parametrize("kind", sampler_replicas.KINDS)
def test_restored_replicas_continue(kind):
    want, got = result_of(f"restored_stream {kind}")
    assert got == want


@pytest.mark.parametrize("mode", sampler_replicas.MODES)
def test_replicas_share_a_sampler_that_was_made_outside(mode):
    (first, second), counts = result_of(f"made_outside {mode}")
    assert first != second
    assert counts == [2, 1, 1, 0]


@pytest.mark.parametrize("kind", sampler_replicas.KINDS)
def test_one_replica(kind):
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        sampler = sampler_replicas.KINDS[kind]()
    step = tf.function(lambda: strategy.run(lambda: sampler.sample(20, [[1]])))
    for _ in range(2):
        assert_valid(step(), 1000, 20)
    if kind == "learned-unigram":
        assert sampler.counts.read_value()[1] == 2


# Memory


def resident_bytes():
    gc.collect()
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def growth(function, times, warm_up):
    for _ in range(warm_up):
        function()
    before = resident_bytes()
    for _ in range(times):
        function()
    return resident_bytes() - before


@pytest.mark.parametrize("global_seed", [None, 1])
@pytest.mark.parametrize("mode", MODES)
def test_calls_leak_nothing(mode, global_seed):
    tf.random.set_seed(global_seed)
    samplers = [make() for make in sampler_replicas.KINDS.values()]

    def call():
        for sampler in samplers:
            sampler.sample(20, [[1], [2]])
            sampler.sample_ragged([5, 5], [1, 2], exclude_true=True)
            sampler.probability([3])
        samplers[-1].update([1, 2])
        tfcs.learned_unigram_candidate_sampler([[1]], 1, 5, True, 1000, name="leak")

    # A kilobyte for each of 14 ops would be 8 MB.
    assert growth(MODES[mode](call), times=600, warm_up=150) < 5e6


def test_dropped_samplers_are_freed():
    weights = np.ones(200_000, np.float32)

    def use():
        learned, fixed = tfcs.LearnedUnigramSampler(200_000), tfcs.FixedUnigramSampler(weights)
        for sampler in (learned, fixed):
            sampler.sample(5, [[1]])
            tf.function(lambda s=sampler: s.sample(5, [[1]]))()
        del learned, fixed, sampler
        gc.collect()  # functions are cycles

    gc.collect()
    gc.freeze()  # what other tests have left is not to be looked at each time
    try:
        # Each time variables and tables of some 8 MB.
        assert growth(use, times=30, warm_up=5) < 60e6
    finally:
        gc.unfreeze()


def test_counting_while_counts_are_read_keeps_no_copies():
    sampler = tfcs.LearnedUnigramSampler(500_000)
    held = []

    def use():
        held[:] = [sampler.counts.read_value()]
        sampler.update([1])

    assert growth(use, times=100, warm_up=20) < 40e6  # of 400 MB in 4 MB copies


def test_functional_sampler_lets_go_of_its_graph():
    graph = tf.Graph()
    with graph.as_default():
        tfcs.learned_unigram_candidate_sampler([[1]], 1, 5, True, 1000)
    alive = weakref.ref(graph)
    del graph
    gc.collect()
    assert alive() is None
