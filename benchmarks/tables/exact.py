# SPDX-License-Identifier: Apache-2.0
"""Blocks of benchmarks/exact.py."""

import results

from . import markdown as md

MS = 1e-3
WHAT = {
    "step": "loss and gradients",
    "loss": "loss alone",
    "rank": "`label_rank`",
    "top": "`top_k`, k = 100",
}
SIDES = ("core", "ours")


def full_table(run):
    heads = "what|B|D|V|TensorFlow ms|ours ms|peak MB: TensorFlow / ours|floor ms|share of it"
    return md.table(
        heads.split("|"),
        [
            [
                WHAT[case["what"]],
                f"{case['B']:,}",
                f"{case['D']}",
                f"{case['V']:,}",
                md.scaled(case["seconds"]["core"]["median"], MS, 1),
                md.scaled(case["seconds"]["ours"]["median"], MS, 1)
                + ", "
                + md.with_quartiles(case["ratios"]["core/ours"], 2),
                " / ".join(md.megabytes(case["peak_bytes"][side], 0) for side in SIDES),
                md.scaled(case["floor_seconds"], MS, 1),
                md.percent(case["floor_seconds"] / case["seconds"]["ours"]["median"]),
            ]
            for case in run["results"]
        ],
    )


BLOCKS = {"exact": lambda folder: md.sections(results.load("exact", folder), full_table)}
