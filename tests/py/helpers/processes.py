# SPDX-License-Identifier: Apache-2.0
"""Python processes that tests start. They find the modules that the tests find (conftest.py)."""

import importlib.util
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
PROGRAMS = ROOT / "tests" / "py" / "programs"

# An environment in which tf.keras is Keras 2. In TensorFlow 2.15, which has no tf_keras, it is.
KERAS_2 = {"TF_USE_LEGACY_KERAS": "1"} if importlib.util.find_spec("tf_keras") else {}


def start(*arguments, cwd=PROGRAMS, **environment):
    """Starts Python with the arguments."""
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def output_of(process, timeout=300):
    """What the process writes. It must succeed."""
    try:
        output, errors = process.communicate(timeout=timeout)
    finally:
        process.kill()
    assert process.returncode == 0, f"{output[-4000:]}{errors[-4000:]}"
    return output


def run(*arguments, timeout=300, **options):
    """What Python with the arguments writes. It must succeed."""
    return output_of(start(*arguments, **options), timeout)
