"""What holds for all tests: set before anything imports TensorFlow."""

import os
import pathlib
import sys

# Under importlib mode pytest does not let the tests import the helpers beside them.
sys.path.append(str(pathlib.Path(__file__).resolve().parent))

# TensorFlow counts allocated bytes where it uses oneDNN: by default on processors with
# AVX512-VNNI, elsewhere if told to.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
