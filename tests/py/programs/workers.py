# SPDX-License-Identifier: Apache-2.0
"""One of two workers under MultiWorkerMirroredStrategy; test_workers.py starts both.

python workers.py FOLDER PHASE     PHASE is "first", which saves, or "second", which restores

It prints a JSON object: what its replica drew before the checkpoint and after, and what all
replicas counted. A second pair of processes goes on from the checkpoint of the first.
"""

import json
import os
import sys

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import numpy as np
import tensorflow as tf

import tf_candsamp as tfcs

CLASSES, SAMPLED, STEPS = 50, 10, 3
LABELS = [[3], [17], [3]]  # of each replica


def samplers(seed):
    return {
        "log-uniform": tfcs.LogUniformSampler(CLASSES, seed=seed),
        "learned": tfcs.LearnedUnigramSampler(CLASSES, seed=seed),
    }


def main(folder, phase):
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    is_chief = strategy.cluster_resolver.task_id == 0
    with strategy.scope():
        drawing = {"seeded": samplers(1), "not seeded": samplers(None)}
        weights = tf.Variable(tf.zeros([CLASSES, 4]))
    # Copies: what it holds it turns into dicts that functions of TensorFlow 2.15 cannot return.
    kept = {seeded: dict(of_kind) for seeded, of_kind in drawing.items()}
    checkpoint = tf.train.Checkpoint(drawing=kept, weights=weights)

    @tf.function
    def draw():
        def on_replica():
            return tf.nest.map_structure(
                lambda sampler: sampler.sample(SAMPLED, LABELS).sampled_candidates, drawing
            )

        return strategy.run(on_replica)

    @tf.function
    def train(inputs):
        def on_replica(inputs):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(
                    tfcs.sampled_softmax_loss(
                        weights,
                        None,
                        LABELS,
                        inputs,
                        SAMPLED,
                        CLASSES,
                        sampler=drawing["seeded"]["log-uniform"],
                    )
                )
            gradient = tape.gradient(loss, weights)
            context = tf.distribute.get_replica_context()
            total = context.all_reduce("sum", gradient)
            weights.scatter_sub(tf.IndexedSlices(0.5 * total.values, total.indices))
            return loss

        return strategy.reduce("mean", strategy.run(on_replica, args=(inputs,)), axis=None)

    def drawn(steps):
        lists = [
            tf.nest.map_structure(lambda ids: ids.numpy().tolist(), draw()) for _ in range(steps)
        ]
        return {
            f"{seeded} {kind}": [one[seeded][kind] for one in lists]
            for seeded, of_kind in drawing.items()
            for kind in of_kind
        }

    found = {}
    # The chief's checkpoint is the one that counts; others have to write theirs elsewhere.
    path = os.path.join(folder, "saved" if is_chief else "not-for-use")
    if phase == "first":
        found["before"] = drawn(STEPS)
        inputs = tf.constant(np.random.default_rng(1).normal(size=[3, 4]), tf.float32)
        found["losses"] = [float(train(inputs)) for _ in range(20)]
        checkpoint.write(path)
    else:
        checkpoint.read(os.path.join(folder, "saved")).assert_consumed()
    found["after"] = drawn(STEPS)
    found["weights"] = weights.numpy().tolist()
    found["counts"] = drawing["seeded"]["learned"].counts.numpy().tolist()
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
