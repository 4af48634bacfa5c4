# SPDX-License-Identifier: Apache-2.0
"""A variable that is looked at, or written to, from outside: draws follow what it holds.

Sparse accesses switch a mode on in which TensorFlow writes into a variable's memory. Draws compare
the values then, and from then on check them slice by slice; see
cc/kernels/framework/variable_snapshot.h.
"""

import ctypes
import threading

import numpy as np
import pytest
import tensorflow as tf
from internals import random_state

import tf_candsamp as tfcs

SLICE = 4096  # words of 64 bits
CLASSES = 5 * SLICE + 3
SLICES = 6


def counts_of(seed):
    return np.random.default_rng(seed).integers(0, 50, CLASSES)


def learned(counts, seed=1):
    sampler = tfcs.LearnedUnigramSampler(CLASSES, seed=seed)
    sampler.counts.assign(counts)
    return sampler


def fixed(weights, seed=1):
    return tfcs.FixedUnigramSampler(np.asarray(weights, np.float32), seed=seed)


def variable_of(sampler):
    return sampler.counts if isinstance(sampler, tfcs.LearnedUnigramSampler) else sampler.unigrams


def assert_like_a_new_one(sampler, make, values):
    """That the sampler draws what one draws that was made of these values."""
    twin = make(values)
    random_state(twin).assign(random_state(sampler))
    got, want = sampler.sample(200, update=False), twin.sample(200, update=False)
    np.testing.assert_array_equal(got.sampled_candidates, want.sampled_candidates)
    np.testing.assert_array_equal(got.sampled_expected_count, want.sampled_expected_count)


LOOKS = {
    "gather": lambda v: tf.gather(v, [1, 2]),
    "gather of none": lambda v: v.sparse_read(tf.zeros([0], tf.int64)),
    "gather_nd": lambda v: tf.gather_nd(v, [[1], [2]]),
    "read": lambda v: v.read_value(),
    "read, then gather": lambda v: (v.read_value(), tf.gather(v, [1])),
}

WRITES = {
    "assign": lambda v, ids, x: v.assign(tf.tensor_scatter_nd_update(v, ids[:, None], x)),
    "assign_add": lambda v, ids, x: v.assign_add(tf.scatter_nd(ids[:, None], x, [CLASSES])),
    "scatter_update": lambda v, ids, x: v.scatter_update(tf.IndexedSlices(x, ids)),
    "scatter_add": lambda v, ids, x: v.scatter_add(tf.IndexedSlices(x, ids)),
    "scatter_nd_update": lambda v, ids, x: v.scatter_nd_update(ids[:, None], x),
}


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("make", [fixed, learned])
def test_looks_change_nothing(make, look):
    values = counts_of(0) + 1
    sampler = make(values)
    for _ in range(3):
        assert_like_a_new_one(sampler, make, values)
        LOOKS[look](variable_of(sampler))
    for _ in range(2 * SLICES):
        assert_like_a_new_one(sampler, make, values)


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("make", [fixed, learned])
def test_the_next_draw_follows_a_write(make, write):
    sampler = make(counts_of(0) + 1)
    random = np.random.default_rng(1)
    variable = variable_of(sampler)
    for step in range(8):
        if step % 2:
            tf.gather(variable, [step])
        if step % 3 == 0:
            sampler.sample(5)
        ids = random.choice(CLASSES, 3, replace=False)
        WRITES[write](variable, ids, tf.constant(random.integers(1, 10**6, 3), variable.dtype))
        assert_like_a_new_one(sampler, make, variable.numpy())


def test_own_counting_is_no_change():
    """Checksums follow what is counted: the same draws as those of a sampler nobody looked at."""
    values = counts_of(0)
    watched, other = learned(values), learned(values)
    random = np.random.default_rng(2)
    for step in range(40):
        if step in (1, 20):
            tf.gather(watched.counts, [3])
        labels = random.integers(0, CLASSES, [500, 1]) // (1 + step % 7)
        got, want = watched.sample(50, labels), other.sample(50, labels)
        np.testing.assert_array_equal(got.sampled_candidates, want.sampled_candidates)
    np.testing.assert_array_equal(watched.counts, other.counts)


def write_behind_its_back(variable, position, value):
    """Writes into the variable's memory without TensorFlow's knowing.

    As a sparse update does that saw the mode on, and comes to its turn after a draw has ended it.
    """
    shared = np.asarray(memoryview(variable.read_value()))
    assert shared.dtype == variable.dtype.as_numpy_dtype
    cell = np.asarray([value], shared.dtype)
    address = shared.__array_interface__["data"][0] + position * cell.itemsize
    ctypes.memmove(address, cell.ctypes.data, cell.itemsize)
    assert variable.numpy()[position] == value


@pytest.mark.parametrize("position", [0, SLICE - 1, 3 * SLICE + 17, CLASSES - 1])
@pytest.mark.parametrize("make", [fixed, learned])
def test_a_late_write_is_noticed_in_a_round_of_slices(make, position):
    sampler = make(counts_of(0) + 1)
    variable = variable_of(sampler)
    sampler.sample(5)
    tf.gather(variable, [1])
    sampler.sample(5)  # ends the mode
    write_behind_its_back(variable, position, 10**6)
    for _ in range(SLICES):
        # Before it is noticed these are those of what was there before, or probabilities at least.
        p = sampler.probability(np.arange(CLASSES)).numpy()
        assert (p >= 0).all() and (p <= 1).all()
        if make is fixed:
            np.testing.assert_allclose(p.sum(dtype=float), 1, rtol=1e-5)
    assert_like_a_new_one(sampler, make, variable.numpy())


@pytest.mark.parametrize("watched", [False, True])
def test_a_count_that_turns_negative_behind_its_back_is_reported(watched):
    """Counting, which builds the table anew, ends and says so; an assignment mends the sampler."""
    sampler = learned(counts_of(0))
    sampler.sample(5)
    if watched:
        tf.gather(sampler.counts, [1])
        sampler.sample(5)
    write_behind_its_back(sampler.counts, 4000, -(10**6))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"-\d+ for class 4000"):
        for seed in range(100):
            sampler.update(counts_of(seed) % CLASSES)
    sampler.counts.assign(counts_of(1))
    assert_like_a_new_one(sampler, learned, counts_of(1))


def test_sparse_writes_that_race_with_draws_and_counting():
    """Nothing hangs or crashes, and at the end the draws follow what the variable holds."""
    sampler = learned(counts_of(0))
    errors = []

    def repeat(work, times):
        try:
            for k in range(times):
                work(k)
        except tf.errors.InvalidArgumentError as error:
            errors.append(error)

    def write(k):
        ids = np.arange(k % 11, CLASSES, 11)
        change = np.full(len(ids), [40, -40][k % 2], np.int64)
        if k % 2:
            ids = ids - k % 11 + (k - 1) % 11
            ids = ids[ids < CLASSES]
            change = change[: len(ids)]
        sampler.counts.scatter_add(tf.IndexedSlices(change, ids))

    workers = [
        threading.Thread(target=repeat, args=(work, times))
        for work, times in [
            (write, 200),
            (lambda k: tf.gather(sampler.counts, [k]), 400),
            (lambda k: sampler.sample(20), 400),
            (lambda k: sampler.update(counts_of(k)), 30),
        ]
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not errors
    for _ in range(SLICES):
        sampler.sample(5)
    assert_like_a_new_one(sampler, learned, sampler.counts.numpy())
