# SPDX-License-Identifier: Apache-2.0
"""docs/api.md is what the docstrings make, and the docstrings' examples are right."""

import doctest
import importlib.util
import re

import numpy as np
import pytest
import tensorflow as tf
from processes import ROOT

import tf_candsamp as tfcs


def _tool():
    spec = importlib.util.spec_from_file_location("api_reference", ROOT / "tools/api_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TOOL = _tool()
NAMES = [name for module in TOOL.MODULES for name in TOOL.public_names(module)]
by_name = pytest.mark.parametrize("name", NAMES, ids=lambda name: name.name)


def test_page_is_up_to_date():
    pytest.importorskip("keras", minversion="3")  # without it there are fewer public names
    wrong = "docs/api.md is not what the docstrings make: run tools/api_reference.py"
    assert (ROOT / "docs/api.md").read_text() == TOOL.page(), wrong


def test_every_public_name_has_a_section():
    page = (ROOT / "docs/api.md").read_text()
    public = [name for name in tfcs.__all__ if callable(getattr(tfcs, name))]
    assert len(public) > 20
    assert [name for name in public if f"\n### {name}\n" not in page] == []


@by_name
def test_docstring_begins_with_a_sentence(name):
    assert re.match(r"[A-Z][^\n]*[.:]\n", name.thing.__doc__ + "\n")


class _Numbers(doctest.OutputChecker):
    """Compares text literally and numbers to six digits."""

    NUMBER = re.compile(r"-?\d+\.\d*(?:e-?\d+)?")

    def check_output(self, want, got, optionflags):
        numbers = [list(map(float, self.NUMBER.findall(text))) for text in (want, got)]
        if len(numbers[0]) != len(numbers[1]) or not np.allclose(*numbers, rtol=1e-6):
            return False
        texts = [re.sub(r"\s+|(?=\])", "", self.NUMBER.sub("#", text)) for text in (want, got)]
        return super().check_output(*texts, optionflags)


def _examples(name):
    finder = doctest.DocTestFinder(recurse=False)
    tests = finder.find(name.thing, name.name, globs={"tf": tf, "tfcs": tfcs, "np": np})
    return [test for test in tests if test.examples]


@by_name
def test_examples_in_docstrings(name):
    if not name.thing.__module__.startswith("tf_candsamp"):
        pytest.skip("this is Keras 2's own class")
    log = []
    runner = doctest.DocTestRunner(checker=_Numbers())
    for test in _examples(name):
        assert any(example.want for example in test.examples)
        runner.run(test, out=log.append)
    assert runner.failures == 0, "".join(log)


def test_losses_have_examples():
    losses = [name for name in NAMES if name.name.endswith(("_loss", "_logits"))]
    assert len(losses) >= 5
    assert [loss.name for loss in losses if not _examples(loss)] == []
