# SPDX-License-Identifier: Apache-2.0
"""A learned sampler's first counts, halved counts and distortion: state, steps and bad input."""

import threading

import numpy as np
import pytest
import tensorflow as tf
from calls import MODES, refused

import tf_candsamp as tfcs

CLASSES = 6
COUNTS = [9, 4, 0, 1, 7, 30]
STEPS = {
    "sample": lambda sampler: sampler.sample(3, [[1], [4]]),
    "sample_ragged": lambda sampler: sampler.sample_ragged([1, 2], [[1], [4]]),
    "update": lambda sampler: sampler.update([1, 4]),
    "function of tf.random's arguments": lambda sampler: tfcs.learned_unigram_candidate_sampler(
        [[1], [4]], 1, 3, True, CLASSES, sampler=sampler
    ),
    "loss": lambda sampler: tfcs.sampled_softmax_loss(
        tf.ones([CLASSES, 2]), None, [[1], [4]], tf.ones([2, 2]), 3, CLASSES, sampler=sampler
    ),
}
for_modes = pytest.mark.parametrize("mode", MODES)


def stepped(counts, steps, halve_every):
    """The counts after steps that count classes 1 and 4."""
    counts = np.array(counts)
    for step in range(1, steps + 1):
        counts[[1, 4]] += 1
        if step % halve_every == 0:
            counts //= 2
    return counts


def draws(sampler):
    return sampler.sample(200).sampled_candidates.numpy().tolist()


@for_modes
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_every_step_that_counts_is_counted(step, mode):
    sampler = tfcs.LearnedUnigramSampler(CLASSES, counts=COUNTS, halve_every=3, unique=False)
    run = MODES[mode](lambda: step(sampler))
    for steps in range(1, 8):
        run()
        np.testing.assert_array_equal(sampler.counts, stepped(COUNTS, steps, 3))


@for_modes
def test_what_counts_nothing_is_no_step(mode):
    sampler = tfcs.LearnedUnigramSampler(CLASSES, counts=COUNTS, halve_every=1, seed=1)

    def run():
        sampler.sample(2)
        sampler.sample(2, [[1]], update=False)
        sampler.sample_ragged([2], [[1]], update=False)
        sampler.probability([0])

    MODES[mode](run)()
    np.testing.assert_array_equal(sampler.counts, COUNTS)


def test_a_step_draws_before_it_halves():
    """The draw follows the counts as they were, and its expected counts too."""
    options = {"counts": COUNTS, "seed": 1}
    plain = tfcs.LearnedUnigramSampler(CLASSES, **options)
    halving = tfcs.LearnedUnigramSampler(CLASSES, halve_every=1, **options)
    for want, got in zip(plain.sample(3, [[1]]), halving.sample(3, [[1]]), strict=True):
        np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(halving.counts, (plain.counts.numpy()) // 2)


@for_modes
@pytest.mark.parametrize("distortion", [1.0, 0.75])
def test_draws_after_halving_are_those_of_the_halved_counts(distortion, mode):
    options = {"unique": False, "seed": 3, "distortion": distortion}
    sampler = tfcs.LearnedUnigramSampler(CLASSES, counts=COUNTS, **options)
    sampler.probability([0])  # derives the slots
    MODES[mode](sampler.halve)()
    other = tfcs.LearnedUnigramSampler(CLASSES, counts=np.array(COUNTS) // 2, **options)
    assert draws(sampler) == draws(other)
    np.testing.assert_array_equal(sampler.probability([0, 5]), other.probability([0, 5]))


def test_a_reader_of_the_counts_keeps_what_it_read():
    sampler = tfcs.LearnedUnigramSampler(CLASSES, counts=COUNTS)
    read = sampler.counts.read_value()
    sampler.halve()
    np.testing.assert_array_equal(read, COUNTS)


def test_halving_a_variable_that_is_watched():
    """A gather makes draws check the variable for writes; a halving is none that they miss."""
    sampler = tfcs.LearnedUnigramSampler(CLASSES, counts=COUNTS, unique=False, seed=1)
    tf.gather(sampler.counts, [0])
    draws(sampler)
    sampler.halve()
    for _ in range(3):
        draws(sampler)
    sampler.counts.scatter_nd_add([[2]], [1000])
    assert draws(sampler).count(2) > 150


def test_threads_lose_no_step():
    """8 threads of 100 updates, 800 steps in all: 40 halvings, none lost and none repeated."""
    sampler = tfcs.LearnedUnigramSampler(2, counts=[2**50, 0], halve_every=20)

    def work():
        for _ in range(100):
            sampler.update([1])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sampler.counts.numpy()[0] == 2**10


@pytest.mark.parametrize("distortion", [1.0, 0.5])
def test_a_checkpoint_has_the_steps(tmp_path, distortion):
    def make():
        return tfcs.LearnedUnigramSampler(
            CLASSES, counts=COUNTS, halve_every=3, distortion=distortion, unique=False, seed=1
        )

    sampler, other = make(), make()
    sampler.update([1, 4])
    sampler.update([1, 4])
    path = tf.train.Checkpoint(sampler=sampler).write(str(tmp_path / "c"))
    tf.train.Checkpoint(sampler=other).read(path).assert_consumed()
    for _ in range(2):
        sampler.update([1, 4])
        other.update([1, 4])
        np.testing.assert_array_equal(other.counts, sampler.counts)
        assert draws(other) == draws(sampler)
    np.testing.assert_array_equal(sampler.counts, stepped(COUNTS, 4, 3))


def test_a_saved_model_has_the_steps(tmp_path):
    module = tf.Module()
    module.sampler = tfcs.LearnedUnigramSampler(CLASSES, counts=COUNTS, halve_every=2)
    module.step = tf.function(lambda: module.sampler.sample(2, [[1], [4]])[0])
    module.counts = tf.function(lambda: module.sampler.counts.read_value())
    module.step()
    module.counts()
    tf.saved_model.save(module, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    loaded.step()
    np.testing.assert_array_equal(loaded.counts(), stepped(COUNTS, 2, 2))


def test_keras_files_have_the_steps(tmp_path):
    keras = pytest.importorskip("keras", minversion="3")

    def make(**options):
        model = keras.Sequential([keras.Input([1]), keras.layers.Dense(1)])
        model.sampler = tfcs.LearnedUnigramSampler(CLASSES, **options)
        return model

    model = make(counts=COUNTS, halve_every=2)
    model.sampler.update([1, 4])
    model.save_weights(tmp_path / "w.weights.h5")
    other = make(halve_every=2)
    other.load_weights(tmp_path / "w.weights.h5")
    other.sampler.update([1, 4])
    np.testing.assert_array_equal(other.sampler.counts, stepped(COUNTS, 2, 2))

    # A sampler that begins to forget goes on from the counts of one that did not.
    model = make(counts=COUNTS)
    model.save_weights(tmp_path / "v.weights.h5")
    other.load_weights(tmp_path / "v.weights.h5")
    np.testing.assert_array_equal(other.sampler.counts, COUNTS)


def test_config():
    sampler = tfcs.LearnedUnigramSampler(
        CLASSES, counts=COUNTS, halve_every=np.int32(7), distortion=np.float32(0.5), seed=1
    )
    config = sampler.get_config()
    assert (config["halve_every"], config["distortion"]) == (7, 0.5)
    other = tfcs.LearnedUnigramSampler.from_config(config)
    assert (other.halve_every, other.distortion) == (7, 0.5)
    assert not other.counts.numpy().any()


def test_in_a_graph_of_tensorflow_1():
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        sampler = tfcs.LearnedUnigramSampler(
            CLASSES, counts=tf.constant(COUNTS) + 1, halve_every=2, seed=1
        )
        candidates = sampler.sample(3, [[1], [4]]).sampled_candidates
        update, halve = sampler.update([1, 4]), sampler.halve()
        counts = sampler.counts.read_value()
        session.run(tf.compat.v1.global_variables_initializer())
        first = np.array(COUNTS) + 1
        for steps, op in enumerate([candidates, update, candidates], 1):
            session.run(op)
            np.testing.assert_array_equal(session.run(counts), stepped(first, steps, 2))
        session.run(halve)
        np.testing.assert_array_equal(session.run(counts), stepped(first, 3, 2) // 2)


@pytest.mark.parametrize("distortion", [0.0, 0.3, 0.75, 1])
def test_probabilities_are_those_of_the_powers(distortion):
    sampler = tfcs.LearnedUnigramSampler(CLASSES, counts=COUNTS, distortion=distortion)
    weights = (1.0 + np.array(COUNTS)) ** distortion
    np.testing.assert_allclose(
        sampler.probability(range(CLASSES)), weights / weights.sum(), rtol=2e-6
    )


def test_exclude_true_with_a_distortion():
    sampler = tfcs.LearnedUnigramSampler(CLASSES, counts=COUNTS, distortion=0.5)
    sample = sampler.sample_ragged([5], [[5]], exclude_true=True, update=False)
    assert sorted(sample.candidates.values.numpy()) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"counts": [1, 2]}, r"counts must have shape \[range_max\], \[6\], got \(2,\)"),
        ({"counts": [[1] * 6]}, r"counts must have shape"),
        ({"counts": [0.5] * 6}, r"counts must be of an integer type, got float"),
        ({"counts": [1, 2, 3, -4, 5, -6]}, r"counts must not be negative, got -4 for class 3"),
        ({"counts": [2**62 - 6, 1, 0, 0, 0, 0]}, r"counts, .*must sum to at most 2\^62"),
        ({"counts": [2**62, 2**62, 2**62, 2**62, 0, 0]}, r"counts, .*must sum to at most 2\^62"),
        ({"halve_every": 0}, r"halve_every must be positive, got 0"),
        ({"halve_every": 1.5}, r"halve_every must be an integer, got 1.5"),
        ({"distortion": 1.01}, r"distortion must be in \[0, 1\], got 1.01"),
        ({"distortion": -0.5}, r"distortion must be in \[0, 1\], got -0.5"),
        ({"distortion": float("nan")}, r"distortion must be in \[0, 1\], got nan"),
        ({"distortion": "0.75"}, r"distortion must be a number, got '0.75'"),
        ({"distortion": None}, r"distortion must be a number, got None"),
    ],
    ids=lambda value: "",
)
def test_refused(options, message):
    refused(message, tfcs.LearnedUnigramSampler, CLASSES, **options)


def test_counts_at_the_limit():
    sampler = tfcs.LearnedUnigramSampler(CLASSES, counts=[2**62 - 6, 0, 0, 0, 0, 0])
    refused("counts must sum to at most 2", sampler.update, [1])
    sampler.halve()
    sampler.update([1])
    assert sampler.counts.numpy()[:2].tolist() == [2**61 - 3, 1]


def test_powers_above_the_limit():
    sampler = tfcs.LearnedUnigramSampler(CLASSES, counts=[2**60] + [0] * 5, distortion=0.75)
    message = (
        r"counts must not be negative.*\(raised to distortion = 0.75: to 2\^42\), got .*class 0"
    )
    refused(message, sampler.sample, 2)
    refused(message, sampler.update, [1])
    assert sampler.counts.numpy()[0] == 2**60


def test_counts_of_a_function_are_refused():
    @tf.function
    def make(counts):
        return tfcs.LearnedUnigramSampler(CLASSES, counts=counts)

    refused("counts must have values when the sampler is made", make, tf.constant(COUNTS))
