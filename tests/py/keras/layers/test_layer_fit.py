# SPDX-License-Identifier: Apache-2.0
"""The layers under fit, evaluate and predict, with callbacks, and in a loop of one's own.

For the Keras that tf.keras is; test_layer_keras_choice.py runs these tests with Keras 2.
"""

import layer_cases as lcs
import numpy as np
import pytest
import tensorflow as tf
from layer_models import CANDIDATES, FEATURES, LABELS, data, make, model_of

import tf_candsamp as tfcs

keras = lcs.keras
every_layer = pytest.mark.parametrize("kind", [*lcs.SAMPLED, "RaggedSampledSoftmax"])
sampled_layers = pytest.mark.parametrize("kind", lcs.SAMPLED)


def scored(kind):
    """The arguments of the model that scores."""
    if kind == "RaggedSampledSoftmax":
        return [tf.constant(FEATURES), CANDIDATES]
    return tf.constant(FEATURES)


@pytest.mark.parametrize(
    "kind, options",
    [
        ("SampledSoftmax", {}),
        ("NCE", {}),
        ("RaggedSampledSoftmax", {}),
        ("SampledSoftmax", {"run_eagerly": True}),
        ("SampledSoftmax", {"steps_per_execution": 4}),
    ],
    ids=str,
)
def test_fit_reports_and_learns(kind, options):
    layer = make(kind)
    model, _, _ = model_of(layer, **options)
    epochs = 3 if options else 8
    history = model.fit(
        data(kind), epochs=epochs, validation_data=data(kind), verbose=0, shuffle=False
    ).history
    exact = {"loss", "nll", "accuracy"}
    if kind == "RaggedSampledSoftmax":
        training, evaluation = exact, exact
    else:
        training = {"loss", "sampled_loss", "sampled_accuracy"}
        evaluation = exact | {"top_10_accuracy"}
    assert set(history) == training | {f"val_{name}" for name in evaluation}
    name = "nll" if kind == "RaggedSampledSoftmax" else "sampled_loss"
    np.testing.assert_allclose(history["loss"], history[name], rtol=1e-5)
    np.testing.assert_allclose(history["val_loss"], history["val_nll"], rtol=1e-5)
    assert history["loss"][-1] < 0.95 * history["loss"][0]
    assert history["val_nll"][-1] < history["val_nll"][0]


@pytest.mark.parametrize("kind", ["SampledSoftmax", "RaggedSampledSoftmax"])
def test_evaluate_and_predict_are_exact(kind):
    layer = make(kind, top_k=[2, 5])
    model, scorer, tower = model_of(layer)
    model.fit(data(kind), epochs=2, verbose=0, shuffle=False)
    found = model.evaluate(data(kind), verbose=0, return_dict=True)
    logits = lcs.all_logits(layer, tower(FEATURES))
    if kind == "RaggedSampledSoftmax":
        masked = np.full_like(logits, -np.inf)
        for i, row in enumerate(CANDIDATES.to_list()):
            masked[i, row] = logits[i, row]
        logits = masked
    rank = lcs.ranks(logits, LABELS[:, None])
    assert found.pop("loss") > 0
    assert found == pytest.approx(
        {
            "nll": lcs.nll(logits, LABELS[:, None]).mean(),
            "accuracy": (rank < 1).mean(),
            "top_2_accuracy": (rank < 2).mean(),
            "top_5_accuracy": (rank < 5).mean(),
        },
        rel=1e-4,
    )
    in_order = {"x": FEATURES, "y": LABELS[:, None]}
    if kind == "RaggedSampledSoftmax":
        in_order["moves"] = CANDIDATES
    batches = tfcs.data.ragged_batches(in_order, 16, shuffle=False)
    want = lcs.nll(logits, LABELS[:, None])
    np.testing.assert_allclose(model.predict(batches, verbose=0), want, rtol=1e-4, atol=1e-5)
    scores = scorer(scored(kind))
    if kind == "RaggedSampledSoftmax":
        scores = scores.to_tensor(-np.inf)
        logits = tf.RaggedTensor.from_row_splits(
            logits[np.isfinite(logits)], CANDIDATES.row_splits
        ).to_tensor(-np.inf)
    np.testing.assert_allclose(scores, logits, rtol=1e-4, atol=1e-4)


def test_arrays_and_sample_weights():
    """Weights are an input, for Keras keeps its own to the losses given to compile."""
    layer = make("SampledSoftmax")
    x, y = keras.Input([lcs.DEPTH]), keras.Input((1,), dtype="int64")
    w = keras.Input((1,))
    model = keras.Model([x, y, w], layer(x, labels=y, sample_weight=w))
    model.compile("sgd")
    hidden, weights = lcs.hidden(), lcs.random(3).random(lcs.ROWS).astype(np.float32)
    model.fit([hidden, LABELS, weights], batch_size=lcs.ROWS, verbose=0)
    found = model.evaluate(
        [hidden, LABELS, weights], batch_size=lcs.ROWS, verbose=0, return_dict=True
    )
    losses = lcs.nll(lcs.all_logits(layer, hidden), LABELS[:, None])
    assert found["loss"] == pytest.approx((weights * losses).mean(), rel=1e-5)
    assert found["nll"] == pytest.approx((weights * losses).sum() / weights.sum(), rel=1e-5)


@sampled_layers
def test_only_training_counts_labels(kind):
    layer = make(kind, sampler="learned_unigram")
    model, _, _ = model_of(layer)
    model.fit(data(kind), epochs=2, validation_data=data(kind), verbose=0, shuffle=False)
    model.evaluate(data(kind), verbose=0)
    want = 2 * np.bincount(LABELS, minlength=lcs.CLASSES)
    np.testing.assert_array_equal(layer.sampler.counts, want)


def test_a_callback_changes_num_sampled():
    """In the function that fit has traced already."""
    drawn = []

    class Recording(tfcs.UniformSampler):
        def sample(self, num_sampled, *args, **options):
            sample = super().sample(num_sampled, *args, **options)
            tf.numpy_function(
                lambda ids: drawn.append(len(ids)), [sample.sampled_candidates], [], stateful=True
            )
            return sample

    layer = make("SampledSoftmax", sampler=Recording(lcs.CLASSES, seed=1), seed=None)

    class Grow(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            layer.num_sampled += 15

    model, _, _ = model_of(layer)
    batches = data("SampledSoftmax")
    model.fit(batches, epochs=3, verbose=0, shuffle=False, callbacks=[Grow()])
    assert drawn == [10] * 6 + [25] * 6 + [40] * 6
    assert layer.num_sampled == 55


def test_early_stopping_restores_the_best():
    kind = "SampledSoftmax"
    model, _, _ = model_of(make(kind))
    # Of a layer's metrics Keras does not know which way is better.
    best = keras.callbacks.EarlyStopping(
        "val_nll", mode="min", patience=1, restore_best_weights=True
    )
    model.optimizer.learning_rate = 3.0  # it diverges
    history = model.fit(
        data(kind), epochs=6, validation_data=data(kind), verbose=0, shuffle=False, callbacks=[best]
    ).history["val_nll"]
    found = model.evaluate(data(kind), verbose=0, return_dict=True)["nll"]
    assert found == pytest.approx(min(history), rel=1e-5)


def test_two_layers_of_a_model_report_under_prefixes():
    x, y = keras.Input([lcs.DEPTH]), keras.Input((1,), dtype="int64")
    first = make("SampledSoftmax", metric_prefix="a_")
    second = make("SampledSoftmax", metric_prefix="b_", seed=2)
    model = keras.Model([x, y], [first(x, labels=y), second(x, labels=y)])
    model.compile("sgd")
    history = model.fit([lcs.hidden(), LABELS], verbose=0).history
    names = {f"{p}_sampled_{what}" for p in "ab" for what in ("loss", "accuracy")}
    assert set(history) == names | {"loss"}
    both = history["a_sampled_loss"][0] + history["b_sampled_loss"][0]
    assert history["loss"][0] == pytest.approx(both, rel=1e-5)


def test_sequential_scores():
    """A Sequential has nowhere to pass labels: it serves what another model trains."""
    layer = make("SampledSoftmax")
    _, scorer, tower = model_of(layer)
    sequential = keras.Sequential([tower, layer])
    np.testing.assert_array_equal(sequential(FEATURES), scorer(FEATURES))


@pytest.mark.parametrize("kind", ["SampledSoftmax", "RaggedSampledSoftmax"])
def test_a_loop_of_ones_own(kind):
    layer = make(kind)
    model, _, _ = model_of(layer)
    optimizer = keras.optimizers.Adam(0.02)

    @tf.function
    def step(batch):
        with tf.GradientTape() as tape:
            model(batch, training=True)
            loss = tf.add_n(model.losses)
        variables = model.trainable_variables
        gradients = tape.gradient(loss, variables)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return loss

    means = []
    for _ in range(8):
        means.append(np.mean([float(step(batch)) for batch in data(kind)]))
        name = "nll" if kind == "RaggedSampledSoftmax" else "sampled_loss"
        assert lcs.reported(layer)[name] == pytest.approx(means[-1], rel=1e-4)
    assert means[-1] < 0.9 * means[0]


@every_layer
def test_gradients_of_the_table_stay_sparse(kind):
    """As the rows that were scored: an optimizer may update these alone."""
    layer = make(kind)
    model, _, _ = model_of(layer)
    batch = next(iter(data(kind)))
    with tf.GradientTape() as tape:
        model(batch, training=True)
        loss = tf.add_n(model.losses)
    table = layer.table.value if lcs.KERAS_3 else layer.table
    gradient = tape.gradient(loss, table)
    assert isinstance(gradient, tf.IndexedSlices)
    assert len(set(gradient.indices.numpy())) == len(gradient.indices)


def test_no_jit():
    layer = make("SampledSoftmax")
    assert layer.supports_jit is False
