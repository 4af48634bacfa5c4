# SPDX-License-Identifier: Apache-2.0
"""Docs of the losses' ops, and the examples in the functions' docstrings."""

import doctest
import re

import numpy as np
import pytest
import ragged_cases as rc
import tensorflow as tf
from internals import ops

import tf_candsamp as tfcs


@pytest.mark.parametrize(
    "name, words",
    [
        (
            "ragged_sampled_softmax_loss",
            ["logsumexp", "weights", "unscaled_inputs_grad", "For inputs [["],
        ),
        ("resource_ragged_sampled_softmax_loss", ["logsumexp"]),
        ("ragged_nce_loss", ["softplus", "For inputs [["]),
        ("resource_ragged_nce_loss", ["softplus"]),
        ("ragged_candidate_logits", ["candidates", "For inputs [["]),
        ("resource_ragged_candidate_logits", ["row_ids"]),
        ("ragged_loss_grad", ["ascending indices"]),
        ("ragged_candidate_logits_grad", ["rows"]),
        ("not_twice_differentiable", ["fails and names the op"]),
        ("sampled_softmax_loss", ["logsumexp", "For inputs [["]),
        ("resource_sampled_softmax_loss", ["logsumexp"]),
        ("nce_loss", ["softplus"]),
        ("resource_nce_loss", ["softplus"]),
        ("sampled_loss_grad", ["distinct indices"]),
    ],
)
def test_docs_of_ops(name, words):
    doc = getattr(ops, f"candsamp_{name}").__doc__
    for word in words:
        assert word in doc


class _Numbers(doctest.OutputChecker):
    """Compares text literally and numbers to six digits."""

    NUMBER = re.compile(r"-?\d+\.\d*(?:e-?\d+)?")

    def check_output(self, want, got, optionflags):
        numbers = [list(map(float, self.NUMBER.findall(text))) for text in (want, got)]
        if len(numbers[0]) != len(numbers[1]) or not np.allclose(*numbers, rtol=1e-6):
            return False
        texts = [re.sub(r"\s+|(?=\])", "", self.NUMBER.sub("#", text)) for text in (want, got)]
        return super().check_output(*texts, optionflags)


@pytest.mark.parametrize("kind", rc.KINDS)
def test_examples_in_docstrings(kind):
    function = rc.FUNCTIONS[kind]
    tests = doctest.DocTestFinder().find(
        function, function.__name__, globs={"tf": tf, "tfcs": tfcs}
    )
    examples = [example for test in tests for example in test.examples]
    assert sum(bool(example.want) for example in examples) >= 1
    log = []
    runner = doctest.DocTestRunner(checker=_Numbers())
    for test in tests:
        runner.run(test, out=log.append)
    assert runner.failures == 0, "".join(log)
