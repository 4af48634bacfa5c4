# SPDX-License-Identifier: Apache-2.0
"""Blocks of benchmarks/ragged.py."""

import results

from . import markdown as md

MS = 1e-3
LOSSES = {"softmax": "softmax", "nce": "NCE"}
SIDES = ("ours", "composed", "padded")
OTHERS = SIDES[1:]


def ratio(case, side):
    return case["ratios"][f"{side}/ours"]


def share(case):
    return case["floor_seconds"] / case["seconds"]["ours"]["median"]


def shape(case):
    candidates = f"{case['candidates']:,} ({case['longest']:,})"
    return f"{case['V']:,}", f"{case['B']}", f"{case['D']}", candidates


def full_table(run):
    heads = (
        "loss|V|B|D|candidates (longest)|ours ms|composed|padded|ours peak MB|composed|padded"
        "|floor ms|share of it"
    ).split("|")
    return md.table(
        heads,
        [
            [
                LOSSES[case["loss"]],
                *shape(case),
                md.scaled(case["seconds"]["ours"]["median"], MS, 2),
                *(md.with_quartiles(ratio(case, side)) for side in OTHERS),
                *(md.megabytes(case["peak_bytes"][side], 0) for side in SIDES),
                md.scaled(case["floor_seconds"], MS, 2),
                md.percent(share(case)),
            ]
            for case in run["results"]
        ],
    )


def summary_cell(case):
    ratios = " / ".join(md.times(ratio(case, side)["median"]) for side in OTHERS)
    return f"{md.scaled(case['seconds']['ours']['median'], MS, 2)} ms: {ratios}"


def summary(folder):
    return md.by_machine(
        results.load("ragged", folder),
        ["loss", "V", "B", "D", "candidates (longest)"],
        lambda case: (LOSSES[case["loss"]], *shape(case)),
        summary_cell,
    )


def short(folder):
    """One table for all machines, of the softmax."""

    def key(case):
        return shape(case) if case["loss"] == "softmax" else None

    def spans(cases, side):
        return md.span([ratio(case, side)["median"] for case in cases], md.times)

    def peaks(cases, side):
        return md.span([case["peak_bytes"][side] for case in cases], lambda b: md.megabytes(b, 0))

    heads = (
        "V|B|D|candidates (longest)|composed|padded|ours peak MB|composed|padded"
        "|floor's share of our time"
    ).split("|")
    return md.table(
        heads,
        [
            [
                *case_shape,
                *(spans(cases, side) for side in OTHERS),
                *(peaks(cases, side) for side in SIDES),
                md.span([share(case) for case in cases], md.percent),
            ]
            for case_shape, cases in md.over_machines(results.load("ragged", folder), key).items()
        ],
    )


BLOCKS = {
    "ragged": lambda folder: md.sections(results.load("ragged", folder), full_table),
    "ragged-summary": summary,
    "ragged-short": short,
}
