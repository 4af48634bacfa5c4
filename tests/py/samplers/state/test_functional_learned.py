# SPDX-License-Identifier: Apache-2.0
"""The functional learned sampler, whose counts persist from call to call."""

import numpy as np
import pytest
import sampler_cases as spc
import tensorflow as tf

import tf_candsamp as tfcs


def functional(labels, name, *, classes=10, num_sampled=4, **options):
    return tfcs.learned_unigram_candidate_sampler(
        labels, 1, num_sampled, False, classes, name=name, **options
    )


def expected(counts):
    """The expected counts in 4 draws of a sampler without `unique`."""
    return 4 * (counts + 1) / (counts.sum() + 10)


def test_functional_counts_persist_over_eager_calls():
    counts = np.zeros(10)
    for _ in range(5):
        sample = functional([[3], [7], [3]], "eager")
        want = expected(counts)
        np.testing.assert_allclose(sample.true_expected_count[:, 0], want[[3, 7, 3]], rtol=1e-6)
        np.testing.assert_allclose(
            sample.sampled_expected_count, want[sample.sampled_candidates], rtol=1e-6
        )
        counts[[3, 7]] += [2, 1]


def test_functional_counts_persist_over_retracing():
    traces = []

    @tf.function
    def step(labels):
        traces.append(labels.shape)
        return functional(labels, "retraced").true_expected_count

    counts = np.zeros(10)
    for size in (1, 2, 3, 1, 2):
        np.testing.assert_allclose(step(tf.fill([size, 1], 3))[0], expected(counts)[3], rtol=1e-6)
        counts[3] += size
    assert len(traces) > 1
    eager = functional([[3]], "retraced").true_expected_count
    np.testing.assert_allclose(eager[0], expected(counts)[3], rtol=1e-6)


def test_functional_samplers_are_told_apart_by_range_seed_and_name():
    keys = [
        {"name": "apart"},
        {"name": "apart too"},
        {"name": "apart", "seed": 1},
        {"name": "apart", "seed": 2},
        {"name": "apart", "classes": 11},
    ]
    for times in range(3):
        for key in keys:
            p = functional([[3]], **key).true_expected_count.numpy().item() / 4
            np.testing.assert_allclose(p, (1 + times) / (key.get("classes", 10) + times), rtol=1e-6)


def test_functional_with_a_sampler():
    sampler, other = spc.pair("learned_unigram", 10)
    functional([[3]], "a", sampler=sampler)
    functional([[3]], "b", sampler=sampler)
    np.testing.assert_array_equal(sampler.counts[:5], [0, 0, 0, 2, 0])
    assert not other.counts.numpy().any()


def test_functional_in_graphs():
    """Each graph has its own samplers; a graph's calls with equal keys share one."""
    for _ in range(2):
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            first = functional([[3]], "graph").true_expected_count
            with tf.control_dependencies([first]):
                second = functional([[3]], "graph").true_expected_count
            session.run(tf.compat.v1.global_variables_initializer())
            for step in range(3):
                got = np.ravel(session.run([first, second]))
                want = [4 * (1 + count) / (10 + count) for count in (2 * step, 2 * step + 1)]
                np.testing.assert_allclose(got, want, rtol=1e-6)


@pytest.mark.parametrize("form", ["functional", "object"])
@pytest.mark.parametrize("classes", [10, 1000])
def test_expected_counts_are_those_before_the_batch_is_counted(classes, form):
    """As in TensorFlow: a sampler of its own sees the same labels."""
    sampler = tfcs.LearnedUnigramSampler(classes, unique=False)
    shared = {"sampler": sampler} if form == "object" else {}

    @tf.function
    def step(labels):
        core = tf.random.learned_unigram_candidate_sampler(labels, 2, 8, False, classes)
        ours = tfcs.learned_unigram_candidate_sampler(
            labels, 2, 8, False, classes, name="order", **shared
        )
        return core.true_expected_count, ours.true_expected_count

    for k in range(10):
        core, ours = step(spc.labels_of(classes, k, 60).reshape(30, 2))
        np.testing.assert_allclose(ours, core, rtol=1e-5)
