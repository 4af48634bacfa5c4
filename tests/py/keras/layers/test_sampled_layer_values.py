# SPDX-License-Identifier: Apache-2.0
"""SampledSoftmax and NCE: losses, gradients, metrics and inference, by the functions and by NumPy.

A copy of a layer's sampler draws what the layer is going to draw.
"""

import copy

import layer_cases as lcs
import numpy as np
import pytest
import tensorflow as tf

import tf_candsamp as tfcs

SIZE = 20
LABELS = lcs.skewed()
HIDDEN = lcs.hidden()
FUNCTIONS = {"SampledSoftmax": tfcs.sampled_softmax_loss, "NCE": tfcs.nce_loss}
every_layer = pytest.mark.parametrize("kind", lcs.SAMPLED)


def make(kind, **options):
    return lcs.randomized(getattr(lcs.layers, kind)(lcs.CLASSES, SIZE, **options))


def function_of(kind, layer, inputs, labels, **options):
    """What the functional loss returns for the candidates that the layer draws next."""
    return FUNCTIONS[kind](
        layer.table,
        layer.bias,
        labels,
        inputs,
        layer.num_sampled,
        lcs.CLASSES,
        labels.shape[1],
        sampler=copy.copy(layer.sampler),
        **options,
    )


LOGIT_OPTIONS = [
    {},
    {"temperature": 0.5},
    {"normalize": True, "temperature": 0.2},
    {"logit_softcap": 2.0},
    {"use_bias": False},
]
TRAINING_OPTIONS = [
    *((kind, options) for kind in lcs.SAMPLED for options in LOGIT_OPTIONS),
    ("SampledSoftmax", {"correction": "corrected_log_q"}),
    ("SampledSoftmax", {"correction": "none"}),
    ("NCE", {"positive_weight": 0.25}),
    *((kind, {"remove_accidental_hits": True}) for kind in lcs.SAMPLED),
    *((kind, {"remove_accidental_hits": False}) for kind in lcs.SAMPLED),
    *((kind, {"expected_count": "exact"}) for kind in lcs.SAMPLED),
    *((kind, {"recompute": True}) for kind in lcs.SAMPLED),
]


@pytest.mark.parametrize("kind, options", TRAINING_OPTIONS, ids=str)
def test_training_is_the_function(kind, options):
    layer = make(kind, sampler="learned_unigram", seed=1, **options)
    layer.sampler.update(LABELS)
    inputs = tf.constant(HIDDEN)
    function_options = {key: value for key, value in options.items() if key != "use_bias"}
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        want = function_of(kind, layer, inputs, LABELS[:, None], **function_options)
        mean = tf.reduce_mean(want)
    variables = [*lcs.tensorflow_variables(layer), inputs]
    exact = tape.gradient(mean, variables)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        losses = layer(inputs, labels=LABELS, training=True)
        (loss,) = layer.losses
    np.testing.assert_array_equal(losses, want)
    np.testing.assert_allclose(loss, mean, rtol=1e-6)
    for gradient, other in zip(tape.gradient(loss, variables), exact, strict=True):
        gradient, other = tf.convert_to_tensor(gradient), tf.convert_to_tensor(other)
        np.testing.assert_allclose(gradient, other, rtol=1e-5, atol=1e-8)
    assert lcs.reported(layer)["sampled_loss"] == pytest.approx(float(mean), rel=1e-5)


@every_layer
@pytest.mark.parametrize("options", LOGIT_OPTIONS, ids=str)
def test_sampled_accuracy(kind, options):
    """How often the label has the highest of the corrected logits, hits dropped."""
    layer = make(kind, remove_accidental_hits=True, seed=1, **options)
    sample = copy.copy(layer.sampler).sample(SIZE, LABELS[:, None])
    layer(HIDDEN, labels=LABELS, training=True)
    logits = lcs.all_logits(layer, HIDDEN)
    ids = sample.sampled_candidates.numpy()
    others = logits[:, ids] - np.log(sample.sampled_expected_count)
    others[LABELS[:, None] == ids] = -np.inf
    label = np.take_along_axis(logits, LABELS[:, None], 1) - np.log(sample.true_expected_count)
    want = (label[:, 0] > others.max(axis=1)).mean()
    assert 0 < want < 1
    assert lcs.reported(layer)["sampled_accuracy"] == pytest.approx(want)


@every_layer
@pytest.mark.parametrize("options", LOGIT_OPTIONS, ids=str)
@pytest.mark.parametrize("num_true", [1, 2])
def test_evaluation_is_exact(kind, num_true, options):
    layer = make(kind, top_k=[3, 10], **options)
    labels = np.stack([LABELS, (LABELS + 7) % lcs.CLASSES], axis=1)[:, :num_true]
    state = [v.numpy() for v in layer.sampler.variables]
    losses = layer(HIDDEN, labels=labels)
    logits = lcs.all_logits(layer, HIDDEN)
    want = lcs.nll(logits, labels)
    np.testing.assert_allclose(losses, want, rtol=2e-5, atol=2e-5)
    np.testing.assert_allclose(layer.losses[0], want.mean(), rtol=1e-5)
    rank = lcs.ranks(logits, labels)
    hits = {"accuracy": 1, "top_3_accuracy": 3, "top_10_accuracy": 10}
    want = {"nll": want.mean()} | {name: (rank < k).mean() for name, k in hits.items()}
    assert lcs.reported(layer) == pytest.approx(want, rel=1e-5)
    for variable, value in zip(layer.sampler.variables, state, strict=True):
        np.testing.assert_array_equal(variable, value)


@every_layer
def test_sampled_evaluation_draws_and_does_not_count(kind):
    layer = make(kind, evaluation="sampled", sampler="learned_unigram", seed=1)
    want = function_of(kind, layer, HIDDEN, LABELS[:, None])
    np.testing.assert_array_equal(layer(HIDDEN, labels=LABELS), want)
    assert set(lcs.reported(layer)) == {"sampled_loss", "sampled_accuracy"}
    assert layer.sampler.counts.numpy().sum() == 0
    layer(HIDDEN, labels=LABELS, training=True)
    np.testing.assert_array_equal(layer.sampler.counts, np.bincount(LABELS, minlength=lcs.CLASSES))


@every_layer
@pytest.mark.parametrize("training", [False, True])
def test_sequences(kind, training):
    """[B, L, D] with a mask and an ignored id is the batch of the positions that count."""
    shape = (8, 12)
    labels = LABELS.reshape(shape).copy()
    labels[:, :2] = -1
    mask = np.ones(shape, bool)
    mask[3:5, 7:] = False
    weights = lcs.random(8).random(shape).astype(np.float32)
    counts = mask & (labels >= 0)
    options = {"sampler": "learned_unigram", "seed": 1, "ignore_id": -1}
    layer, flat = (make(kind, **options) for _ in range(2))
    hidden = HIDDEN.reshape([*shape, -1])
    losses = layer(hidden, labels=labels, mask=mask, sample_weight=weights, training=training)
    want = flat(
        hidden[counts], labels=labels[counts], sample_weight=weights[counts], training=training
    )
    assert losses.shape == shape
    np.testing.assert_array_equal(losses.numpy()[counts], want)
    np.testing.assert_array_equal(losses.numpy()[~counts], 0)
    np.testing.assert_allclose(layer.losses[0], flat.losses[0], rtol=1e-6)
    assert lcs.reported(layer) == pytest.approx(lcs.reported(flat), rel=1e-6)
    np.testing.assert_array_equal(layer.sampler.counts, flat.sampler.counts)
    assert layer.sampler.counts.numpy().sum() == training * counts.sum()


@every_layer
def test_mask_of_an_embedding(kind):
    tokens = lcs.random(9).integers(0, 5, (6, 7))
    embedding = lcs.keras.layers.Embedding(5, lcs.DEPTH, mask_zero=True)
    hidden = embedding(tokens)
    layer = make(kind)
    losses = layer(hidden, labels=LABELS[:42].reshape(6, 7))
    want = layer(hidden, labels=LABELS[:42].reshape(6, 7), mask=tokens != 0)
    np.testing.assert_array_equal(losses, want)
    assert ((losses.numpy() == 0) == (tokens == 0)).all()


@every_layer
@pytest.mark.parametrize("options", LOGIT_OPTIONS, ids=str)
def test_inference(kind, options):
    layer = make(kind, **options)
    logits = lcs.all_logits(layer, HIDDEN)
    np.testing.assert_allclose(layer(HIDDEN), logits, rtol=2e-5, atol=2e-5)
    hidden = HIDDEN.reshape(8, 12, lcs.DEPTH)
    got = layer(hidden)
    assert got.shape == (8, 12, lcs.CLASSES)
    np.testing.assert_allclose(got, logits.reshape(got.shape), rtol=2e-5, atol=2e-5)
    values, indices = layer.top_k(HIDDEN, 5)
    order = np.argsort(-logits, axis=1)[:, :5]
    np.testing.assert_array_equal(indices, order)
    np.testing.assert_allclose(values, np.take_along_axis(logits, order, 1), rtol=2e-5, atol=2e-5)
    np.testing.assert_array_equal(layer.rank(HIDDEN, LABELS), lcs.ranks(logits, LABELS[:, None]))
    both = np.stack([LABELS, (LABELS + 7) % lcs.CLASSES], axis=1)
    want = [lcs.ranks(logits, column[:, None]) for column in both.T]
    np.testing.assert_array_equal(layer.rank(HIDDEN, both), np.stack(want, axis=1))


@every_layer
def test_excluded_classes_do_not_compete(kind):
    layer = make(kind)
    logits = lcs.all_logits(layer, HIDDEN)
    seen = lcs.rows_of_candidates(LABELS, with_labels=False)
    for i, row in enumerate(seen):
        logits[i, row] = -np.inf
    np.testing.assert_array_equal(
        layer.top_k(HIDDEN, 4, exclude=lcs.ragged(seen)).indices,
        np.argsort(-logits, axis=1)[:, :4],
    )
    np.testing.assert_array_equal(
        layer.rank(HIDDEN, LABELS, exclude=lcs.ragged(seen)), lcs.ranks(logits, LABELS[:, None])
    )


@every_layer
def test_a_table_with_more_rows_than_classes(kind):
    embedding = lcs.keras.layers.Embedding(lcs.CLASSES + 5, lcs.DEPTH)
    embedding.build(None)
    layer = make(kind, embedding=embedding)
    embedding.set_weights([lcs.random(3).normal(size=(lcs.CLASSES + 5, lcs.DEPTH))])
    logits = lcs.all_logits(layer, HIDDEN)
    assert logits.shape[1] == lcs.CLASSES
    np.testing.assert_allclose(layer(HIDDEN), logits, rtol=2e-5, atol=2e-5)
    want = lcs.nll(logits, LABELS[:, None])
    np.testing.assert_allclose(layer(HIDDEN, labels=LABELS), want, rtol=2e-5, atol=2e-5)
    np.testing.assert_array_equal(layer.top_k(HIDDEN, 1).indices[:, 0], logits.argmax(axis=1))
    assert np.isfinite(layer(HIDDEN, labels=LABELS, training=True)).all()


@every_layer
def test_empty_batch(kind):
    layer = make(kind)
    nobody, none = HIDDEN[:0], LABELS[:0]
    for training in (True, False):
        assert layer(nobody, labels=none, training=training).shape == [0]
        assert float(layer.losses[0]) == 0
        assert set(lcs.reported(layer).values()) == {0}
    assert layer(nobody).shape == [0, lcs.CLASSES]
    assert layer.top_k(nobody, 3).indices.shape == [0, 3]
    assert layer.rank(nobody, none).shape == [0]
    layer(HIDDEN, labels=LABELS, mask=np.zeros(lcs.ROWS, bool), training=True)
    assert float(layer.losses[0]) == 0


def test_initial_logits_have_the_scale_of_the_inputs():
    layer = lcs.layers.SampledSoftmax(20_000, 10)
    lcs.keras.utils.set_random_seed(1)
    layer.build((None, 64))
    # The variance of 20,000 x 64 uniform numbers, with a relative standard deviation of 0.001.
    assert np.var(layer.table) * 64 == pytest.approx(1, rel=0.01)
