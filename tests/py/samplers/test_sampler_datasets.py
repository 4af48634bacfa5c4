# SPDX-License-Identifier: Apache-2.0
"""Samplers in Dataset.map with parallel calls: what is the same in every run."""

import numpy as np
import processes
import pytest
import tensorflow as tf

import tf_candsamp as tfcs

CLASSES, BATCHES, SAMPLED = 1000, 60, 16
LABELS = np.random.default_rng(0).integers(CLASSES, size=[BATCHES, 4, 1])


def uneven(step, labels):
    """The labels, after some work, so that calls end in another order than they begin."""
    work = tf.random.stateless_normal([1 + 20_000 * tf.cast(step % 5, tf.int32)], [1, 2])
    return labels + tf.cast(0 * tf.reduce_sum(work), tf.int64)


def batches(draw, calls, epochs=1):
    """Candidates of each batch; draw(step, labels) is the function that is mapped."""
    data = tf.data.Dataset.from_tensor_slices(LABELS).repeat(epochs).enumerate()
    data = data.map(
        lambda step, labels: draw(step, uneven(step, labels)).sampled_candidates,
        num_parallel_calls=calls,
    )
    return np.stack(list(data.as_numpy_iterator()))


def stateless(kind):
    function = getattr(tfcs, f"stateless_{kind}_candidate_sampler")
    options = {"unigrams": tf.range(1.0, CLASSES + 1)} if kind == "fixed_unigram" else {}
    return lambda step, labels: function(
        labels, 1, SAMPLED, True, CLASSES, seed=[7, step], **options
    )


@pytest.mark.parametrize("kind", ["uniform", "log_uniform", "fixed_unigram"])
def test_stateless_samplers_with_a_counter(kind):
    """Each batch has candidates of its own, the same in every run, in a second epoch others."""
    draw = stateless(kind)
    want = [draw(k, LABELS[k % BATCHES]).sampled_candidates for k in range(2 * BATCHES)]
    for calls in (None, 4, 8):
        np.testing.assert_array_equal(batches(draw, calls, epochs=2), want)
    assert len(np.unique(want, axis=0)) == 2 * BATCHES


def of_object(kind):
    """Draws by a new sampler."""

    def drawn(calls):
        sampler = kind(CLASSES, seed=1)
        return batches(lambda _, labels: sampler.sample(SAMPLED, labels), calls)

    return drawn


def of_function(calls):
    return batches(
        lambda _, labels: tfcs.uniform_candidate_sampler(labels, 1, SAMPLED, True, CLASSES, seed=1),
        calls,
    )


def test_a_sampler_object_draws_each_stretch_of_its_stream_once():
    """For which batch depends on the order in which calls arrive."""
    drawn = of_object(tfcs.LogUniformSampler)
    in_order = np.unique(drawn(None), axis=0)
    assert len(in_order) == BATCHES
    np.testing.assert_array_equal(np.unique(drawn(8), axis=0), in_order)


def determinism():
    """Run in a process of its own, for it cannot be turned off again."""
    tf.config.experimental.enable_op_determinism()
    objects = [of_object(tfcs.LogUniformSampler), of_object(tfcs.LearnedUnigramSampler)]
    for drawn in (*objects, of_function, lambda calls: batches(stateless("uniform"), calls)):
        want = drawn(None)
        for _ in range(3):
            np.testing.assert_array_equal(drawn(8), want)
    with pytest.raises(RuntimeError, match="require a seed"):
        tfcs.LogUniformSampler(CLASSES)


def test_op_determinism_makes_all_of_them_the_same_in_every_run():
    processes.run(__file__)


if __name__ == "__main__":
    determinism()
