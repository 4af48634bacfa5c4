# SPDX-License-Identifier: Apache-2.0
"""Blocks of benchmarks/ragged_batches.py."""

import results

from . import markdown as md


def ratio(folder):
    """The span of Dataset.ragged_batch's time over ours, over all shapes and machines."""
    cases = [case for run in results.load("ragged_batches", folder) for case in run["results"]]
    medians = [case["ratios"]["theirs/ours"]["median"] for case in cases]
    return md.span(medians, lambda value: f"{value:.0f}")


BLOCKS = {"ragged-batches-ratio": ratio}
