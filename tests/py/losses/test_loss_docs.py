# SPDX-License-Identifier: Apache-2.0
"""Docs of the losses' ops."""

import pytest
from internals import ops


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
