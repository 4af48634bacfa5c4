# SPDX-License-Identifier: Apache-2.0
"""Trains with samplers from the last checkpoint on; test_sampler_checkpoints.py kills it."""

import os
import sys

import numpy as np
import tensorflow as tf

import tf_candsamp as tfcs

RANGES = [1, 50, 1000, 100_000]
KILLED_AFTER, STEPS = 9, 18  # counts outgrow their slots in steps 1, 3, 7 and 15


class Model(tf.Module):
    def __init__(self, classes):
        super().__init__()
        self.classes = classes
        self.weights = tf.Variable(tf.ones([classes, 2]))
        self.learned = tfcs.LearnedUnigramSampler(classes)
        self.fixed = tfcs.FixedUnigramSampler(1 / np.arange(1.0, classes + 1))
        self.log_uniform = tfcs.LogUniformSampler(classes)

    @tf.function(autograph=False)
    def step(self, labels):
        """Each sampler's candidates and expected counts; the weights learn from the learned's."""
        num_sampled = min(20, self.classes)
        samplers = self.learned, self.fixed, self.log_uniform
        samples = [sampler.sample(num_sampled, labels) for sampler in samplers]
        ids, true_count, count = samples[0]
        with tf.GradientTape() as tape:
            losses = tf.nn.sampled_softmax_loss(
                self.weights,
                tf.zeros([self.classes]),
                labels[:50],
                tf.ones([50, 2]),
                num_sampled,
                self.classes,
                sampled_values=(ids, true_count[:50], count),
            )
        self.weights.scatter_sub(tape.gradient(losses, self.weights))
        return samples


class Training(tf.Module):
    def __init__(self, directory):
        super().__init__()
        self.done = tf.Variable(0)
        self.models = [Model(classes) for classes in RANGES]
        self.manager = tf.train.CheckpointManager(
            tf.train.Checkpoint(training=self), directory, max_to_keep=2
        )

    def step(self):
        """Everything drawn in one step, as arrays."""
        done = int(self.done.assign_add(1))
        drawn = []
        for model in self.models:
            random = np.random.default_rng([done, model.classes])
            labels = model.classes * random.random([model.classes + 50, 1]) ** 4
            drawn += tf.nest.flatten(model.step(labels.astype(np.int64)))
        return [tensor.numpy() for tensor in drawn]

    def state(self):
        return [v.numpy() for model in self.models for v in (model.learned.counts, model.weights)]


def main(directory, result):
    training = Training(directory)
    training.manager.checkpoint.restore(training.manager.latest_checkpoint).assert_consumed()
    if not result:
        while training.done < KILLED_AFTER:
            training.step()
            training.manager.save()
        print("saved", flush=True)
        while True:  # until killed
            training.step()
    drawn = []
    while training.done < STEPS:
        drawn += training.step()
    np.savez(result, *drawn, *training.state())


if __name__ == "__main__":
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    main(*sys.argv[1:])
