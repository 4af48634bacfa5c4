# SPDX-License-Identifier: Apache-2.0
"""The differences from TensorFlow that docs/moving_from_tf_nn.md lists, by running both.

A test that fails on TensorFlow's side means that a row of the page has become untrue.
"""

import contextlib

import numpy as np
import pytest
import tensorflow as tf

import tf_candsamp as tfcs

CLASSES, DEPTH, ROWS, SAMPLED = 50, 8, 4, 6
TF_ERRORS = (tf.errors.InvalidArgumentError, TypeError, ValueError, AttributeError)
ERRORS = (tf.errors.InvalidArgumentError, TypeError, ValueError)
BOTH = pytest.mark.parametrize("nn", [tf.nn, tfcs], ids=["tf", "ours"])


def loss(nn, function="sampled_softmax_loss", **changes):
    random = np.random.default_rng(0)
    given = {
        "weights": tf.constant(random.normal(size=[CLASSES, DEPTH]), tf.float32),
        "biases": tf.constant(random.normal(size=[CLASSES]), tf.float32),
        "labels": tf.constant([[1], [2], [3], [4]], tf.int64),
        "inputs": tf.constant(random.normal(size=[ROWS, DEPTH]), tf.float32),
        "num_sampled": SAMPLED,
        "num_classes": CLASSES,
        "sampled_values": candidates(1, 2, 7, 8, 9, 10),
    }
    for name, change in changes.items():
        given[name] = change(given[name]) if callable(change) and name in given else change
    return getattr(nn, function)(**given)


def candidates(*ids, dtype=tf.float32, true_count=0.5, count=0.25):
    return (
        tf.constant(ids, tf.int64),
        tf.cast(tf.fill([ROWS, 1], true_count), dtype),
        tf.cast(tf.fill([len(ids)], count), dtype),
    )


def as_type(dtype, *names):
    return dict.fromkeys(names or ("weights", "biases", "inputs"), lambda x: tf.cast(x, dtype))


def refused(errors, call, *arguments, **options):
    with pytest.raises(errors):
        call(*arguments, **options)


@pytest.mark.parametrize("dtype", [tf.float64, tf.bfloat16, tf.float16], ids=lambda t: t.name)
def test_types_with_the_default_sampler(dtype):
    options = {"sampled_values": None, **as_type(dtype)}
    refused(TF_ERRORS, loss, tf.nn, **options)
    assert np.isfinite(tf.cast(loss(tfcs, **options), tf.float32)).all()


def test_half_inputs_over_float32_tables():
    options = as_type(tf.bfloat16, "inputs")
    refused(TF_ERRORS, loss, tf.nn, **options)
    assert loss(tfcs, **options).shape == [ROWS]


@pytest.mark.parametrize("dtype", [tf.bfloat16, tf.float16], ids=lambda t: t.name)
def test_hits_in_half_types(dtype):
    options = {"sampled_values": candidates(1, 2, 7, 8, 9, 10, dtype=dtype), **as_type(dtype)}
    assert np.isnan(tf.cast(loss(tf.nn, **options), tf.float32)[:2]).all()
    ours = loss(tfcs, **options)
    assert ours.dtype == tf.float32
    np.testing.assert_allclose(ours, loss(tf.nn), rtol=0.05)


def test_hits_that_were_drawn_twice():
    once, twice = ({"sampled_values": candidates(1, c, 7, 8, 9, 10)} for c in (30, 1))
    without = loss(tfcs, num_sampled=4, sampled_values=candidates(7, 8, 9, 10))[0]
    np.testing.assert_allclose(loss(tfcs, **twice)[0], without, rtol=1e-6)
    assert loss(tf.nn, **twice)[0] > without + 1e-3
    np.testing.assert_allclose(loss(tfcs, **once), loss(tf.nn, **once), rtol=1e-5)
    arguments = tf.constant([[2]], tf.int64), tf.constant([2, 5, 2], tf.int64), 1
    assert tf.nn.compute_accidental_hits(*arguments)[1].numpy().tolist() == [2]
    assert tfcs.compute_accidental_hits(*arguments)[1].numpy().tolist() == [0, 2]


def test_bias_of_minus_infinity():
    options = {"biases": lambda b: tf.tensor_scatter_nd_update(b, [[7]], [-np.inf])}
    assert np.isnan(loss(tf.nn, **options)).all()
    masked = loss(tfcs, num_sampled=5, sampled_values=candidates(1, 2, 8, 9, 10))
    np.testing.assert_allclose(loss(tfcs, **options), masked, rtol=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"biases": None},
        {"labels": [[1], [2], [3], [4]]},
        {"inputs": lambda x: x.numpy().tolist()},
        {"weights": lambda w: [w[:10], w[10:]]},
        {"function": "nce_loss", "sampled_values": None, "seed": 1},
        {"weights": lambda w: [w[0::2], w[1::2]], "partition_strategy": "mod"},
    ],
    ids=lambda options: next(iter(options)),
)
def test_what_tensorflow_refuses(options):
    refused(TF_ERRORS, loss, tf.nn, **options)
    assert loss(tfcs, **options).shape == [ROWS]


def test_shards_of_other_sizes_are_other_classes_to_tensorflow():
    uneven = {"weights": lambda w: [w[:26], w[26:]], "biases": lambda b: [b[:20], b[20:]]}
    np.testing.assert_allclose(loss(tfcs, **uneven), loss(tfcs), rtol=1e-6)
    far = {"labels": lambda y: y + 20, **uneven}  # 21 to 24: the second shard of biases
    with contextlib.suppress(tf.errors.InvalidArgumentError):
        assert np.abs(loss(tf.nn, **far) - loss(tfcs, **far)).max() > 1e-3


@pytest.mark.parametrize("value", [0.0, np.nan, -1.0, np.inf])
def test_expected_counts_without_a_finite_log(value):
    options = {"sampled_values": candidates(1, 2, 7, 8, 9, 10, true_count=value)}
    assert not np.isfinite(loss(tf.nn, **options)).any()
    refused(tf.errors.InvalidArgumentError, loss, tfcs, **options)


def test_labels_that_the_sampler_cannot_draw():
    labels = [[0], [1]]
    drawn = tfcs.fixed_unigram_candidate_sampler(labels, 1, 1, True, 2, unigrams=[0.0, 1.0], seed=1)
    assert drawn.true_expected_count.numpy().tolist() == [[0.0], [1.0]]


@pytest.mark.parametrize(
    "options",
    [
        {"labels": lambda y: y[:, 0], "remove_accidental_hits": False},
        {"labels": lambda y: tf.cast(y > 1, tf.bool)},
        {"num_sampled": 3, "remove_accidental_hits": False},
        {"num_sampled": None, "remove_accidental_hits": False},
        {"biases": lambda b: b[:45]},
        {"num_classes": CLASSES + 1},
        {"num_classes": 50.5},
    ],
    ids=["vector", "bool", "other number", "no number", "few biases", "few rows", "float"],
)
def test_what_tensorflow_takes(options):
    assert loss(tf.nn, **options).shape == [ROWS]
    refused(ERRORS, loss, tfcs, **options)


@BOTH
def test_class_ids_out_of_range_are_errors_on_a_cpu(nn):
    for options in ({"labels": lambda y: y + 49}, {"sampled_values": candidates(*range(45, 51))}):
        refused(tf.errors.InvalidArgumentError, loss, nn, **options)


def slices(nn, *functions):
    table = tf.Variable(tf.random.stateless_normal([CLASSES, DEPTH], [1, 2]))
    with tf.GradientTape() as tape:
        total = sum(
            tf.reduce_sum(loss(nn, function, weights=table, labels=tf.ones_like))
            for function in functions
        )
    return tape.gradient(total, table)


def test_gradient_slices():
    theirs, ours = (slices(nn, "nce_loss") for nn in (tf.nn, tfcs))
    assert sorted(theirs.indices.numpy()) == [1, 1, 1, 1, 1, 2, 7, 8, 9, 10]
    assert sorted(ours.indices.numpy()) == [1, 2, 7, 8, 9, 10]
    dense = tf.convert_to_tensor(theirs)
    np.testing.assert_allclose(tf.convert_to_tensor(ours), dense, rtol=1e-4, atol=1e-6)
    norm = tf.linalg.global_norm([dense])
    np.testing.assert_allclose(tf.linalg.global_norm([ours]), norm, rtol=1e-5)
    assert abs(tf.linalg.global_norm([theirs]) - norm) > 0.01 * norm


def test_slices_of_two_losses_on_one_table_are_joined():
    indices = slices(tfcs, "nce_loss", "sampled_softmax_loss").indices.numpy()
    assert sorted(indices) == sorted([1, 2, 7, 8, 9, 10] * 2)


def second_derivative(nn, x):
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = loss(nn, inputs=x)
        square = tf.reduce_sum(tape.gradient(value, x) ** 2)
    return outer.gradient(square, x)


def forward_mode(nn, x):
    with tf.autodiff.ForwardAccumulator(x, tf.ones_like(x)) as accumulator:
        value = loss(nn, inputs=x)
    return accumulator.jvp(value)


def vectorized(nn, x, **options):
    return tf.vectorized_map(lambda x: loss(nn, inputs=x), tf.stack([x, 2 * x]), **options)


INPUTS = tf.random.stateless_normal([ROWS, DEPTH], [3, 4])


@pytest.mark.parametrize(
    "derivative, errors",
    [
        (second_derivative, tf.errors.UnimplementedError),
        (forward_mode, (tf.errors.UnimplementedError, AttributeError)),
    ],
)
def test_derivatives_that_are_not_here(derivative, errors):
    derivative(tf.nn, INPUTS)
    refused(errors, derivative, tfcs, INPUTS)


def test_vectorized_map_is_a_loop():
    refused(ValueError, vectorized, tfcs, INPUTS, fallback_to_while_loop=False)
    theirs = vectorized(tf.nn, INPUTS, fallback_to_while_loop=False)
    np.testing.assert_allclose(vectorized(tfcs, INPUTS), theirs, rtol=1e-5)


def draw(nn, kind="uniform", **changes):
    random = tf.random if nn is tf.nn else nn
    given = {"true_classes": [[1]], "num_true": 1, "num_sampled": 2, "unique": True}
    given |= {"range_max": 4, "seed": 1} | changes
    return getattr(random, f"{kind}_candidate_sampler")(**given)


def test_int32_classes():
    classes = {"true_classes": tf.constant([[1]])}
    refused(TF_ERRORS, draw, tf.nn, **classes)
    draw(tfcs, **classes)
    hits = tf.constant([[2]]), tf.constant([2, 5]), 1
    refused(TF_ERRORS, tf.nn.compute_accidental_hits, *hits)
    tfcs.compute_accidental_hits(*hits)


@pytest.mark.parametrize("changes", [{"num_sampled": 2.0}, {"seed": 1.5}], ids=str)
def test_floats_for_integers(changes):
    draw(tf.nn, **changes)
    refused(TypeError, draw, tfcs, **changes)


@pytest.mark.parametrize("unigrams", [[-0.1, 0.2, 0.3, 0.4], [np.nan, 1.0, 1.0, 1.0], [0.0] * 4])
def test_bad_unigrams(unigrams):
    draw(tf.nn, "fixed_unigram", unigrams=unigrams, unique=False)
    refused(ERRORS, draw, tfcs, "fixed_unigram", unigrams=unigrams, unique=False)


def test_unigrams_of_a_shard_beside_reserved_ids():
    """Of the ids 0 (reserved) to 4 shard 1 has 1 and 3, of weights 0.1 and 0.3."""
    shard = {"num_reserved_ids": 1, "num_shards": 2, "shard": 1, "range_max": 2}
    options = {"unigrams": [0.1, 0.2, 0.3, 0.4], "unique": False, **shard}
    np.testing.assert_allclose(draw(tfcs, "fixed_unigram", **options)[1], [[1.5]], rtol=1e-6)
    assert abs(draw(tf.nn, "fixed_unigram", **options)[1].numpy() - 1.5) > 0.1


def test_unigrams_as_a_tensor():
    options = {"unigrams": tf.constant([0.1, 0.2, 0.3, 0.4])}
    refused(TF_ERRORS, draw, tf.nn, "fixed_unigram", **options)
    draw(tfcs, "fixed_unigram", **options)


def test_probabilities_of_many_unigrams():
    weights = 1 / np.arange(1.0, 1e5 + 1)
    options = {"unigrams": weights.tolist(), "range_max": len(weights), "unique": False}
    options |= {"true_classes": [[0]], "num_sampled": 1}
    ours, theirs = (float(draw(nn, "fixed_unigram", **options)[1][0, 0]) for nn in (tfcs, tf.nn))
    exact = 1 / weights.astype(np.float32).sum(dtype=np.float64)
    assert abs(ours / exact - 1) < 1e-7 < 1e-6 < abs(theirs / exact - 1)


@pytest.mark.parametrize("size, repeats", [(2**20, False), (2**21, True)])
def test_random_words_of_large_calls(size, repeats):
    def calls(random):
        function = tf.function(
            lambda: random.uniform_candidate_sampler([[1]], 1, size, False, 2**40, seed=3)[0]
        )
        return function().numpy(), function().numpy()

    (ours, ours_next), (theirs, theirs_next) = calls(tfcs), calls(tf.random)
    np.testing.assert_array_equal(ours, theirs)
    assert (ours_next != theirs_next).any() and (ours_next != ours).any()
    assert (theirs_next == theirs).all() == repeats


def test_functions_share_learned_counts():
    def probability_after(random):
        def function(labels):
            return tf.function(
                lambda: random.learned_unigram_candidate_sampler(
                    labels, 1, 1, False, 11, seed=9, name="shared"
                ).true_expected_count[0, 0]
            )

        function(tf.zeros([1000, 1], tf.int64))()
        return float(function(tf.zeros([1, 1], tf.int64))())

    assert probability_after(tf.random) == pytest.approx(1 / 11)
    assert probability_after(tfcs) == pytest.approx(1001 / 1011)


def test_learned_counts_in_eager_mode_with_a_global_seed():
    def probability_after(random):
        tf.random.set_seed(5)
        for _ in range(3):
            sample = random.learned_unigram_candidate_sampler(
                tf.zeros([100, 1], tf.int64), 1, 1, False, 12, name="eager"
            )
        return float(sample.true_expected_count[0, 0])

    assert probability_after(tf.random) == pytest.approx(1 / 12)
    assert probability_after(tfcs) == pytest.approx(201 / 212)


def test_set_seed_keeps_learned_counts():
    """TensorFlow drops them with the stream."""

    def probabilities(random):
        found = []
        for _ in range(2):
            tf.random.set_seed(6)
            sample = random.learned_unigram_candidate_sampler(
                tf.zeros([100, 1], tf.int64), 1, 1, False, 13, seed=1, name="kept"
            )
            found.append(float(sample.true_expected_count[0, 0]))
        return found

    assert probabilities(tf.random) == pytest.approx([1 / 13, 1 / 13])
    assert probabilities(tfcs) == pytest.approx([1 / 13, 101 / 113])
