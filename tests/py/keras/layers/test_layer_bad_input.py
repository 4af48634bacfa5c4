# SPDX-License-Identifier: Apache-2.0
"""What the layers refuse: the error names the argument, what it got and what it expected."""

import layer_cases as lcs
import numpy as np
import pytest
import tensorflow as tf

import tf_candsamp as tfcs

keras, layers = lcs.keras, lcs.layers
HIDDEN, LABELS = lcs.hidden(4), np.array([3, 1, 2, 0])
ROWS = lcs.ragged([[3, 4], [1], [2, 5], [0, 1]])


def made(kind, **options):
    if kind == "RaggedSampledSoftmax":
        return layers.RaggedSampledSoftmax(lcs.CLASSES, **options)
    return getattr(layers, kind)(lcs.CLASSES, 10, **options)


def arguments(kind):
    return (ROWS,) if kind == "RaggedSampledSoftmax" else ()


every_layer = pytest.mark.parametrize("kind", [*lcs.SAMPLED, "RaggedSampledSoftmax"])


@every_layer
@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"temperature_": 1}, (TypeError, ValueError), "temperature_"),
        ({"top_k": 0}, ValueError, "top_k must be positive, got 0"),
        ({"top_k": [1, 61]}, ValueError, "top_k must be at most num_classes = 60, got 61"),
        ({"embedding": tf.zeros([60, 8])}, TypeError, "must be a keras.layers.Embedding"),
        (
            {"embedding": keras.layers.Embedding(59, 8)},
            ValueError,
            "a row for each of num_classes = 60 classes, got input_dim 59",
        ),
    ],
)
def test_options(kind, options, error, message):
    with pytest.raises(error, match=message):
        made(kind, **options)


@pytest.mark.parametrize("kind", lcs.SAMPLED)
@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"num_sampled": 0}, ValueError, "num_sampled must be positive, got 0"),
        ({"num_sampled": 61}, ValueError, "num_sampled must be at most num_classes = 60.*got 61"),
        ({"num_sampled": 2.5}, TypeError, "num_sampled must be an integer"),
        ({"num_classes": 0, "num_sampled": 1}, ValueError, "num_classes must be positive, got 0"),
        ({"sampler": "zipf"}, TypeError, "sampler must be one of 'learned_unigram'.*got 'zipf'"),
        ({"sampler": None}, TypeError, "sampler must be one of"),
        (
            {"sampler": tfcs.UniformSampler(59)},
            ValueError,
            "must draw from num_classes = 60 classes, got one with range_max 59",
        ),
        ({"sampler": tfcs.UniformSampler(60), "seed": 1}, ValueError, "seed must be None"),
        ({"evaluation": "quick"}, ValueError, "evaluation must be 'exact' or 'sampled'"),
    ],
)
def test_options_of_sampled_layers(kind, options, error, message):
    with pytest.raises(error, match=message):
        getattr(layers, kind)(**({"num_classes": 60, "num_sampled": 10} | options))


def test_missing_label_must_be_known():
    with pytest.raises(ValueError, match="missing_label must be one of 'refuse', 'miss', 'join'"):
        layers.RaggedSampledSoftmax(60, missing_label="ignore")


@every_layer
def test_no_labels_in_training(kind):
    layer = made(kind)
    with pytest.raises(ValueError, match="labels must be given in training"):
        layer(HIDDEN, *arguments(kind), training=True)


@pytest.mark.parametrize("kind", lcs.SAMPLED)
def test_fit_of_a_model_without_labels(kind):
    inputs = keras.Input([lcs.DEPTH])
    model = keras.Model(inputs, made(kind)(inputs))
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="labels must be given in training"):
        model.fit(HIDDEN, np.zeros([4, lcs.CLASSES]), verbose=0)


@every_layer
@pytest.mark.parametrize(
    "inputs, labels, options, error, message",
    [
        (HIDDEN, LABELS.astype(np.float32), {}, TypeError, "labels must be of an integer type"),
        (HIDDEN, LABELS[:3], {}, ValueError, "labels must have the shape of inputs without"),
        (HIDDEN, LABELS[:, None, None], {}, ValueError, "labels must have the shape"),
        (HIDDEN.astype(np.int32), LABELS, {}, TypeError, "inputs must be of a float type"),
        (HIDDEN[0], LABELS, {}, ValueError, r"inputs must have shape \[B, D\] or \[B, L, D\]"),
        (HIDDEN[:, :5], LABELS, {}, ValueError, "the depth of the table's rows, 8, got shape"),
        (HIDDEN, LABELS, {"mask": np.ones(3, bool)}, ValueError, "mask must have the shape"),
        (HIDDEN, LABELS, {"sample_weight": np.ones(3)}, ValueError, "sample_weight must have"),
        (HIDDEN, LABELS, {"sample_weight": np.ones([4, 2])}, ValueError, "sample_weight must"),
    ],
    ids=lambda value: str(getattr(value, "shape", value)),
)
def test_call(kind, inputs, labels, options, error, message):
    layer = made(kind)
    layer.build((None, lcs.DEPTH))
    with pytest.raises(error, match=message):
        layer(inputs, *arguments(kind), labels=labels, **options)


@every_layer
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("label", [-1, lcs.CLASSES])
def test_labels_out_of_range(kind, label, training):
    layer = made(kind, **({"missing_label": "join"} if kind not in lcs.SAMPLED else {}))
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=f"(labels|true_classes) .*got {label} in row 2"
    ):
        layer(HIDDEN, *arguments(kind), labels=[3, 1, label, 0], training=training)


@pytest.mark.parametrize("candidate", [-1, lcs.CLASSES])
def test_candidates_out_of_range(candidate):
    layer = made("RaggedSampledSoftmax")
    for labels in (None, LABELS):
        with pytest.raises(tf.errors.InvalidArgumentError, match=f"got {candidate} in row 3"):
            layer(HIDDEN, lcs.ragged([[3, 4], [1], [2, 5], [0, candidate]]), labels=labels)


def test_candidates_of_another_number_of_rows():
    layer = made("RaggedSampledSoftmax")
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError), match="rows"):
        layer(HIDDEN, lcs.ragged([[3, 4], [1]]))
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
        layer(HIDDEN, lcs.ragged([[3, 4], [1]]), labels=LABELS)


@every_layer
@pytest.mark.parametrize("k", [0, lcs.CLASSES + 1])
def test_top_k(kind, k):
    layer = made(kind)
    layer.build((None, lcs.DEPTH))
    expected = "k must be positive, got 0" if k == 0 else "k must be at most num_classes = 60"
    with pytest.raises(ValueError, match=expected):
        layer.top_k(HIDDEN, *arguments(kind), k)


@pytest.mark.parametrize("kind", lcs.SAMPLED)
@pytest.mark.parametrize("size, error", [(0, ValueError), (61, ValueError), ("9", TypeError)])
def test_num_sampled_that_is_assigned(kind, size, error):
    layer = made(kind)
    with pytest.raises(error, match="num_sampled must be"):
        layer.num_sampled = size
    assert layer.num_sampled == 10
    layer = made(kind, sampler=tfcs.UniformSampler(lcs.CLASSES, unique=False))
    layer.num_sampled = 61
    assert layer.num_sampled == 61


@every_layer
def test_inputs_of_unknown_depth(kind):
    with pytest.raises(ValueError, match="inputs must have a known depth"):
        made(kind).build((None, None))


@every_layer
def test_dtypes(kind):
    with pytest.raises(TypeError, match="dtype must be one of float32, float64"):
        made(kind, dtype="int32").build((None, 8))
    embedding = keras.layers.Embedding(lcs.CLASSES, 8, dtype="float64")
    with pytest.raises(TypeError, match="table must be of type float32, .*got float64"):
        made(kind, embedding=embedding).build((None, 8))
    embedding = keras.layers.Embedding(lcs.CLASSES, 8, dtype="bfloat16")
    with pytest.raises(TypeError, match="table must be of type float32, .*got bfloat16"):
        made(kind, embedding=embedding).build((None, 8))


@every_layer
def test_embedding_of_another_depth(kind):
    with pytest.raises(ValueError, match="depth of the embedding's rows, 5, got 8"):
        made(kind, embedding=keras.layers.Embedding(lcs.CLASSES, 5)).build((None, 8))


def test_export_needs_a_functional_model():
    with pytest.raises(TypeError, match="model must be a functional Keras model"):
        tfcs.keras.export(made("NCE"), "nowhere")


def test_keras_has_no_other_parts():
    with pytest.raises(AttributeError, match="no attribute 'models'"):
        _ = tfcs.keras.models
    with pytest.raises(AttributeError, match="no attribute 'keras_'"):
        _ = tfcs.keras_
