# SPDX-License-Identifier: Apache-2.0
"""The layers under every policy of types: tables, losses and ranks stay exact."""

import copy

import layer_cases as lcs
import layer_models
import numpy as np
import pytest
import tensorflow as tf

import tf_candsamp as tfcs

keras = lcs.keras
LABELS = lcs.skewed()
CANDIDATES = lcs.ragged(lcs.rows_of_candidates(LABELS))
KINDS = ["SampledSoftmax", "RaggedSampledSoftmax"]


def make(kind, dtype):
    arguments = () if kind == "RaggedSampledSoftmax" else (10,)
    layer = getattr(lcs.layers, kind)(lcs.CLASSES, *arguments, dtype=dtype)
    return lcs.randomized(layer), (CANDIDATES,) if kind == "RaggedSampledSoftmax" else ()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "policy, stored, computed",
    [
        ("mixed_bfloat16", tf.float32, tf.bfloat16),
        ("mixed_float16", tf.float32, tf.float16),
        ("bfloat16", tf.bfloat16, tf.bfloat16),
        ("float64", tf.float64, tf.float64),
    ],
)
def test_policies(kind, policy, stored, computed):
    layer, arguments = make(kind, policy)
    result = tf.float64 if computed == tf.float64 else tf.float32
    hidden = tf.cast(tf.cast(lcs.hidden(), computed), tf.float64)  # what the type can hold
    logits = lcs.all_logits(layer, hidden)
    assert tf.as_dtype(layer.table.dtype) == tf.as_dtype(layer.bias.dtype) == stored
    hidden = tf.cast(hidden, computed)
    tolerance = 1e-10 if computed == tf.float64 else 1e-4
    scores = layer(hidden, *arguments)
    if kind == "RaggedSampledSoftmax":
        scores = scores.to_tensor(-np.inf)
        masked = np.full_like(logits, -np.inf)
        for i, row in enumerate(CANDIDATES.to_list()):
            masked[i, row] = logits[i, row]
        logits = masked
    else:
        np.testing.assert_array_equal(
            layer.rank(hidden, LABELS), lcs.ranks(logits, LABELS[:, None])
        )
        if stored != tf.bfloat16:
            np.testing.assert_allclose(scores, logits, rtol=tolerance, atol=tolerance)
    assert scores.dtype == result
    losses = layer(hidden, *arguments, labels=LABELS)
    assert losses.dtype == result
    np.testing.assert_allclose(losses, lcs.nll(logits, LABELS[:, None]), rtol=1e-3, atol=tolerance)
    assert layer(hidden, *arguments, labels=LABELS, training=True).dtype == result


@pytest.mark.parametrize("kind", KINDS)
def test_mixed_precision_trains_on_products_of_halves_and_evaluates_in_float32(kind):
    layer, arguments = make(kind, "mixed_bfloat16")
    hidden = tf.constant(lcs.hidden())
    if kind == "RaggedSampledSoftmax":
        want = tfcs.ragged_sampled_softmax_loss(
            layer.table, layer.bias, LABELS, tf.cast(hidden, tf.bfloat16), *arguments
        )
    else:
        want = tfcs.sampled_softmax_loss(
            layer.table,
            layer.bias,
            LABELS[:, None],
            tf.cast(hidden, tf.bfloat16),
            10,
            lcs.CLASSES,
            sampler=copy.copy(layer.sampler),
        )
    got = layer(hidden, *arguments, labels=LABELS, training=True)
    np.testing.assert_array_equal(got, want)
    exact, _ = make(kind, "float32")
    np.testing.assert_array_equal(
        layer(hidden, *arguments, labels=LABELS), exact(hidden, *arguments, labels=LABELS)
    )
    np.testing.assert_array_equal(
        layer.top_k(hidden, *arguments, 3).indices, exact.top_k(hidden, *arguments, 3).indices
    )


@pytest.mark.parametrize("kind", KINDS)
def test_sample_weights_are_not_cast_to_halves(kind):
    layer, arguments = make(kind, "mixed_bfloat16")
    weights = np.full(lcs.ROWS, 1.001, np.float32)  # 1 as a bfloat16
    losses = layer(lcs.hidden(), *arguments, labels=LABELS, sample_weight=weights)
    want = 1.001 * tf.reduce_mean(losses)
    np.testing.assert_allclose(layer.losses[0], want, rtol=1e-5)


@pytest.mark.parametrize(
    "kind, policy",
    [("SampledSoftmax", "mixed_float16"), ("RaggedSampledSoftmax", "mixed_bfloat16")],
)
def test_fit_under_a_global_policy(kind, policy):
    """With loss scaling for float16; labels and candidates stay integers."""
    keras.mixed_precision.set_global_policy(policy)
    try:
        model, _, _ = layer_models.model_of(layer_models.make(kind))
        batches = layer_models.data(kind)
        history = model.fit(batches, epochs=4, verbose=0, shuffle=False).history["loss"]
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert history[-1] < 0.97 * history[0]


def test_no_cast_of_the_table():
    layer, _ = make("SampledSoftmax", "mixed_bfloat16")
    step = tf.function(lambda x: layer(x, labels=LABELS, training=True))
    graph = step.get_concrete_function(tf.TensorSpec([lcs.ROWS, lcs.DEPTH])).graph
    casts = [op.outputs[0].shape for op in graph.get_operations() if op.type == "Cast"]
    assert tf.TensorShape([lcs.ROWS, lcs.DEPTH]) in casts  # that of the inputs
    assert tf.TensorShape([lcs.CLASSES, lcs.DEPTH]) not in casts


def test_tied_to_a_float32_embedding_under_mixed_precision():
    embedding = keras.layers.Embedding(lcs.CLASSES, lcs.DEPTH, dtype="mixed_bfloat16")
    layer = lcs.layers.SampledSoftmax(lcs.CLASSES, 10, embedding=embedding, dtype="mixed_bfloat16")
    losses = layer(embedding(LABELS), labels=LABELS, training=True)
    assert losses.dtype == tf.float32 and np.isfinite(losses).all()
    assert layer(embedding(LABELS)).dtype == tf.float32
