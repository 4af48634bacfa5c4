# SPDX-License-Identifier: Apache-2.0
"""Losses with shared candidates that draw them from a sampler object."""

import loss_cases as lc
import numpy as np
import pytest
import sampled_cases as sc
import tensorflow as tf
from calls import MODES

import tf_candsamp as tfcs

CLASSES = 30
CASE = sc.random_case(1, classes=CLASSES, num_sampled=8).rounded(tf.float32)
SAMPLERS = {
    "uniform": lambda: tfcs.UniformSampler(CLASSES, seed=1),
    "log_uniform": lambda: tfcs.LogUniformSampler(CLASSES, seed=1),
    "fixed_unigram": lambda: tfcs.FixedUnigramSampler(np.arange(1.0, CLASSES + 1), seed=1),
    "learned_unigram": lambda: tfcs.LearnedUnigramSampler(CLASSES, seed=1),
}


def loss_of(kind, num_sampled=8, **options):
    return sc.FUNCTIONS[kind](
        tf.constant(CASE.weights, tf.float32),
        tf.constant(CASE.biases, tf.float32),
        CASE.labels,
        tf.constant(CASE.inputs, tf.float32),
        num_sampled,
        CLASSES,
        2,
        **options,
    )


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_draws_what_the_sampler_samples(kind, name, mode):
    drawing, given = SAMPLERS[name](), SAMPLERS[name]()

    def draw():
        return loss_of(kind, sampler=drawing)

    draw = MODES[mode](draw)
    losses = [draw().numpy() for _ in range(3)]
    want = [loss_of(kind, sampled_values=given.sample(8, CASE.labels)) for _ in range(3)]
    np.testing.assert_array_equal(losses, want)
    assert not np.array_equal(losses[0], losses[1])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_learned_counts_go_on(kind, mode):
    sampler = SAMPLERS["learned_unigram"]()
    before = sampler.counts.numpy()

    def draw():
        return loss_of(kind, sampler=sampler)

    draw = MODES[mode](draw)
    for _ in range(3):
        draw()
    counted = 3 * np.bincount(CASE.labels.ravel(), minlength=CLASSES)
    np.testing.assert_array_equal(sampler.counts.numpy() - before, counted)


@pytest.mark.parametrize("kind", lc.LOSSES)
def test_num_sampled_may_be_a_tensor(kind):
    drawing, given = SAMPLERS["uniform"](), SAMPLERS["uniform"]()
    draw = tf.function(
        lambda n: loss_of(kind, n, sampler=drawing), input_signature=[tf.TensorSpec([], tf.int32)]
    )
    for count in (1, 8, 30):
        want = loss_of(kind, count, sampled_values=given.sample(count, CASE.labels))
        np.testing.assert_array_equal(draw(count), want)


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_trains(kind, name):
    sampler = SAMPLERS[name]()
    weights, inputs = tf.Variable(tf.zeros([CLASSES, 5])), tf.constant(CASE.inputs, tf.float32)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(
                sc.FUNCTIONS[kind](
                    weights, None, CASE.labels, inputs, 8, CLASSES, 2, sampler=sampler
                )
            )
        weights.scatter_sub(tape.gradient(loss, weights))
        return loss

    losses = [float(step()) for _ in range(40)]
    assert np.mean(losses[-5:]) < np.mean(losses[:5])
