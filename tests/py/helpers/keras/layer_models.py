# SPDX-License-Identifier: Apache-2.0
"""Models of one layer, and the batches they are trained on."""

import layer_cases as lcs

import tf_candsamp as tfcs

keras, layers = lcs.keras, lcs.layers
LABELS = lcs.skewed()
FEATURES = lcs.features(LABELS)
CANDIDATES = lcs.ragged(lcs.rows_of_candidates(LABELS))


def model_of(layer, **options):
    """A model that is trained, and one that scores, of one layer."""
    keras.utils.set_random_seed(1)
    is_ragged = isinstance(layer, layers.RaggedSampledSoftmax)
    x = keras.Input([lcs.FEATURES], name="x")
    y = keras.Input((1,), dtype="int64", name="y")
    moves = [keras.Input([None], dtype="int64", ragged=True, name="moves")] if is_ragged else []
    hidden = keras.layers.Dense(lcs.DEPTH)(x)
    names = {tensor.name: tensor for tensor in (x, *moves, y)}
    model = keras.Model(names, layer(hidden, *moves, labels=y))
    model.compile(keras.optimizers.Adam(0.02), **options)
    return model, keras.Model([x, *moves], layer(hidden, *moves)), keras.Model(x, hidden)


def make(kind, **options):
    if kind == "RaggedSampledSoftmax":
        return layers.RaggedSampledSoftmax(lcs.CLASSES, **options)
    return getattr(layers, kind)(lcs.CLASSES, 10, **({"seed": 1} | options))


def data(kind, **options):
    columns = {"x": FEATURES, "y": LABELS[:, None]}
    if kind == "RaggedSampledSoftmax":
        columns["moves"] = CANDIDATES
    return tfcs.data.ragged_batches(columns, 16, **({"seed": 1} | options))
