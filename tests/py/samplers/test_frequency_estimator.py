# SPDX-License-Identifier: Apache-2.0
"""The frequency estimator: what it estimates, how fast it follows, and its state.

The formula itself and collisions are tested in tests/cc/frequencies.
"""

import threading

import numpy as np
import pytest
import tensorflow as tf
from calls import MODES, graph_function, refused

import tf_candsamp as tfcs

RANGE = 1000
ZIPF = 1 / (1.0 + np.arange(RANGE))
ZIPF /= ZIPF.sum()


def stream(p, ids, batch, seed=0):
    """Batches of ids that are drawn from p."""
    draws = np.random.default_rng(seed).choice(len(p), [ids // batch, batch], p=p)
    return [tf.constant(row) for row in draws]


def follow(estimator, batches):
    update = graph_function(estimator.update)
    for batch in batches:
        update(batch)


@pytest.mark.parametrize("learning_rate", [0.01, 0.05])
@pytest.mark.parametrize("batch", [500, 5000])
def test_a_stationary_stream(batch, learning_rate):
    """The relative deviation of one estimate is sqrt(rate / 2), that of a mean over 100 a tenth.

    The inverse of a gap is above 1 / its mean by rate / 2. Means fail at 4 deviations, 1 in 10^4.
    """
    estimator = tfcs.FrequencyEstimator(1 << 16, learning_rate=learning_rate)
    follow(estimator, stream(ZIPF, 500_000, batch))
    ratio = estimator.probability(np.arange(100)).numpy() / ZIPF[:100]
    deviation = np.sqrt(learning_rate / 2)
    assert abs(ratio.mean() - 1 - learning_rate / 2) < 4 * deviation / 10
    assert 0.6 * deviation < ratio.std() < 1.4 * deviation


def test_a_stream_that_changes():
    """The ids change places. After 20 / rate occurrences nothing is left of the old gaps.

    Ids that have become 1,000 times as rare come too seldom for that, and fade instead.
    """
    estimator = tfcs.FrequencyEstimator(1 << 16, learning_rate=0.05)
    follow(estimator, stream(ZIPF, 300_000, 500))
    reverse = ZIPF[::-1].copy()
    follow(estimator, stream(reverse, 300_000, 500, seed=1))
    now = estimator.probability(np.arange(RANGE)).numpy()
    ratio = now[-100:] / reverse[-100:]
    # 100 ids, each within 16%: their mean within 6.4% but for 1 in 10^4.
    assert abs(ratio.mean() - 1.025) < 0.064
    # Class 0 was one in 7.5 and is one in 7,500.
    assert now[0] < ZIPF[0] / 100


def test_ids_that_stay_away_fade():
    """After t ids without it, an id's probability is at most 10 / t."""
    estimator = tfcs.FrequencyEstimator(1000)
    follow(estimator, [tf.constant([1, 2])] * 100)
    assert abs(estimator.probability(1) - 0.5) < 1e-6
    follow(estimator, [tf.fill([1000], 2)] * 10)
    np.testing.assert_allclose(estimator.probability([1, 2]), [10 / 10_000, 1], rtol=1e-6)


def test_ids_that_came_once_or_never():
    """They are no more frequent than one in all ids; before any id the probability is 1."""
    estimator = tfcs.FrequencyEstimator(1 << 20)
    assert estimator.probability([5]).numpy() == [1]
    estimator.update([1, 2, 3, 4])
    np.testing.assert_array_equal(estimator.probability([1, 9]), [0.25, 0.25])
    assert np.isfinite(estimator.log_q([1, 9])).all()


def test_hashes_undo_collisions():
    """10,000 ids in 20,000 buckets: with one hash many rare ids share one with a frequent id."""
    p = 1 / (1.0 + np.arange(10_000))
    p /= p.sum()
    batches = stream(p, 400_000, 2000)
    rare = np.arange(500, 1500)  # that come 80 to 27 times
    errors = []
    for hashes in (1, 4):
        estimator = tfcs.FrequencyEstimator(20_000, num_hashes=hashes)
        follow(estimator, batches)
        ratio = estimator.probability(rare).numpy() / p[rare]
        errors.append(np.mean(ratio > 2))
    assert errors[0] > 0.02 and errors[1] < errors[0] / 4


@pytest.mark.parametrize("mode", MODES)
def test_forms(mode):
    """Ids of every integer type and shape; results have their shape, and log_q is a logarithm."""
    estimator = tfcs.FrequencyEstimator(100)
    for ids in ([[3, 4], [3, -1]], np.int8([3]), tf.constant(3, tf.uint16), [], tf.zeros([0, 2])):
        MODES[mode](lambda ids=ids: estimator.update(ids))()
    p = MODES[mode](lambda: estimator.probability([[3, 4], [3, -1]]))()
    log_q = MODES[mode](lambda: estimator.log_q(np.int16([[3, 4], [3, -1]])))()
    assert p.dtype == log_q.dtype == tf.float32
    np.testing.assert_allclose(tf.exp(log_q), p, rtol=1e-6)
    assert p.shape == [2, 2] and p[0, 0] == p[1, 0] > p[0, 1]


def test_threads_lose_nothing():
    estimator = tfcs.FrequencyEstimator(64)

    def work():
        for _ in range(300):
            estimator.update([1, 2, 3])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (state,) = estimator.variables
    assert state.numpy()[0] == 8 * 300 * 3
    np.testing.assert_allclose(estimator.probability([1, 2, 3]), [1 / 3] * 3, rtol=1e-6)


def test_a_reader_of_the_state_keeps_what_it_read():
    estimator = tfcs.FrequencyEstimator(10)
    (state,) = estimator.variables
    read = state.read_value()
    estimator.update([1, 2])
    assert not read.numpy().any() and state.numpy()[0] == 2


def test_checkpoint(tmp_path):
    batches = stream(ZIPF, 20_000, 500)
    estimator, other = (tfcs.FrequencyEstimator(5000) for _ in range(2))
    follow(estimator, batches[:20])
    path = tf.train.Checkpoint(e=estimator).write(str(tmp_path / "c"))
    tf.train.Checkpoint(e=other).read(path).assert_consumed()
    for e in (estimator, other):
        follow(e, batches[20:])
    ids = np.arange(RANGE)
    np.testing.assert_array_equal(other.probability(ids), estimator.probability(ids))

    larger = tfcs.FrequencyEstimator(5001)
    refused(
        "What was saved is a frequency-estimator of size 10000, .*left as it was",
        tf.train.Checkpoint(e=larger).read,
        path,
    )


def test_saved_model(tmp_path):
    module = tf.Module()
    module.estimator = tfcs.FrequencyEstimator(100)
    module.update = tf.function(
        module.estimator.update, input_signature=[tf.TensorSpec([None], tf.int64)]
    )
    module.log_q = tf.function(
        module.estimator.log_q, input_signature=[tf.TensorSpec([None], tf.int64)]
    )
    module.update([1, 1, 2])
    tf.saved_model.save(module, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    for m in (module, loaded):
        m.update([2, 2, 5])
    np.testing.assert_array_equal(loaded.log_q([1, 2, 5]), module.log_q([1, 2, 5]))


def test_keras_model(tmp_path):
    keras = pytest.importorskip("keras", minversion="3")

    @keras.saving.register_keras_serializable("test_frequency_estimator")
    class Layer(keras.layers.Layer):
        def __init__(self, **options):
            super().__init__(**options)
            self.estimator = tfcs.FrequencyEstimator(100, learning_rate=0.05)

        def call(self, ids):
            self.estimator.update(ids)
            return self.estimator.probability(ids)

    ids = keras.Input([], dtype="int64")
    model = keras.Model(ids, Layer()(ids))
    model.predict(np.array([1, 1, 2, 1]), verbose=0)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    for m in (model, loaded):
        assert len(m.layers[-1].estimator.weights) == 1
    batch = np.array([2, 1, 7])
    np.testing.assert_array_equal(loaded.predict(batch, verbose=0), model.predict(batch, verbose=0))


def test_config():
    estimator = tfcs.FrequencyEstimator(100, num_hashes=3, learning_rate=0.5, name="e")
    other = tfcs.FrequencyEstimator.from_config(estimator.get_config())
    assert other.get_config() == estimator.get_config()


def test_in_a_graph_of_tensorflow_1():
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        estimator = tfcs.FrequencyEstimator(100)
        update, p = estimator.update([1, 1, 2, 3]), estimator.probability([1, 2])
        session.run(tf.compat.v1.global_variables_initializer())
        session.run(update)
        np.testing.assert_array_equal(session.run(p), [0.5, 0.25])


@pytest.mark.parametrize(
    "options, message",
    [
        ({"num_buckets": 0}, "num_buckets must be positive, got 0"),
        ({"num_buckets": 1.5}, "num_buckets must be an integer, got 1.5"),
        ({"num_hashes": 17}, "num_hashes must be at most 16, got 17"),
        ({"num_buckets": 2**30}, r"num_buckets times num_hashes must be less than 2\^31, got 2147"),
        ({"learning_rate": 0}, "learning_rate must be above 0, got 0"),
        ({"learning_rate": 1.5}, r"learning_rate must be in \[0, 1\], got 1.5"),
    ],
    ids=lambda value: "",
)
def test_refused(options, message):
    refused(message, tfcs.FrequencyEstimator, **{"num_buckets": 10, **options})


def test_ids_that_are_refused():
    estimator = tfcs.FrequencyEstimator(10)
    for function in (estimator.update, estimator.probability, estimator.log_q):
        refused("ids must be of an integer type, got float", function, [0.5])
        refused("ids must be a dense tensor", function, tf.ragged.constant([[1], []]))


def test_a_state_of_another_size_is_refused():
    estimator = tfcs.FrequencyEstimator(10)
    (state,) = estimator.variables
    other = tf.Variable(state[:-1])
    estimator._state = other
    message = r"state must be int64 \[41\] for 2 hashes of 10 buckets, got int64 of shape \[40\]"
    refused(message, estimator.update, [1])
    refused(message, estimator.probability, [1])
