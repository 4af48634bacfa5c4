# SPDX-License-Identifier: Apache-2.0
"""Candidates that are drawn in a tf.data service, whose worker is another process."""

import os
import subprocess
import sys

import numpy as np
import processes
import pytest
import tensorflow as tf

import tf_candsamp as tfcs

CLASSES, BATCHES, SAMPLED = 1000, 30, 16
LABELS = np.random.default_rng(0).integers(CLASSES, size=[BATCHES, 4, 1])


@pytest.fixture(scope="module")
def service():
    """The address of a service."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    program = processes.PROGRAMS / "data_service.py"
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.Popen([sys.executable, program], env=environment, text=True, **pipes)
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()


def _uniform(step, labels):
    return tfcs.stateless_uniform_candidate_sampler(
        labels, 1, SAMPLED, True, CLASSES, seed=[7, step]
    )


def _fixed_unigram(step, labels):
    return tfcs.stateless_fixed_unigram_candidate_sampler(
        labels, 1, SAMPLED, True, CLASSES, seed=[7, step], unigrams=tf.range(1.0, CLASSES + 1)
    )


@pytest.mark.parametrize("draw", [_uniform, _fixed_unigram])
def test_batches_are_those_of_this_process(draw, service):
    data = tf.data.Dataset.from_tensor_slices(LABELS).enumerate()
    data = data.map(
        lambda step, labels: (step, draw(step, labels)), num_parallel_calls=tf.data.AUTOTUNE
    )
    distributed = data.apply(tf.data.experimental.service.distribute("parallel_epochs", service))
    got = {int(step): sample for step, sample in distributed}
    assert sorted(got) == list(range(BATCHES))
    for step, sample in got.items():
        want = draw(step, LABELS[step])
        for one, other in zip(sample, want, strict=True):
            np.testing.assert_array_equal(one, other)


def test_training_reads_candidates_from_the_pipeline(service):
    """The whole step: candidates come with the batch, and the loss takes them."""
    weights = tf.Variable(tf.zeros([CLASSES, 3]))
    data = (
        tf.data.Dataset.from_tensor_slices(LABELS)
        .enumerate()
        .map(lambda step, labels: (labels, _uniform(step, labels)))
    )
    data = data.apply(tf.data.experimental.service.distribute("parallel_epochs", service))

    @tf.function
    def loss_of(labels, sample):
        return tfcs.sampled_softmax_loss(
            weights, None, labels, tf.ones([4, 3]), SAMPLED, CLASSES, sampled_values=sample
        )

    losses = [loss_of(labels, sample) for labels, sample in data]
    assert len(losses) == BATCHES
    # All logits are 0 but for log Q, which is equal in all classes.
    np.testing.assert_allclose(losses, np.log(SAMPLED + 1), rtol=0.1)
