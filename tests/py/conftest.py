# SPDX-License-Identifier: Apache-2.0
"""What holds for all tests: set before anything imports TensorFlow."""

import os
import pathlib
import re
import sys

import pytest

# The tests import the installed package, but "python -m pytest" puts the source folder first.
_TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:] = [entry for entry in sys.path if pathlib.Path(entry).resolve() != _TOP]

# TensorFlow counts allocated bytes where it uses oneDNN: by default on processors with
# AVX512-VNNI, elsewhere if told to.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


# Modules whose tests hold on any device: "-m gpu" runs them on a GPU.
_ON_ANY_DEVICE = [
    "test_functional_learned",
    "test_sampler_assignments",
    "test_sampler_checkpoints",
    "test_sampler_core_ids",
    "test_sampler_graphs",
    "test_sampler_layout",
    "test_sampler_saved_models",
    "test_sampler_stateless",
    "test_sampler_statistics",
]


def _wants_gpu(config):
    return re.search(r"(?<!not )\bgpu\b", config.getoption("-m") or "") is not None


def pytest_configure(config):
    config.addinivalue_line("markers", "gpu: needs a GPU that TensorFlow sees")
    # Processes that tests start find the same helpers.
    paths = [*map(str, config.getini("pythonpath")), os.environ.get("PYTHONPATH")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    if _wants_gpu(config):
        # Some tests start other processes that draw.
        os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    else:
        # TensorFlow would place what has kernels for both on the GPU.
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"


def pytest_generate_tests(metafunc):
    if _wants_gpu(metafunc.config) and metafunc.module.__name__.split(".")[-1] in _ON_ANY_DEVICE:
        metafunc.fixturenames.append("within_device")
        metafunc.parametrize(
            "within_device", [pytest.param("/GPU:0", marks=pytest.mark.gpu)], indirect=True
        )


@pytest.fixture
def within_device(request):
    import tensorflow as tf

    with tf.device(request.param):
        yield


def pytest_runtest_setup(item):
    if item.get_closest_marker("gpu"):
        import tensorflow as tf

        if not tf.config.list_physical_devices("GPU"):
            pytest.skip("TensorFlow sees no GPU")
