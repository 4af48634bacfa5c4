"""Lets the tests import the helpers beside them: under importlib mode pytest does not."""

import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parent))
