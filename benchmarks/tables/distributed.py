# SPDX-License-Identifier: Apache-2.0
"""Blocks of benchmarks/distributed.py."""

import results

from . import markdown as md

SIDES = ("ours", "theirs")


def steps_table(run):
    heads = "strategy|servers|table|V|ours ms|tf.nn ms|ratio|ours MB|tf.nn MB|share"
    heads = heads.split("|")

    def line(case):
        ours, theirs = (case["bytes"][side] for side in SIDES)
        return [
            case["strategy"],
            f"{case['servers'] or '-'}",
            case["table"],
            f"{case['V']:,}",
            *(md.scaled(case["seconds"][side]["median"], 1e-3, 1) for side in SIDES),
            md.with_quartiles(case["ratios"]["theirs/ours"], 2),
            # Replicas of one process send nothing.
            *(md.megabytes(size, 3) if size else md.NO_FIGURE for size in (ours, theirs)),
            md.percent(ours / theirs if theirs else None),
        ]

    return md.table(heads, [line(case) for case in run["results"]])


def page(folder):
    return md.sections(results.load("distributed", folder), steps_table)


BLOCKS = {"distributed": page}
