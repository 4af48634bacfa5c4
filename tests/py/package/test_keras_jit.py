# SPDX-License-Identifier: Apache-2.0
"""XLA and Keras: a layer that calls our ops says supports_jit = False, and its model trains.

That line is what decides: with it Keras compiles no such model by XLA, asked to or not; without it
the error is XLA's.
"""

import numpy as np
import pytest
import tensorflow as tf

import tf_candsamp as tfcs

keras = pytest.importorskip("keras", minversion="3")

from keras.src.trainers.trainer import model_supports_jit  # noqa: E402

CLASSES, DEPTH, ROWS = 20, 4, 32


class Loss(keras.layers.Layer):
    """The loss of each example."""

    def __init__(self, supports_jit=False, **options):
        super().__init__(**options)
        self.supports_jit = supports_jit

    def build(self, *_):
        self.table = self.add_weight(shape=(CLASSES, DEPTH), name="table", autocast=False)


class SampledLoss(Loss):
    def call(self, inputs, labels):
        return tfcs.sampled_softmax_loss(self.table, None, labels[:, None], inputs, 8, CLASSES)


class LossOfSampler(Loss):
    def __init__(self, **options):
        super().__init__(**options)
        self.sampler = tfcs.LearnedUnigramSampler(CLASSES)

    def call(self, inputs, labels):
        return tfcs.nce_loss(
            self.table, None, labels[:, None], inputs, 8, CLASSES, sampler=self.sampler
        )


class RaggedLoss(Loss):
    def call(self, inputs, labels):
        candidates = tf.RaggedTensor.from_tensor(labels[:, None] // [[1, 2, 3]])
        return tfcs.ragged_sampled_softmax_loss(self.table, None, labels, inputs, candidates)


LAYERS = [SampledLoss, LossOfSampler, RaggedLoss]


def model_of(layer, jit_compile):
    keras.utils.set_random_seed(0)
    inputs, labels = keras.Input([DEPTH]), keras.Input([], dtype="int64")
    outputs = layer(keras.layers.Dense(DEPTH)(inputs), labels)
    model = keras.Model([inputs, labels], outputs)
    model.compile(keras.optimizers.SGD(0.1), lambda _, y: y, jit_compile=jit_compile)
    return model


def fit(model):
    labels = np.arange(ROWS) % CLASSES
    inputs = np.random.default_rng(0).normal(size=[CLASSES, DEPTH])[labels]
    history = model.fit([inputs, labels], np.zeros(ROWS), 8, epochs=5, verbose=0)
    return history.history["loss"]


@pytest.mark.parametrize("layer", LAYERS)
def test_auto_compiles_nothing_and_trains(layer):
    model = model_of(layer(), "auto")
    assert not model_supports_jit(model)
    losses = fit(model)
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("layer", LAYERS)
def test_keras_refuses_to_compile_and_trains(layer):
    with pytest.warns(UserWarning, match="doesn't support `jit_compile=True`"):
        model = model_of(layer(), jit_compile=True)
    assert model.jit_compile is False
    losses = fit(model)
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("layer", [SampledLoss, RaggedLoss])
def test_without_the_line_the_error_is_of_xla(layer):
    """When this fails there are XLA kernels, and the docs may stop asking for the line."""
    model = model_of(layer(supports_jit=True), jit_compile=True)
    assert model_supports_jit(model)
    with pytest.raises(tf.errors.InvalidArgumentError, match="unsupported operations.*Candsamp>"):
        fit(model)
