# SPDX-License-Identifier: Apache-2.0
"""What is saved of the layers, and goes on exactly: files, checkpoints, copies.

For the Keras that tf.keras is; test_layer_keras_choice.py runs these tests with Keras 2.
"""

import layer_cases as lcs
import numpy as np
import pytest
import tensorflow as tf
from layer_models import data, make, model_of

import tf_candsamp as tfcs

keras, layers = lcs.keras, lcs.layers
every_layer = pytest.mark.parametrize("kind", [*lcs.SAMPLED, "RaggedSampledSoftmax"])


def fit(model, kind, epochs=1):
    return model.fit(data(kind), epochs=epochs, verbose=0, shuffle=False).history


def layer_of(model):
    (found,) = (layer for layer in model.layers if hasattr(layer, "num_classes"))
    return found


def trained(kind, **options):
    """A model in the middle of its training; a learned sampler has counted."""
    sampler = {} if kind == "RaggedSampledSoftmax" else {"sampler": "learned_unigram"}
    model, _, _ = model_of(make(kind, **sampler, **options))
    fit(model, kind)
    if sampler:
        layer_of(model).num_sampled = 15
    return model


@every_layer
def test_keras_file_continues(kind, tmp_path):
    model = trained(kind, top_k=[2])
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    layer = layer_of(loaded)
    assert type(layer) is type(layer_of(model))
    if kind != "RaggedSampledSoftmax":
        assert layer.num_sampled == 15
        assert layer.sampler.counts.numpy().sum() == lcs.ROWS
    assert fit(loaded, kind, 2) == fit(model, kind, 2)
    for variable, other in zip(loaded.weights, model.weights, strict=True):
        np.testing.assert_array_equal(variable, other)


@pytest.mark.parametrize("save", ["weights", "checkpoint", "set_weights"])
def test_weights_continue(save, tmp_path):
    kind = "SampledSoftmax"
    model, other = trained(kind), trained(kind)
    fit(other, kind)  # what it learns here is undone
    if save == "weights":
        model.save_weights(tmp_path / "m.weights.h5")
        other.load_weights(tmp_path / "m.weights.h5")
    elif save == "checkpoint":
        path = tf.train.Checkpoint(model=model).save(tmp_path / "c")
        tf.train.Checkpoint(model=other).restore(path)
    else:
        other.set_weights(model.get_weights())
        states = (m.optimizer.variables for m in (other, model))
        if not lcs.KERAS_3:
            states = (variables() for variables in states)
        for variable, value in zip(*states, strict=True):
            variable.assign(value)
    assert fit(other, kind) == fit(model, kind)


OPTIONS = {
    "use_bias": False,
    "bias_initializer": "ones",
    "table_initializer": "zeros",
    "temperature": 0.5,
    "normalize": True,
    "logit_softcap": 30.0,
    "ignore_id": -1,
    "top_k": [3, 7],
    "metric_prefix": "p_",
    "name": "classes",
    "dtype": "mixed_bfloat16",
}
SAMPLED_OPTIONS = {
    "num_sampled": 12,
    "expected_count": "exact",
    "remove_accidental_hits": None,
    "recompute": True,
    "evaluation": "sampled",
}


@pytest.mark.parametrize(
    "kind, options",
    [
        ("SampledSoftmax", SAMPLED_OPTIONS | {"correction": "none"}),
        ("NCE", SAMPLED_OPTIONS | {"positive_weight": 0.5}),
        ("RaggedSampledSoftmax", {"missing_label": "miss"}),
    ],
)
def test_config(kind, options):
    make_layer = getattr(layers, kind)
    if "remove_accidental_hits" in options:
        options["remove_accidental_hits"] = kind == "NCE"  # what is not the default
    layer = make_layer(num_classes=60, **OPTIONS, **options)
    config = layer.get_config()
    copy = make_layer.from_config(config)
    assert {**copy.get_config(), "sampler": 0} == {**config, "sampler": 0}
    for name, value in {**OPTIONS, **options}.items():
        if name in ("bias_initializer", "table_initializer"):
            value = {"ones": "Ones", "zeros": "Zeros"}[value]
            assert value in str(config[name])
        elif name == "dtype":
            assert copy.compute_dtype == "bfloat16"
        else:
            assert config[name] == value, name


@pytest.mark.parametrize("kind", lcs.SAMPLED)
def test_config_of_samplers(kind):
    weights = np.arange(1.0, 61)
    for sampler in (tfcs.FixedUnigramSampler(weights, unique=False), "uniform"):
        layer = getattr(layers, kind)(60, 10, sampler=sampler)
        copy = type(layer).from_config(layer.get_config())
        assert type(copy.sampler) is type(layer.sampler)
        assert copy.sampler.unique == layer.sampler.unique
    copy = type(layer).from_config(
        getattr(layers, kind)(60, 10, sampler=tfcs.FixedUnigramSampler(weights)).get_config()
    )
    np.testing.assert_array_equal(copy.sampler.unigrams, weights)


def tied_model():
    """A language model whose softmax has the table of its embedding."""
    keras.utils.set_random_seed(1)
    words = keras.Input([7], dtype="int64", name="words")
    following = keras.Input([7], dtype="int64", name="following")
    embedding = keras.layers.Embedding(lcs.CLASSES, lcs.DEPTH, mask_zero=True, name="embedding")
    hidden = keras.layers.GRU(lcs.DEPTH, return_sequences=True)(embedding(words))
    layer = layers.SampledSoftmax(lcs.CLASSES, 20, embedding=embedding, seed=1)
    model = keras.Model([words, following], layer(hidden, labels=following))
    model.compile(keras.optimizers.Adam(0.01))
    return model


def sentences():
    words = lcs.random(6).integers(1, lcs.CLASSES, (32, 8))
    words[:, 6:] *= lcs.random(7).integers(0, 2, (32, 2))
    return [words[:, :-1], words[:, 1:]]


def fit_tied(model):
    return model.fit(sentences(), epochs=2, verbose=0, shuffle=False).history["loss"]


def is_tied(model):
    layer = layer_of(model)
    assert len(model.trainable_variables) == 5  # embeddings, three of the GRU, bias
    return layer.embedding is model.get_layer("embedding")


def test_tied_embedding(tmp_path):
    model = tied_model()
    before = model.get_layer("embedding").get_weights()[0]
    fit_tied(model)
    assert is_tied(model)
    assert len(layer_of(model).trainable_variables) == 2
    # Rows of words that are neither input nor drawn nor label are the only ones that stay.
    assert (before != model.get_layer("embedding").get_weights()[0]).any(axis=1).mean() > 0.9
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert is_tied(loaded)
    assert fit_tied(loaded) == fit_tied(model)


def test_copies_of_a_model_are_tied_to_their_own_embedding():
    model = tied_model()
    for copy in (
        keras.models.clone_model(model),
        keras.Model.from_config(model.get_config()),
    ):
        assert is_tied(copy)
        assert layer_of(copy).embedding is not model.get_layer("embedding")
        copy.set_weights(model.get_weights())
        np.testing.assert_array_equal(copy(sentences()), model(sentences()))


def test_a_layer_that_cannot_find_its_embedding():
    layer = layer_of(tied_model())
    copy = type(layer).from_config(layer.get_config())
    with pytest.raises(ValueError, match="embedding must be the layer 'embedding' of the model"):
        copy(lcs.hidden())
    copy = type(layer).from_config(layer.get_config())
    copy.embedding = layer.embedding
    copy(lcs.hidden())
    assert copy.table is layer.table


@pytest.mark.parametrize("kind", ["SampledSoftmax", "RaggedSampledSoftmax"])
def test_exported_scores(kind, tmp_path):
    """A model without labels; the ragged one by values and row splits."""
    _, scorer, _ = model_of(make(kind))
    x = lcs.features(lcs.skewed())
    name = scorer.output_names[0]
    tfcs.keras.export(scorer, tmp_path)
    signature = tf.saved_model.load(str(tmp_path)).signatures["serve"]
    if kind == "RaggedSampledSoftmax":
        rows = lcs.ragged(lcs.rows_of_candidates(lcs.skewed()))
        got = signature(x=tf.constant(x), moves=rows.values, moves_row_splits=rows.row_splits)
        want = scorer([tf.constant(x), rows])
        np.testing.assert_array_equal(got[name], want.values)
        np.testing.assert_array_equal(got[f"{name}_row_splits"], want.row_splits)
    else:
        np.testing.assert_allclose(signature(x=tf.constant(x))[name], scorer(x), rtol=1e-6)


@pytest.mark.skipif(not lcs.KERAS_3, reason="the signatures of Keras 2 are others")
@pytest.mark.parametrize("kind", ["SampledSoftmax", "RaggedSampledSoftmax"])
def test_model_export(kind, tmp_path):
    """Keras writes a dense signature for ragged candidates: they are padded with -1."""
    _, scorer, _ = model_of(make(kind))
    x = tf.constant(lcs.features(lcs.skewed()))
    scorer.export(str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    if kind == "RaggedSampledSoftmax":
        rows = lcs.ragged(lcs.rows_of_candidates(lcs.skewed()))
        want = scorer([x, rows]).to_tensor(-np.inf)
        np.testing.assert_array_equal(loaded.serve([x, rows.to_tensor(-1)]), want)
    else:
        np.testing.assert_allclose(loaded.serve([x]), scorer(x), rtol=1e-6)


@pytest.mark.parametrize("kind", lcs.SAMPLED)
def test_scores_need_no_op_of_ours(kind):
    """So that what is exported can be served without the library: see docs/serving.md."""
    layer = lcs.randomized(make(kind, normalize=True, logit_softcap=3.0))
    graph = (
        tf.function(lambda x: layer(x))
        .get_concrete_function(tf.TensorSpec([None, lcs.DEPTH]))
        .graph
    )
    ops = {op.type for op in graph.get_operations()}
    assert "MatMul" in ops
    assert not [op for op in ops if op.startswith("Candsamp>")]
