# SPDX-License-Identifier: Apache-2.0
"""The layers with Keras 2, which TensorFlow chooses once: in a process of its own."""

import pathlib

import processes
import pytest
import tensorflow as tf

pytestmark = pytest.mark.skipif(
    issubclass(tf.keras.layers.Layer, tf.Module), reason="tf.keras is Keras 2 already"
)


CHOSEN = (
    "(reports_and_learns and not (NCE or eagerly or execution)) or test_tied_embedding"
    " or (Ragged and (keras_file or exported_scores))"
)


def test_fit_and_saving_with_keras_2():
    """Of those tests the ones that go through most of Keras; all of them passed by hand."""
    folder = pathlib.Path(__file__).parent
    tests = [folder / name for name in ("test_layer_fit.py", "test_layer_saving.py")]
    pytest_of = ["-m", "pytest", "-q", "-x", "-k", CHOSEN, "-p", "no:cacheprovider", *tests]
    summary = processes.run(*pytest_of, TF_USE_LEGACY_KERAS="1", timeout=600).splitlines()[-1]
    assert " passed" in summary


def test_without_keras():
    code = """
import sys
sys.modules["keras"] = None  # as if it were not installed
import tf_candsamp as tfcs
try:
    tfcs.keras
except ImportError as error:
    print(error)
print(tfcs.sampled_softmax_loss.__name__)
"""
    error, name = processes.run("-c", code).splitlines()
    assert error.startswith("tf_candsamp.keras needs Keras on the backend tensorflow")
    assert name == "sampled_softmax_loss"


def test_files_name_the_layers_after_the_package_alone_is_imported():
    """Keras looks the class up by its name."""
    code = """
import tensorflow as tf
import tf_candsamp
print(tf.keras.utils.get_registered_object("tf_candsamp>SampledSoftmax").__name__)
"""
    assert processes.run("-c", code).split() == ["SampledSoftmax"]
