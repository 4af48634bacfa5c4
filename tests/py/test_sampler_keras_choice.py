"""Samplers with the other choices of Keras: version 2, another backend, none.

TensorFlow chooses once, so other choices are made in processes of their own.
"""

import os
import pathlib
import subprocess
import sys
import types

import pytest
import tensorflow as tf

import tf_candsamp as tfcs
from tf_candsamp import _keras_state

pytestmark = pytest.mark.skipif(
    issubclass(tf.keras.layers.Layer, tf.Module), reason="tf.keras is Keras 2 already"
)


def run(arguments, **environment):
    """What Python wrote, after it was called with the arguments and succeeded."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=pathlib.Path(__file__).parent,
        env=dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3", **environment),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_keras_2_saves():
    tests = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "test_sampler_keras_saving.py"]
    summary = run(tests, TF_USE_LEGACY_KERAS="1").splitlines()[-1]
    assert " passed" in summary and "skipped" not in summary


WITHOUT_KERAS = """
import copy, sys, tempfile
sys.modules["keras"] = None  # as if it were not installed
import tensorflow as tf
try:
    tf.keras.layers
except ImportError:
    pass
import tf_candsamp as tfcs
sampler, other = (tfcs.LearnedUnigramSampler(9, seed=seed) for seed in (1, 2))
sampler.sample(3, [[1]])
assert len(sampler.variables) == 2 and isinstance(sampler, tf.Module)
path = tf.train.Checkpoint(s=sampler).save(tempfile.mkdtemp() + "/c")
tf.train.Checkpoint(s=other).restore(path).assert_consumed()
copies = [other, copy.copy(sampler), type(sampler).from_config(sampler.get_config())]
print([s.sample(8, [[2]]).sampled_candidates.numpy().tolist() for s in [sampler, *copies]])
"""


def test_samplers_without_keras():
    want, restored, copied, new = eval(run(["-c", WITHOUT_KERAS]))
    assert restored == copied == want != new


def test_no_layer_is_made_where_keras_runs_on_another_backend(monkeypatch):
    assert _keras_state.keras_layer() is tf.keras.layers.Layer
    monkeypatch.setattr(tf.keras.backend, "backend", lambda: "jax")
    assert _keras_state.keras_layer() is None


def test_another_keras_is_warned_of(monkeypatch):
    monkeypatch.setitem(sys.modules, "tf_keras", types.ModuleType("tf_keras"))
    with pytest.warns(UserWarning, match="TF_USE_LEGACY_KERAS=1"):
        tfcs.UniformSampler(5)
