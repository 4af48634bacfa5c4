# SPDX-License-Identifier: Apache-2.0
"""Samplers in Keras layers and models, and in the datasets that feed them."""

import numpy as np
import pytest
import tensorflow as tf

import tf_candsamp as tfcs

keras = pytest.importorskip("keras", minversion="3")

CLASSES, DEPTH, ROWS = 40, 4, 96


def data():
    """Inputs that tell the label, and skewed labels."""
    random = np.random.default_rng(0)
    labels = (CLASSES * random.random([ROWS]) ** 2).astype(np.int64)
    inputs = random.normal(size=[CLASSES, DEPTH])[labels]
    return inputs.astype(np.float32), labels


def label_counts(epochs):
    return epochs * np.bincount(data()[1], minlength=CLASSES)


def sampled_loss(weights, labels, inputs, sample):
    return tf.nn.sampled_softmax_loss(
        weights,
        tf.zeros([CLASSES]),
        labels[:, tf.newaxis],
        inputs,
        sample.sampled_candidates.shape[0],
        CLASSES,
        sampled_values=sample,
    )


class SampledLoss(keras.layers.Layer):
    """The loss of each example, over candidates that the layer's own sampler draws."""

    def __init__(self, sampler, **options):
        super().__init__(**options)
        self.sampler = sampler

    def build(self, shape):
        self.table = self.add_weight(
            shape=(CLASSES, DEPTH), name="table", initializer="zeros", autocast=False
        )

    def call(self, inputs, labels):
        sample = self.sampler.sample(10, labels[:, tf.newaxis])
        return sampled_loss(self.table.value, labels, inputs, sample)


def make_model(layer, **options):
    keras.utils.set_random_seed(0)
    inputs = keras.Input([DEPTH])
    labels = keras.Input([], dtype="int64")
    losses = layer(keras.layers.Dense(DEPTH)(inputs), labels)
    model = keras.Model([inputs, labels], losses)
    model.compile(keras.optimizers.SGD(0.3), lambda _, y: y, jit_compile=False, **options)
    return model


def fit(model, epochs=1, **options):
    inputs, labels = data()
    history = model.fit(
        [inputs, labels], np.zeros(ROWS), 16, epochs=epochs, shuffle=False, verbose=0, **options
    )
    return history.history["loss"]


def learned(seed=1):
    return tfcs.LearnedUnigramSampler(CLASSES, seed=seed)


@pytest.mark.parametrize(
    "options", [{}, {"run_eagerly": True}, {"steps_per_execution": 3}], ids=str
)
def test_fit_counts_each_label_once(options):
    layer = SampledLoss(learned())
    losses = fit(make_model(layer, **options), epochs=5)
    assert losses[-1] < 0.9 * losses[0]
    np.testing.assert_array_equal(layer.sampler.counts, label_counts(5))


@pytest.mark.parametrize(
    "sampler",
    [
        tfcs.UniformSampler(CLASSES),
        tfcs.LogUniformSampler(CLASSES),
        tfcs.FixedUnigramSampler(1 / np.arange(1.0, CLASSES + 1)),
    ],
    ids=lambda sampler: type(sampler).__name__,
)
def test_fit_with_samplers_that_do_not_learn(sampler):
    losses = fit(make_model(SampledLoss(sampler)), epochs=5)
    assert losses[-1] < 0.9 * losses[0]


def test_evaluate_and_predict_use_the_sampler():
    layer = SampledLoss(learned())
    model = make_model(layer)
    inputs, labels = data()
    model.evaluate([inputs, labels], np.zeros(ROWS), verbose=0)
    assert model.predict([inputs, labels], verbose=0).shape == (ROWS,)
    np.testing.assert_array_equal(layer.sampler.counts, label_counts(2))


def test_validation_does_not_count_if_told_so():
    class Loss(SampledLoss):
        def call(self, inputs, labels, training=False):
            sample = self.sampler.sample(10, labels[:, tf.newaxis], update=training)
            return sampled_loss(self.table.value, labels, inputs, sample)

    layer = Loss(learned())
    model = make_model(layer)
    inputs, labels = data()
    fit(model, validation_data=([inputs, labels], np.zeros(ROWS)))
    model.evaluate([inputs, labels], np.zeros(ROWS), verbose=0)
    np.testing.assert_array_equal(layer.sampler.counts, label_counts(1))


def test_fit_from_a_checkpoint_continues(tmp_path):
    layer, other = SampledLoss(learned(1)), SampledLoss(learned(2))
    model, restored = make_model(layer), make_model(other)
    fit(model, epochs=2)
    path = tf.train.Checkpoint(model).save(tmp_path / "c")
    want = fit(model, epochs=2)
    fit(restored)  # what it learns here is undone
    tf.train.Checkpoint(restored).restore(path)
    np.testing.assert_array_equal(other.sampler.counts, label_counts(2))
    np.testing.assert_array_equal(fit(restored, epochs=2), want)
    np.testing.assert_array_equal(other.sampler.counts, layer.sampler.counts)
    np.testing.assert_array_equal(other.table, layer.table)


def test_checkpoint_restored_before_the_model_is_built(tmp_path):
    layer = SampledLoss(learned(1))
    layer(tf.zeros([2, DEPTH]), tf.constant([3, 5]))
    path = tf.train.Checkpoint(layer=layer).save(tmp_path / "c")
    other = SampledLoss(learned(2))
    tf.train.Checkpoint(layer=other).restore(path)
    arguments = tf.ones([2, DEPTH]), tf.constant([1, 2])
    np.testing.assert_array_equal(other(*arguments), layer(*arguments))
    np.testing.assert_array_equal(other.sampler.counts[:6], [0, 1, 1, 1, 0, 1])


def export(model, path):
    model.export(path, verbose=False)


def save_in_module(model, path):
    module = tf.Module()
    module.model = model
    signature = [[tf.TensorSpec([None, DEPTH]), tf.TensorSpec([None], tf.int64)]]
    module.serve = tf.function(model, input_signature=signature)
    tf.saved_model.save(module, str(path))


@pytest.mark.parametrize("save", [export, save_in_module])
@pytest.mark.parametrize(
    "sampler",
    [tfcs.UniformSampler(CLASSES), tfcs.FixedUnigramSampler([1.0] * CLASSES), learned()],
    ids=lambda sampler: type(sampler).__name__,
)
def test_exported_model_continues(sampler, save, tmp_path):
    model = make_model(SampledLoss(sampler))
    fit(model)
    save(model, tmp_path)
    loaded = tf.saved_model.load(str(tmp_path))
    arguments = [tf.constant(a[:20]) for a in data()]
    for _ in range(2):
        np.testing.assert_allclose(loaded.serve(arguments), model(arguments), rtol=1e-6)


def test_custom_training_step():
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.table = self.add_weight(shape=(CLASSES, DEPTH), name="table")
            self.sampler = learned()

        def train_step(self, batch):
            inputs, labels = batch
            sample = self.sampler.sample_ragged(
                tf.fill(tf.shape(labels), 7), labels, exclude_true=True
            )
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(
                    tfcs.ragged_sampled_softmax_loss(
                        self.table,
                        None,
                        labels,
                        inputs,
                        sample.candidates,
                        candidate_log_q=tf.math.log(sample.expected_count),
                    )
                )
            gradient = tape.gradient(loss, self.table.value)
            self.optimizer.apply_gradients([(gradient, self.table)])
            return {"sampled": loss}

    keras.utils.set_random_seed(0)
    model = Model()
    model.compile(keras.optimizers.SGD(1.0), jit_compile=False)
    history = model.fit(*data(), batch_size=16, epochs=10, verbose=0).history["sampled"]
    assert history[-1] < 0.9 * history[0]
    np.testing.assert_array_equal(model.sampler.counts, label_counts(10))


@pytest.mark.parametrize("calls", [None, tf.data.AUTOTUNE])
def test_dataset_that_samples_feeds_a_model(calls):
    """Candidates are drawn ahead, in tf.data's threads; the model takes them as inputs."""
    sampler = learned()

    class Loss(keras.layers.Layer):
        def build(self, shape):
            self.table = self.add_weight(shape=(CLASSES, DEPTH), initializer="zeros")

        def call(self, inputs):
            sample = tfcs.CandidateSample(
                inputs["candidates"], inputs["true_count"], inputs["count"]
            )
            return sampled_loss(self.table.value, inputs["labels"], inputs["inputs"], sample)

    def draw(inputs, labels):
        ids, true_count, count = sampler.sample(10, labels[:, tf.newaxis])
        features = {
            "inputs": inputs,
            "labels": labels,
            "candidates": ids,
            "true_count": true_count,
            "count": count,
        }
        return features, tf.zeros([16])

    batches = tf.data.Dataset.from_tensor_slices(data()).batch(16, drop_remainder=True)
    batches = batches.map(draw, num_parallel_calls=calls).prefetch(2)
    model = keras.Sequential([Loss()])
    model.compile(keras.optimizers.SGD(0.3), lambda _, y: y, jit_compile=False)
    losses = model.fit(batches, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < 0.9 * losses[0]
    np.testing.assert_array_equal(sampler.counts, label_counts(5))


def test_layers_share_a_sampler(tmp_path):
    """In a checkpoint it is one, too."""

    def make(seed):
        sampler = learned(seed)
        layers = [SampledLoss(sampler) for _ in range(2)]
        return layers, tf.train.Checkpoint(layers=layers)

    arguments = tf.ones([2, DEPTH]), tf.constant([1, 2])
    (layers, checkpoint), (others, restored) = make(1), make(2)
    for layer in layers + others[:1]:
        layer(*arguments)
    path = checkpoint.save(tmp_path / "c")
    restored.restore(path)
    assert others[0].sampler is others[1].sampler
    np.testing.assert_array_equal(others[0].sampler.counts[:4], [0, 2, 2, 0])
    for layer, other in zip(layers, others, strict=True):
        np.testing.assert_array_equal(other(*arguments), layer(*arguments))
