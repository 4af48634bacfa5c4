# SPDX-License-Identifier: Apache-2.0
"""The installed package: the one the tests import, its metadata, and what its import says."""

import importlib.metadata
import pathlib
import subprocess
import sys

import pytest
import tensorflow as tf
from internals import TF_VERSION
from processes import ROOT

import tf_candsamp as tfcs


def _minor(version):
    return version.split(".")[:2]


def _import_error(code, cwd):
    """The last line that importing the package prints, after `code`, in a Python started in cwd."""
    command = [sys.executable, "-c", code + "\nimport tf_candsamp"]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode != 0
    return done.stderr.strip().splitlines()[-1]


def test_the_wheel_is_what_is_tested():
    assert pathlib.Path(sys.prefix) in pathlib.Path(tfcs.__file__).parents
    assert importlib.metadata.version("tf_candsamp") == tfcs.__version__


def test_wheel_is_for_any_python_and_this_tensorflow():
    distribution = importlib.metadata.distribution("tf_candsamp")
    assert "Tag: py3-none-linux_x86_64" in distribution.read_text("WHEEL")
    assert _minor(TF_VERSION) == _minor(tf.__version__)
    major, minor = _minor(tf.__version__)
    assert f'tensorflow-cpu~={major}.{minor}.0; extra == "cpu"' in distribution.requires


def test_source_folder_says_why_it_cannot_be_imported():
    error = _import_error("", cwd=ROOT)
    assert error.startswith("ImportError: Python found the source folder")


def test_other_tensorflow_is_named(tmp_path):
    other = "import sys, types; sys.modules['tensorflow'] = tf = types.ModuleType('tensorflow')"
    error = _import_error(f"{other}; tf.__version__ = '2.3.4'", cwd=tmp_path)
    assert "TensorFlow 2.3.4 is installed" in error


def test_missing_tensorflow_is_named(tmp_path):
    error = _import_error("import sys; sys.modules['tensorflow'] = None", cwd=tmp_path)
    assert error.startswith("ImportError: tf_candsamp needs TensorFlow")


MODULES = [
    tfcs.candidate_samplers,
    tfcs.ragged_losses,
    tfcs.sampled_losses,
    tfcs.samplers,
    tfcs.stateless_samplers,
]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_public_names_are_promised(module):
    """What a public module defines without an underscore is part of the package's interface."""
    defined = {
        name
        for name, value in vars(module).items()
        if getattr(value, "__module__", None) == module.__name__ and name[0] != "_"
    }
    assert defined <= set(module.__all__) <= set(tfcs.__all__)
