# SPDX-License-Identifier: Apache-2.0
"""Uses samplers under tf.distribute with two devices; test_sampler_replicas.py reads the results.

Logical devices must be made before TensorFlow starts, so this runs in a process of its own. It
prints a JSON object: each of CASES with its result, or with the error that it raised.
"""

import functools
import json
import os
import tempfile
import traceback

import numpy as np
import sampler_cases as spc
import tensorflow as tf
from calls import MODES
from internals import random_state

import tf_candsamp as tfcs

CLASSES = 1000


@functools.cache
def mirrored():
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def make(kind, strategy=None):
    with (strategy or mirrored()).scope():
        return spc.sampler(kind, CLASSES, seed=1)


def values(strategy, per_replica):
    """A list with what each replica gave."""
    return [t.numpy().tolist() for t in strategy.experimental_local_results(per_replica)]


def candidates(kind, mode, strategy=None):
    """[step][replica]: candidates. After two steps of `sample` one of `sample_ragged`."""
    strategy = strategy or mirrored()
    sampler = make(kind, strategy)
    sample = MODES[mode](lambda: strategy.run(lambda: sampler.sample(20).sampled_candidates))
    ragged = MODES[mode](lambda: strategy.run(lambda: sampler.sample_ragged([20]).candidates[0]))
    return [values(strategy, draw()) for draw in (sample, sample, ragged)]


def count(sampler, mode):
    """Each replica counts class 0; those behind the first also class 1, and 2 by sampling."""

    def replica():
        index = tf.distribute.get_replica_context().replica_id_in_sync_group
        sampler.update([0])
        sampler.update(tf.fill([index], 1))
        sampler.sample(5, tf.fill([index, 1], 2))

    MODES[mode](lambda: mirrored().run(replica))()


def counts(mode):
    """What each replica counted, what the variable gives outside of them, and a checkpoint."""
    sampler = make("learned_unigram")
    for _ in range(3):
        count(sampler, mode)
    with tempfile.TemporaryDirectory() as directory:
        path = tf.train.Checkpoint(sampler=sampler).save(directory + "/c")
        restored = tfcs.LearnedUnigramSampler(CLASSES)
        tf.train.Checkpoint(sampler=restored).restore(path).assert_consumed()
    return {
        "replicas": [c[:4] for c in values(mirrored(), sampler.counts)],
        "read": sampler.counts.read_value()[:4].numpy().tolist(),
        "checkpoint": restored.counts[:4].numpy().tolist(),
    }


def restored_counts():
    """Counts before and after a checkpoint is restored under the strategy."""
    saved = np.arange(CLASSES)
    saved[-1] = 2**60 + 1
    sampler = tfcs.LearnedUnigramSampler(CLASSES)
    sampler.counts.assign(saved)
    other = make("learned_unigram")
    with tempfile.TemporaryDirectory() as directory:
        path = tf.train.Checkpoint(sampler=sampler).save(directory + "/c")
        tf.train.Checkpoint(sampler=other).restore(path).assert_consumed()
    return [saved.tolist(), other.counts.read_value().numpy().tolist()]


def keras_weights_file():
    """Counts and random states of a Keras model, and where its weights file was loaded."""

    class Sampling(tf.keras.layers.Layer):
        def build(self, shape):
            self.sampler = spc.sampler("learned_unigram", CLASSES, seed=1)

        def call(self, labels):
            return self.sampler.sample(5, tf.cast(labels, tf.int64)).true_expected_count

    def sequential():
        return tf.keras.Sequential([tf.keras.Input([1]), Sampling()])

    def step():
        index = tf.distribute.get_replica_context().replica_id_in_sync_group
        model(tf.fill([2 * index + 1, 1], index))

    with mirrored().scope():
        model, other = sequential(), sequential()
    alone = sequential()
    for _ in range(3):
        mirrored().run(step)
    samplers = [m.layers[-1].sampler for m in (model, other, alone)]
    counted = values(mirrored(), samplers[0].counts)
    with tempfile.TemporaryDirectory() as directory:
        path = directory + "/model.weights.h5"
        model.save_weights(path)
        other.load_weights(path)
        alone.load_weights(path)
    return {
        "replicas": [counts[:4] for counts in counted],
        "counts": [sampler.counts.numpy()[:4].tolist() for sampler in samplers],
        "random states": [random_state(sampler).numpy().tolist() for sampler in samplers],
    }


def restored_stream(kind):
    """What comes after a checkpoint was written, and after it was restored."""
    sampler, other = make(kind), make(kind)

    def draw(sampler):
        return values(mirrored(), mirrored().run(lambda: sampler.sample(20).sampled_candidates))

    draw(sampler)
    with tempfile.TemporaryDirectory() as directory:
        path = tf.train.Checkpoint(sampler=sampler).save(directory + "/c")
        tf.train.Checkpoint(sampler=other).restore(path).assert_consumed()
    return [draw(sampler), draw(other)]


def made_outside(mode):
    """Candidates and counts where all replicas share one sampler."""
    sampler = spc.sampler("learned_unigram", CLASSES, seed=1)
    count(sampler, mode)
    draw = MODES[mode](lambda: mirrored().run(lambda: sampler.sample(20).sampled_candidates))
    return [values(mirrored(), draw()), sampler.counts[:4].numpy().tolist()]


def halving(mode):
    """Counts of each replica: at the start, and after each of 5 steps; then those restored."""

    def make_halving():
        with mirrored().scope():
            return tfcs.LearnedUnigramSampler(3, counts=[21, 8, 0], halve_every=2)

    def parts():
        return values(mirrored(), sampler.counts)

    sampler, other = make_halving(), make_halving()
    step = MODES[mode](lambda: mirrored().run(lambda: sampler.update([2])))
    found = [parts()]
    for _ in range(5):
        step()
        found.append(parts())
    with tempfile.TemporaryDirectory() as directory:
        path = tf.train.Checkpoint(sampler=sampler).save(directory + "/c")
        tf.train.Checkpoint(sampler=other).restore(path).assert_consumed()
    mirrored().run(lambda: other.update([2]))
    return {"steps": found, "restored": values(mirrored(), other.counts)}


def estimator(mode):
    """Probabilities of ids 0 and 1 on each replica, where replica k got id k; those restored."""

    def make_estimator():
        with mirrored().scope():
            return tfcs.FrequencyEstimator(64)

    def probabilities(estimator):
        draw = MODES[mode](lambda: mirrored().run(lambda: estimator.probability([0, 1])))
        return values(mirrored(), draw())

    def update():
        index = tf.distribute.get_replica_context().replica_id_in_sync_group
        made.update(tf.fill([4], index))

    made, other = make_estimator(), make_estimator()
    MODES[mode](lambda: mirrored().run(update))()
    with tempfile.TemporaryDirectory() as directory:
        path = tf.train.Checkpoint(estimator=made).save(directory + "/c")
        tf.train.Checkpoint(estimator=other).restore(path).assert_consumed()
    return [probabilities(made), probabilities(other)]


def second_device(kind, mode):
    return candidates(kind, mode, tf.distribute.OneDeviceStrategy("CPU:1"))


CASES = {
    **{
        f"{case.__name__} {kind} {mode}": functools.partial(case, kind, mode)
        for case in (candidates, second_device)
        for kind in spc.OBJECTS
        for mode in MODES
    },
    **{
        f"{case.__name__} {mode}": functools.partial(case, mode)
        for case in (counts, made_outside, halving, estimator)
        for mode in MODES
    },
    **{f"restored_stream {kind}": functools.partial(restored_stream, kind) for kind in spc.OBJECTS},
    "restored_counts": restored_counts,
    "keras_weights_file": keras_weights_file,
}


def main():
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    results = {}
    for name, case in CASES.items():
        try:
            results[name] = {"result": case()}
        except Exception:
            results[name] = {"error": traceback.format_exc()}
    print(json.dumps(results))


if __name__ == "__main__":
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    main()
