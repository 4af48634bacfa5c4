# SPDX-License-Identifier: Apache-2.0
"""One of two workers, each of which holds half of a class table; test_split_losses.py starts both.

Prints the losses of this worker's examples, their gradients, and what it drew.
"""

import json
import os
import sys

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import numpy as np
import tensorflow as tf

import tf_candsamp as tfcs

CLASSES, DEPTH, ROWS, SAMPLED, WORKERS = 60, 6, 5, 8, 2
HALF = CLASSES // WORKERS


def data():
    """The table, the biases, and the inputs and labels of each worker."""
    rng = np.random.default_rng(3)
    table, biases = rng.normal(size=[CLASSES, DEPTH]), rng.normal(size=[CLASSES])
    inputs, labels = rng.normal(size=[WORKERS, ROWS, DEPTH]), rng.integers(0, 60, [WORKERS, ROWS])
    return [a.astype(np.float32) for a in (table, biases, inputs)] + [labels]


class Recorder(tfcs.LearnedUnigramSampler):
    """Keeps what it has drawn last."""

    def sample(self, *args, **kwargs):
        self.drawn = super().sample(*args, **kwargs)
        return self.drawn


def main(mode):
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    worker = strategy.cluster_resolver.task_id
    table, biases, inputs, labels = data()
    mine = slice(worker * HALF, (worker + 1) * HALF)
    weights, biases = tf.Variable(table[mine]), tf.Variable(biases[mine])
    sampler = Recorder(HALF, seed=worker)

    def on_replica(inputs, labels):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            losses = tfcs.split_sampled_softmax_loss(
                weights,
                biases,
                labels,
                inputs,
                SAMPLED,
                first_class=worker * HALF,
                sampler=sampler,
            )
            objective = tf.reduce_sum(losses * tf.range(1.0, ROWS + 1)) * (worker + 1)
        gradients = tape.gradient(objective, [weights, biases, inputs])
        return losses, [tf.convert_to_tensor(g) for g in gradients], tuple(sampler.drawn)

    def step(*batch):
        return strategy.run(on_replica, args=batch)

    step = tf.function(step) if mode == "function" else step
    losses, gradients, drawn = step(tf.constant(inputs[worker]), tf.constant(labels[worker]))
    result = {
        "losses": losses.numpy().tolist(),
        "gradients": [g.numpy().tolist() for g in gradients],
        "ids": (drawn[0].numpy() + worker * HALF).tolist(),
        "count": drawn[2].numpy().tolist(),
        "counted": sampler.counts.numpy().tolist(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1])
