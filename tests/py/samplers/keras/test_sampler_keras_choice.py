# SPDX-License-Identifier: Apache-2.0
"""Samplers with the other choices of Keras: version 2, another backend, none.

TensorFlow chooses once, so other choices are made in processes of their own.
"""

import pathlib
import sys
import types

import processes
import pytest
import tensorflow as tf
from internals import keras_layer

import tf_candsamp as tfcs

pytestmark = pytest.mark.skipif(
    issubclass(tf.keras.layers.Layer, tf.Module), reason="tf.keras is Keras 2 already"
)


def test_what_keras_2_saves():
    tests = pathlib.Path(__file__).with_name("test_sampler_keras_saving.py")
    pytest_of = ["-m", "pytest", "-q", "-p", "no:cacheprovider", tests]
    summary = processes.run(*pytest_of, TF_USE_LEGACY_KERAS="1").splitlines()[-1]
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
    want, restored, copied, new = eval(processes.run("-c", WITHOUT_KERAS))
    assert restored == copied == want != new


def test_no_layer_is_made_where_keras_runs_on_another_backend(monkeypatch):
    assert keras_layer() is tf.keras.layers.Layer
    monkeypatch.setattr(tf.keras.backend, "backend", lambda: "jax")
    assert keras_layer() is None


def test_another_keras_is_warned_of(monkeypatch):
    monkeypatch.setitem(sys.modules, "tf_keras", types.ModuleType("tf_keras"))
    for make in (lambda: tfcs.UniformSampler(5), lambda: tfcs.LearnedUnigramSampler(5)):
        with pytest.warns(UserWarning, match="TF_USE_LEGACY_KERAS=1") as warned:
            make()
        assert warned[0].filename == __file__
