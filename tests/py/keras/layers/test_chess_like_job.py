# SPDX-License-Identifier: Apache-2.0
"""The whole job of a game with many moves: fit with callbacks, an interruption, export, reload."""

import json

import numpy as np
import processes
import pytest
import tensorflow as tf

import tf_candsamp as tfcs

keras = pytest.importorskip("keras", minversion="3")

MOVES, STATE, POSITIONS = 5_000, 8, 1_536


def positions(seed):
    """States, legal moves and the chosen one: the legal move whose hidden description fits best.

    Candidates are ascending, so their order says nothing.
    """
    rng = np.random.default_rng(seed)
    described = np.random.default_rng(0).normal(size=(MOVES, STATE)).astype(np.float32)
    states = rng.normal(size=(POSITIONS, STATE)).astype(np.float32)
    lengths = rng.integers(2, 40, POSITIONS)
    # One move in 25 is ever legal, so that a few thousand positions teach each of them.
    legal = [np.sort(rng.choice(MOVES // 25, n, replace=False)) * 25 for n in lengths]
    chosen = [row[np.argmax(described[row] @ x)] for row, x in zip(legal, states, strict=True)]
    splits = np.cumsum([0, *lengths])
    return {
        "state": states,
        "legal": tfcs.data.RaggedRows(np.concatenate(legal), splits),
        "chosen": np.array(chosen)[:, None],
    }


class Interruption(Exception):
    """Stands for a machine that goes away."""


class Interrupt(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 2:
            raise Interruption


def models():
    keras.utils.set_random_seed(1)
    state = keras.Input([STATE], name="state")
    legal = keras.Input([None], dtype="int64", ragged=True, name="legal")
    chosen = keras.Input((1,), dtype="int64", name="chosen")
    layer = tfcs.keras.layers.RaggedSampledSoftmax(MOVES, top_k=5)
    hidden = keras.layers.Dense(STATE)(state)
    model = keras.Model([state, legal, chosen], layer(hidden, legal, labels=chosen))
    model.compile(keras.optimizers.Adam(0.02))
    return (
        model,
        keras.Model([state, legal], layer(hidden, legal)),
        layer,
        keras.Model(state, hidden),
    )


def fit(model, folder, *callbacks):
    training, held_out = (tfcs.data.ragged_batches(positions(s), 128, seed=1) for s in (1, 2))
    stop = keras.callbacks.EarlyStopping(
        "val_accuracy", mode="max", patience=2, restore_best_weights=True
    )
    backup = keras.callbacks.BackupAndRestore(folder)
    callbacks = [stop, backup, *callbacks]
    return model.fit(
        training, validation_data=held_out, epochs=10, verbose=0, shuffle=False, callbacks=callbacks
    ).history


RELOAD = """
import json, sys
import numpy as np, tensorflow as tf
import tf_candsamp as tfcs
signature = tf.saved_model.load(sys.argv[1]).signatures["serve"]
given = np.load(sys.argv[2])
scores = signature(**{name: tf.constant(given[name]) for name in given})
(name,) = (n for n in scores if not n.endswith("_row_splits"))
model = tf.keras.models.load_model(sys.argv[3])
print(json.dumps([scores[name].numpy().tolist(), len(model.weights)]))
"""


def test_job(tmp_path):
    model, _, _, _ = models()
    with pytest.raises(Interruption):
        fit(model, tmp_path / "backup", Interrupt())
    model, scorer, layer, tower = models()  # as in a process that starts again
    history = fit(model, tmp_path / "backup")
    assert 0 < len(history["nll"]) <= 8  # epochs 3 to 10: two were done
    assert set(history) == {
        f"{prefix}{name}"
        for prefix in ("", "val_")
        for name in ("loss", "nll", "accuracy", "top_5_accuracy")
    }
    held_out = positions(2)
    found = model.evaluate(tfcs.data.ragged_batches(held_out, 512), verbose=0, return_dict=True)
    assert found["accuracy"] == pytest.approx(max(history["val_accuracy"]), abs=1e-6)
    assert found["accuracy"] > 0.5  # by chance 0.1

    # Inference: the best moves, and what the evaluation says of them.
    legal = tf.RaggedTensor.from_row_splits(*held_out["legal"])
    best = layer.top_k(tower(held_out["state"]), legal, 5)
    in_best = (best.indices.numpy() == held_out["chosen"]).any(axis=1).mean()
    assert found["top_5_accuracy"] == pytest.approx(in_best, abs=1e-6)

    # Another process scores the same.
    tfcs.keras.export(scorer, tmp_path / "exported")
    model.save(tmp_path / "model.keras")
    arguments = {
        "state": held_out["state"],
        "legal": legal.values.numpy(),
        "legal_row_splits": legal.row_splits.numpy(),
    }
    np.savez(tmp_path / "given.npz", **arguments)
    paths = [tmp_path / name for name in ("exported", "given.npz", "model.keras")]
    scores, variables = json.loads(processes.run("-c", RELOAD, *paths).splitlines()[-1])
    want = scorer([tf.constant(held_out["state"]), legal])
    np.testing.assert_allclose(scores, want.values, rtol=1e-5, atol=1e-6)
    assert variables == len(model.weights)
