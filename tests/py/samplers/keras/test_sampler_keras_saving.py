# SPDX-License-Identifier: Apache-2.0
"""What Keras saves, restores and copies: a sampler's counts, weights and random state, exactly.

For the Keras that tf.keras is; test_sampler_keras_choice.py runs these tests with Keras 2.
"""

import copy
import importlib
import json
import pickle

import numpy as np
import pytest
import sampler_cases as spc
import tensorflow as tf
from internals import random_state

import tf_candsamp as tfcs

keras = importlib.import_module(tf.keras.layers.Layer.__module__.split(".")[0])
KERAS_3 = not issubclass(keras.layers.Layer, tf.Module)

CLASSES = 20
LABELS = (np.arange(12) ** 2 % 7)[:, np.newaxis]
every_kind = pytest.mark.parametrize("kind", spc.OBJECTS)


def make(kind="learned_unigram", seed=1):
    return spc.sampler(kind, CLASSES, seed=seed)


def used(kind, seed=1):
    """A sampler whose variables all hold something else than at first."""
    sampler = make(kind, seed)
    if kind == "fixed_unigram":
        sampler.unigrams.assign(np.arange(CLASSES) ** 2)
    sampler.sample(5, LABELS)
    return sampler


def state(*samplers):
    return [v.numpy().tolist() for sampler in samplers for v in sampler.variables]


@keras.saving.register_keras_serializable("tests")
class Draw(keras.layers.Layer):
    """Gives what its sampler drew and, of each label, what it expected: both tell its state.

    `hold` says how it holds the sampler.
    """

    def __init__(self, sampler, hold="attribute", **options):
        super().__init__(**options)
        self.hold = hold
        self.held = {
            "attribute": lambda: sampler,
            "list": lambda: [sampler],
            "dict": lambda: {"a": sampler},
            "nested": lambda: {"a": [0, (sampler,)]},
        }[hold]()

    def drawing(self):
        return next(x for x in tf.nest.flatten(self.held) if isinstance(x, tfcs.Sampler))

    def build(self, shape):
        self.scale = self.add_weight(shape=(1,), name="scale")
        self.built = True

    def call(self, labels):
        sample = self.drawing().sample(4, tf.cast(labels, tf.int64))
        numbers = tf.cast(sample.sampled_candidates, tf.float32)
        return sample.true_expected_count + self.scale * 0 + 100 * numbers

    def get_config(self):
        sampler = keras.saving.serialize_keras_object(self.drawing())
        return {**super().get_config(), "sampler": sampler, "hold": self.hold}

    @classmethod
    def from_config(cls, config):
        sampler = keras.saving.deserialize_keras_object(config["sampler"])
        return cls(**{**config, "sampler": sampler})


def functional(layer):
    labels = keras.Input([1], dtype="int64")
    return keras.Model(labels, layer(labels))


def sequential(layer):
    return keras.Sequential([keras.Input([1], dtype="int64"), layer])


@keras.saving.register_keras_serializable("tests")
class Subclassed(keras.Model):
    """Also with a sampler of its own."""

    def __init__(self, layer, sampler=None, **options):
        super().__init__(**options)
        self.layer = layer
        self.sampler = sampler or make(seed=7)

    def build(self, shape):
        self.layer.build(shape)
        self.built = True

    def call(self, labels):
        return self.layer(labels) + self.sampler.sample(4, labels).true_expected_count

    def get_config(self):
        parts = {"layer": self.layer, "sampler": self.sampler}
        return {k: keras.saving.serialize_keras_object(v) for k, v in parts.items()}

    @classmethod
    def from_config(cls, config):
        parts = ("layer", "sampler")
        return cls(**{k: keras.saving.deserialize_keras_object(config[k]) for k in parts})


def subclassed(layer):
    model = Subclassed(layer)
    model(LABELS)
    return model


MODELS = {f.__name__: f for f in (functional, sequential, subclassed)}


def assert_continues(model, original):
    """The next steps of a model are those of the original, in all that its samplers give."""
    for _ in range(2):
        np.testing.assert_array_equal(model(LABELS), original(LABELS))
    for a, b in zip(model.get_weights(), original.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def save_keras(model, path):
    model.save(path / "model.keras")
    return keras.models.load_model(path / "model.keras")


def save_weights(model, path):
    file = str(path / "model.weights.h5")
    model.save_weights(file)
    other = clone(model)
    other.load_weights(file)
    return other


def set_weights(model, path):
    other = clone(model)
    other.set_weights(model.get_weights())
    return other


def save_state_tree(model, path):
    other = clone(model)
    model.compile()
    other.set_state_tree(model.get_state_tree("numpy_array"))
    return other


def clone(model):
    """A model with samplers of the same arguments, in another state."""
    other = keras.models.clone_model(model)
    other(LABELS[:5])
    return other


WAYS = {
    ".keras": save_keras,
    ".weights.h5": save_weights,
    "set_weights": set_weights,
    "deepcopy": lambda model, path: copy.deepcopy(model),
    "pickle": lambda model, path: pickle.loads(pickle.dumps(model)),
}
if KERAS_3:
    WAYS["set_state_tree"] = save_state_tree


@every_kind
@pytest.mark.parametrize("way", WAYS)
def test_model_continues(way, kind, tmp_path):
    model = functional(Draw(used(kind)))
    assert_continues(WAYS[way](model, tmp_path), model)


def test_weights_bring_the_unigrams(tmp_path):
    """Where a clone has those of its configuration."""
    path = str(tmp_path / "model.weights.h5")
    model = functional(Draw(used("fixed_unigram")))
    model.save_weights(path)
    others = [functional(Draw(make("fixed_unigram", seed=2))) for _ in range(2)]
    others[0].load_weights(path)
    others[1].set_weights(model.get_weights())
    drawn = [[m(LABELS).numpy() for _ in range(2)] for m in (model, *others)]
    np.testing.assert_array_equal(drawn[1:], [drawn[0]] * 2)


@pytest.mark.parametrize("way", [".keras", ".weights.h5", "set_weights"])
@pytest.mark.parametrize("form", ["sequential", "subclassed"])
def test_other_models_continue(form, way, tmp_path):
    model = MODELS[form](Draw(used("learned_unigram")))
    assert_continues(WAYS[way](model, tmp_path), model)


@pytest.mark.parametrize("way", [".keras", ".weights.h5", "set_weights"])
@pytest.mark.parametrize("hold", ["list", "dict"] + ["nested"] * KERAS_3)
def test_samplers_in_containers_continue(hold, way, tmp_path):
    model = functional(Draw(used("learned_unigram"), hold))
    assert_continues(WAYS[way](model, tmp_path), model)


@keras.saving.register_keras_serializable("tests")
class Sharing(Subclassed):
    """Two layers and the model have one sampler."""

    def __init__(self, sampler, **options):
        super().__init__(Draw(sampler), sampler, **options)
        self.second = Draw(sampler)

    def build(self, shape):
        super().build(shape)
        self.second.build(shape)

    def call(self, labels):
        return super().call(labels) + self.second(labels)

    def get_config(self):
        return {"sampler": keras.saving.serialize_keras_object(self.sampler)}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config["sampler"]))


@pytest.mark.parametrize("way", [".keras", ".weights.h5", "set_weights"])
def test_shared_sampler_continues(way, tmp_path):
    model = Sharing(used("learned_unigram"))
    model(LABELS)
    assert sum(v is model.sampler.counts for v in model.weights) == 1
    other = WAYS[way](model, tmp_path)
    assert other.sampler is other.layer.drawing() is other.second.drawing()
    assert_continues(other, model)


# Training


class DrawFromItsOwn(Draw):
    """Makes its sampler in `build`, as it makes its weights."""

    def __init__(self, kind):
        super().__init__(None)
        self.kind = kind

    def build(self, shape):
        self.held = make(self.kind)
        super().build(shape)


def compiled(model):
    model.compile("sgd", "mse")
    return model


def fit(model, epochs=1, callbacks=()):
    zeros = np.zeros([len(LABELS), 4], np.float32)
    model.fit(LABELS, zeros, 4, epochs, verbose=0, callbacks=list(callbacks), shuffle=False)


def label_counts(epochs):
    return epochs * np.bincount(LABELS[:, 0], minlength=CLASSES)


@every_kind
def test_sampler_made_in_build_which_fit_traces(kind, tmp_path):
    layer = DrawFromItsOwn(kind)
    model = compiled(keras.Sequential([layer]))
    fit(model)
    if kind == "learned_unigram":
        np.testing.assert_array_equal(layer.held.counts, label_counts(1))
    path = str(tmp_path / "model.weights.h5")
    model.save_weights(path)
    other = sequential(DrawFromItsOwn(kind))
    other.load_weights(path)
    assert_continues(other, model)


@every_kind
def test_sampler_made_in_build_while_keras_infers_shapes(kind):
    class Outer(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = DrawFromItsOwn(kind)

        def call(self, labels):
            return self.inner(labels)

    outer = Outer()
    model = functional(outer)
    assert len(model.weights) == len(outer.inner.held.variables) + 1
    before = state(outer.inner.held)
    drawn = model(LABELS)
    assert state(outer.inner.held) != before
    assert drawn.shape == [len(LABELS), 4]


@pytest.mark.parametrize("weights_only", [False, True])
def test_model_checkpoint(weights_only, tmp_path):
    path = str(tmp_path / ("model.weights.h5" if weights_only else "model.keras"))
    model = compiled(functional(Draw(make())))
    fit(model, 2, [keras.callbacks.ModelCheckpoint(path, save_weights_only=weights_only)])
    if weights_only:
        other = clone(model)
        other.load_weights(path)
    else:
        other = keras.models.load_model(path)
    np.testing.assert_array_equal(other.layers[1].drawing().counts, label_counts(2))
    assert_continues(other, model)


def test_interrupted_training_continues(tmp_path):
    def interrupt(epoch, logs):
        if epoch == 2:
            raise KeyboardInterrupt

    def backup():
        return keras.callbacks.BackupAndRestore(tmp_path / "backup")

    models = [compiled(functional(Draw(make(seed=seed)))) for seed in (1, 1, 2)]
    for model in models[1:]:
        model.set_weights(models[0].get_weights()[:1] + model.get_weights()[1:])
    uninterrupted, interrupted, resumed = models
    fit(uninterrupted, 4)
    with pytest.raises(KeyboardInterrupt):
        interruption = keras.callbacks.LambdaCallback(on_epoch_begin=interrupt)
        fit(interrupted, 4, [backup(), interruption])
    fit(resumed, 4, [backup()])
    np.testing.assert_array_equal(resumed.layers[1].drawing().counts, label_counts(4))
    assert_continues(resumed, uninterrupted)


# What is refused


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (lambda: tfcs.UniformSampler(CLASSES), "uniform sampler of range 20"),
        (lambda: make("fixed_unigram"), "fixed-unigram sampler of range 20"),
        (lambda: tfcs.LearnedUnigramSampler(21), "learned-unigram sampler of range 21"),
    ],
    ids=["uniform", "fixed_unigram", "another range"],
)
def test_weights_of_another_sampler_are_refused(other, named, tmp_path):
    path = str(tmp_path / "model.weights.h5")
    functional(Draw(used("learned_unigram"))).save_weights(path)
    sampler = other()
    before = state(sampler)
    message = f"learned-unigram sampler of range 20, which cannot be restored into a {named}"
    with pytest.raises(ValueError, match=message):
        functional(Draw(sampler)).load_weights(path)
    assert state(sampler) == before


def test_refusal_says_why_where_layers_share_the_sampler(tmp_path):
    path = str(tmp_path / "model.weights.h5")
    model, other = Sharing(used("learned_unigram")), Sharing(tfcs.LearnedUnigramSampler(21))
    for m in (model, other):
        m(LABELS)
    model.save_weights(path)
    with pytest.raises(ValueError, match="of range 20, which cannot be restored into .* range 21"):
        other.load_weights(path)


def test_weights_without_a_sampler_are_refused(tmp_path):
    methods = {"build": Draw.build, "call": lambda self, labels: labels}
    without = type("Draw", (keras.layers.Layer,), methods)
    path = str(tmp_path / "model.weights.h5")
    functional(without()).save_weights(path)
    with pytest.raises(ValueError, match="There is no sampler's state where .* saved without"):
        functional(Draw(make())).load_weights(path)


# What models are asked besides


def test_frozen_model_keeps_its_sampler(tmp_path):
    model = functional(Draw(used("learned_unigram")))
    model.trainable = False
    assert not model.trainable_weights
    assert len(model.weights) == len(model.non_trainable_weights) == 3
    model(LABELS)
    assert_continues(save_weights(model, tmp_path), model)


def test_summary_counts_the_state_as_not_trainable():
    model = functional(Draw(make()))
    assert model.count_params() == 1 + 3 + CLASSES
    assert make().count_params() == 3 + CLASSES
    lines = []
    model.summary(print_fn=lambda line, **_: lines.append(line))
    assert "Non-trainable params: 23" in "\n".join(lines)


def export(model, path):
    model.export(path)


def save_signature(model, path):
    serve = tf.function(lambda labels: model(labels))
    signature = serve.get_concrete_function(tf.TensorSpec([None, 1], tf.int64))
    tf.saved_model.save(model, path, signature)


@pytest.mark.parametrize("save", [export, save_signature])
def test_saved_model_continues(save, tmp_path):
    samplers = [used(kind) for kind in spc.OBJECTS]
    labels = keras.Input([1], dtype="int64")
    drawn = [Draw(sampler)(labels) for sampler in samplers]
    model = keras.Model(labels, keras.layers.Concatenate()(drawn))
    save(model, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    serve = next(iter(loaded.signatures.values()))
    for _ in range(2):
        (got,) = serve(tf.constant(LABELS)).values()
        np.testing.assert_array_equal(got, model(LABELS))


# Samplers alone

COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda sampler: pickle.loads(pickle.dumps(sampler)),
}


@every_kind
@pytest.mark.parametrize("way", COPIES)
def test_copy_continues_on_its_own(way, kind):
    sampler = used(kind)
    copied = COPIES[way](sampler)
    assert type(copied) is type(sampler) and copied.get_config() == sampler.get_config()
    before = state(sampler)
    drawn = [copied.sample(5, LABELS) for _ in range(2)]
    assert state(sampler) == before
    for want in drawn:
        for a, b in zip(sampler.sample(5, LABELS), want, strict=True):
            np.testing.assert_array_equal(a, b)
    assert state(copied) == state(sampler)


def test_copies_of_what_shares_a_sampler_share_one():
    sampler = make()
    module = tf.Module()
    module.samplers = [sampler, sampler]
    copied = copy.deepcopy(module)
    assert copied.samplers[0] is copied.samplers[1] is not sampler


@every_kind
def test_config_makes_a_new_sampler_of_the_same_arguments(kind):
    options = {"unique": False, "seed": np.int64(3), "name": "negatives"}
    sampler, same = (spc.sampler(kind, CLASSES, **options) for _ in range(2))
    sampler.sample(5, LABELS)
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(sampler)))
    other = keras.saving.deserialize_keras_object(config)
    assert (other.unique, other.name, other.range_max) == (False, "negatives", CLASSES)
    assert state(other) == state(same)


def test_state_cannot_be_copied_in_a_graph():
    with tf.Graph().as_default():
        for way in COPIES.values():
            with pytest.raises(RuntimeError, match="in eager execution only"):
                way(make("fixed_unigram"))


def test_modules_list_the_variables():
    module = tf.Module()
    module.sampler = sampler = make()
    for lists in (module.variables, sampler.variables, sampler.weights):
        assert len(lists) == 2
        assert {id(v) for v in lists} == {id(sampler.counts), id(random_state(sampler))}
    assert not sampler.trainable_variables and not module.trainable_variables
    assert list(module.submodules) == [sampler]
