# SPDX-License-Identifier: Apache-2.0
"""Frequencies of items from a sampler, and what other libraries get wrong about ids and q."""

import doctest

import calls
import numpy as np
import pytest
import reference
import tensorflow as tf

import tf_candsamp as tfcs


def vectors(rows, seed=0):
    return np.random.default_rng(seed).normal(size=[2, rows, 5])


@pytest.mark.parametrize("in_function", [False, True])
def test_a_learned_sampler(in_function):
    """It is asked first and counts then; a validation batch is not counted."""
    query, item = vectors(4)
    ids = np.array([3, 9, 3, 0])
    sampler = tfcs.LearnedUnigramSampler(10)

    def loss(update):
        return tfcs.in_batch_softmax_loss(query, item, ids, sampler=sampler, update=update)

    if in_function:
        loss = calls.graph_function(loss)
    counts = np.zeros(10, int)
    for update in (True, True, False, None, True):
        p = (1 + counts[ids]) / (1 + counts).sum()
        want, *_ = reference.two_tower_softmax_loss(query, item, ids, p)
        np.testing.assert_allclose(loss(update), want, rtol=1e-6)
        if update:
            np.add.at(counts, ids, 1)
        np.testing.assert_array_equal(sampler.counts, counts)


def test_rows_that_do_not_count_are_not_counted():
    query, item = vectors(4)
    sampler = tfcs.LearnedUnigramSampler(10)
    tfcs.in_batch_softmax_loss(query, item, [3, -1, 4, -1], sampler=sampler, ignore_id=-1)
    assert sampler.counts.numpy().tolist() == [0, 0, 0, 1, 1, 0, 0, 0, 0, 0]


def test_the_first_graph_of_tensorflow_counts():
    """In TensorFlow 1's graphs whoever asks for the loss has the items counted."""
    query, item = vectors(2)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        sampler = tfcs.LearnedUnigramSampler(10)
        loss = tfcs.in_batch_softmax_loss(query, item, [3, 4], sampler=sampler)
        session.run(tf.compat.v1.global_variables_initializer())
        session.run(loss)
        session.run(loss)
        assert session.run(sampler.counts)[2:6].tolist() == [0, 2, 2, 0]


@pytest.mark.parametrize(
    "sampler",
    [
        tfcs.FixedUnigramSampler([1.0, 5.0, 2.0, 2.0]),
        tfcs.LogUniformSampler(4),
        tfcs.UniformSampler(4),
    ],
    ids=lambda sampler: type(sampler).__name__,
)
def test_samplers_that_do_not_learn(sampler):
    query, item = vectors(5)
    ids = np.array([0, 1, 2, 3, 1])
    p = sampler.probability(ids)
    got = tfcs.in_batch_softmax_loss(query, item, ids, sampler=sampler)
    want = tfcs.in_batch_softmax_loss(query, item, ids, item_probability=p)
    np.testing.assert_array_equal(got, want)


def test_whatever_knows_probabilities_will_do():
    class Counts:
        def probability(self, ids):
            return tf.cast(ids, tf.float32) / 10

    query, item = vectors(3)
    got = tfcs.in_batch_softmax_loss(query, item, [1, 2, 4], sampler=Counts())
    want, *_ = reference.two_tower_softmax_loss(query, item, [1, 2, 4], [0.1, 0.2, 0.4])
    np.testing.assert_allclose(got, want, rtol=1e-6)


# Faults of other libraries.


@pytest.mark.parametrize("smallest", [1e-9, 1e-30])
def test_rare_items_are_not_clipped(smallest):
    """TFRS and keras-rs raise every probability to at least 1e-6."""
    query, item = vectors(6)
    p = np.array([0.1, smallest, 0.01, 3 * smallest, 1e-6, 1e-3], np.float32)
    got = tfcs.in_batch_softmax_loss(query, item, range(6), item_probability=p)
    want, *_ = reference.two_tower_softmax_loss(query, item, range(6), p)
    np.testing.assert_allclose(got, want, rtol=2e-6)
    clipped, *_ = reference.two_tower_softmax_loss(query, item, range(6), np.maximum(p, 1e-6))
    assert np.abs(got - clipped).max() > 1


@pytest.mark.parametrize("base", [2**24, 2**31, 2**53, 2**62])
def test_ids_that_differ_in_the_last_bit_are_different_items(base):
    """HSTU's public code compares ids as float32, which cannot tell these apart."""
    assert np.float32(base) == np.float32(base + 1)
    query, item = vectors(4)
    ids = np.array([base, base + 1, base, base + 1])
    got = tfcs.in_batch_softmax_loss(query, item, ids)
    want, *_ = reference.two_tower_softmax_loss(query, item, [0, 1, 0, 1], np.ones(4))
    np.testing.assert_allclose(got, want, rtol=1e-6)


def test_hits_are_really_removed():
    """keras-rs 0.4 adds 1e-40 to the score of a hit. Here its vector has no say at all."""
    query, item = vectors(4)
    ids = np.array([5, 6, 5, 7])

    def loss_and_gradient(item):
        item = tf.constant(item)
        with tf.GradientTape() as tape:
            tape.watch(item)
            loss = tfcs.in_batch_softmax_loss(query, item, ids)[0]
        return loss, tape.gradient(loss, item)

    loss, gradient = loss_and_gradient(item)
    np.testing.assert_array_equal(gradient[2], np.zeros(5))
    assert np.abs(gradient[[1, 3]]).min() > 0
    item[2] = 50 * query[0]
    np.testing.assert_array_equal(loss_and_gradient(item)[0], loss)


@pytest.mark.parametrize("function", [tfcs.in_batch_softmax_loss, tfcs.mixed_softmax_loss])
def test_examples_in_docstrings(function):
    (tests,) = doctest.DocTestFinder().find(
        function, function.__name__, globs={"tf": tf, "tfcs": tfcs}
    )
    assert sum(bool(example.want) for example in tests.examples) >= 2
    log = []
    runner = doctest.DocTestRunner()
    runner.run(tests, out=log.append)
    assert runner.failures == 0, "".join(log)
