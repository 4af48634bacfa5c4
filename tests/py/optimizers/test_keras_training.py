# SPDX-License-Identifier: Apache-2.0
"""Optimizers that update rows in Keras's training: fit, files, checkpoints, replicas."""

import json

import numpy as np
import processes
import pytest
import row_optimizer_replicas
import tensorflow as tf

from tf_candsamp.keras import optimizers

keras = pytest.importorskip("keras", minversion="3")

CLASSES, ROWS = 30, 64
KINDS = {
    "SGD": {"momentum": 0.9},
    "Adagrad": {},
    "RMSprop": {"momentum": 0.5},
    "Adam": {"amsgrad": True},
    "AdamW": {},
    "Ftrl": {},
}


def data():
    ids = np.random.default_rng(0).integers(0, CLASSES, [ROWS, 2])
    return ids, (ids.sum(1, keepdims=True) / CLASSES).astype(np.float32)


def make_model(optimizer, **options):
    keras.utils.set_random_seed(1)
    inputs = keras.Input([2], dtype="int64")
    hidden = keras.layers.Flatten()(keras.layers.Embedding(CLASSES, 4)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(1)(hidden))
    model.compile(optimizer, "mse", **options)
    return model


def make(name, rate=0.05):
    return getattr(optimizers, name)(rate, **KINDS[name])


def fit(model, epochs=2, initial_epoch=0, **options):
    return model.fit(
        *data(),
        epochs=epochs,
        initial_epoch=initial_epoch,
        batch_size=16,
        shuffle=False,
        verbose=0,
        **options,
    )


def assert_same(found, expected):
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def state(model):
    return [*model.get_weights(), *(v.numpy() for v in model.optimizer.variables)]


@pytest.mark.parametrize("name", ["SGD", "RMSprop", "Adam", "Ftrl"])
def test_fit_learns_and_a_saved_model_goes_on_exactly(name, tmp_path):
    model = make_model(make(name))
    losses = fit(model, 4).history["loss"]
    assert losses[-1] < losses[0]
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded.optimizer) is type(model.optimizer)
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    assert_same(state(loaded), state(model))
    for each in (model, loaded):
        fit(each)
    assert_same(state(loaded), state(model))


@pytest.mark.parametrize("name", ["Adam"])
def test_backup_and_restore_goes_on_exactly(name, tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    expected = make_model(make(name))
    fit(expected, 4)
    backup = lambda: keras.callbacks.BackupAndRestore(tmp_path / "backup")  # noqa: E731
    with pytest.raises(KeyboardInterrupt):
        fit(make_model(make(name)), 4, callbacks=[backup(), Stop()])
    resumed = make_model(make(name))
    fit(resumed, 4, callbacks=[backup()])
    assert_same(state(resumed), state(expected))


@pytest.mark.parametrize("name", ["RMSprop", "Adam"])
def test_a_checkpoint_goes_on_exactly(name, tmp_path):
    model = make_model(make(name))
    fit(model)
    path = tf.train.Checkpoint(model=model, optimizer=model.optimizer).save(tmp_path / "c")
    other = make_model(make(name))
    fit(other, 1)
    checkpoint = tf.train.Checkpoint(model=other, optimizer=other.optimizer)
    checkpoint.restore(path).assert_existing_objects_matched()
    for each in (model, other):
        fit(each)
    assert_same(state(other), state(model))


def test_a_checkpoint_that_is_restored_before_the_slots_exist(tmp_path):
    model = make_model(make("Adam"))
    fit(model)
    path = tf.train.Checkpoint(optimizer=model.optimizer).save(tmp_path / "c")
    optimizer = make("Adam")
    tf.train.Checkpoint(optimizer=optimizer).restore(path)
    optimizer.build(model.trainable_variables)
    assert_same(
        [v.numpy() for v in optimizer.variables], [v.numpy() for v in model.optimizer.variables]
    )


# RMSprop with momentum has as many slots of the same shapes as Adam.
@pytest.mark.parametrize("saved, other", [("RMSprop", "Adam"), ("Adam", "SGD"), ("Adam", "AdamW")])
def test_a_checkpoint_of_another_optimizer_is_refused_and_nothing_is_lost(saved, other, tmp_path):
    model = make_model(make(saved))
    fit(model)
    path = tf.train.Checkpoint(optimizer=model.optimizer).save(tmp_path / "c")
    victim = make_model(make(other))
    fit(victim)
    before = state(victim)
    with pytest.raises(
        ValueError, match=f"of an optimizer {saved}, .* into one of the class {other}"
    ):
        tf.train.Checkpoint(optimizer=victim.optimizer).restore(path)
    assert_same(state(victim), before)


@pytest.mark.parametrize("saved, other", [("RMSprop", "Adam"), ("Adam", "SGD")])
def test_a_backup_of_another_optimizer_is_refused(saved, other, tmp_path):
    model = make_model(make(saved))
    fit(model)
    store = keras.src.saving.saving_lib.H5IOStore(tmp_path / "o.h5", mode="w")
    model.optimizer.save_own_variables(store.make("optimizer"))
    store.close()
    victim = make_model(make(other))
    fit(victim)
    before = state(victim)
    store = keras.src.saving.saving_lib.H5IOStore(tmp_path / "o.h5", mode="r")
    with pytest.raises(ValueError, match=f"of an optimizer {saved}, .* {other}"):
        victim.optimizer.load_own_variables(store.get("optimizer"))
    store.close()
    assert_same(state(victim), before)


def test_a_model_that_was_saved_before_its_first_step(tmp_path):
    make_model(make("Adam")).save(tmp_path / "model.keras")
    fit(keras.saving.load_model(tmp_path / "model.keras"))


def test_state_of_another_model_is_refused_by_its_shapes():
    optimizer = optimizers.Adam()
    optimizer.build([keras.Variable(np.zeros([4, 2]))])
    other = optimizers.Adam()
    other.build([keras.Variable(np.zeros([5, 2]))])
    saved = {}
    other.save_own_variables(saved)
    with pytest.raises(ValueError, match="that of another optimizer or model. Nothing was changed"):
        optimizer.load_own_variables(saved)


def test_kerass_own_optimizer_and_ours_read_each_others_state():
    variable = keras.Variable(np.ones([4, 2], np.float32))
    ours, theirs = optimizers.Adam(0.1), keras.optimizers.Adam(0.1)
    theirs.apply([tf.ones([4, 2])], [variable])
    ours.build([variable])
    saved = {}
    theirs.save_own_variables(saved)
    ours.load_own_variables(saved)
    assert_same([v.numpy() for v in ours.variables], [v.numpy() for v in theirs.variables])
    saved = {}
    ours.save_own_variables(saved)
    theirs.load_own_variables(saved)


def test_mixed_precision_with_loss_scaling():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        optimizer = optimizers.LossScaleOptimizer(optimizers.Adam(0.05), initial_scale=64.0)
        model = make_model(optimizer)
        assert model.optimizer is optimizer
        losses = fit(model, 8).history["loss"]
    finally:
        keras.config.set_dtype_policy("float32")
    assert losses[-1] < 0.5 * losses[0]
    assert {v.dtype for v in model.trainable_variables} == {"float32"}


def test_callbacks_change_the_rate():
    model = make_model(optimizers.SGD(1.0))
    fit(
        model, 3, callbacks=[keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (1 + epoch))]
    )
    np.testing.assert_allclose(model.optimizer.learning_rate.numpy(), 0.1 / 3, rtol=1e-6)


@pytest.fixture(scope="module")
def replicas():
    return json.loads(processes.run("row_optimizer_replicas.py"))


@pytest.mark.parametrize("name", row_optimizer_replicas.CASES)
def test_replicas_sum_their_slices(name, replicas):
    """The same as one device that got all slices: rows repeat across replicas."""
    (first, second), expected = replicas[name]
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first, expected, rtol=1e-5)
    assert np.any(np.array(first) != 1)
