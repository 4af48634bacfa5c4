"""Sees to it that the tests import the installed package, not the source folder."""

import pathlib
import sys

# "python -m pytest" puts the working directory first.
_TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path[:] = [entry for entry in sys.path if pathlib.Path(entry).resolve() != _TOP]
