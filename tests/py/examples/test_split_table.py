# SPDX-License-Identifier: Apache-2.0
"""The example of a class table that is split over workers."""

import re

import processes
import pytest

_MAIN = processes.ROOT / "examples" / "split_table" / "main.py"


def test_main(tmp_path):
    options = "--workers 2 --classes 301 --steps 60 --batch 64 --sampled 32".split()
    output = processes.run(_MAIN, *options, cwd=tmp_path)
    right = [float(share) for share in re.findall(r"([0-9.]+)% of 2,048", output)]
    assert len(right) == 5 and right[0] < 5 and right[-1] > 60
    told = re.findall(r"holds (\d+) rows; its sampler counted ([0-9,]+)", output)
    assert sorted(int(rows) for rows, _ in told) == [150, 151]
    assert sum(int(counted.replace(",", "")) for _, counted in told) == 60 * 2 * 64


def test_wrong_flags(tmp_path):
    with pytest.raises(AssertionError, match="--steps must be at least 1"):
        processes.run(_MAIN, "--steps", "0", cwd=tmp_path)
