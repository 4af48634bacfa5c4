# SPDX-License-Identifier: Apache-2.0
"""Blocks of benchmarks/losses.py."""

import results

from . import markdown as md

MS = 1e-3
SIDES = ("ours", "recompute", "bfloat16")
LOSSES = {"softmax": "softmax", "nce": "NCE"}
# In these sets of instructions the library multiplies bfloat16 faster than float32.
BFLOAT16 = {"avx512_bf16", "amx_bf16"}


def ratio(case, side):
    return case["ratios"][f"core/{side}"]


def share(case):
    """How much of our time the floor is."""
    return case["floor_seconds"] / case["seconds"]["ours"]["median"]


def most(case):
    """How many times faster than TensorFlow's any float32 implementation could be."""
    return case["seconds"]["core"]["median"] / case["floor_seconds"]


def memory(case, side, baseline="core"):
    """Our peak memory over TensorFlow's; None where that is below what TensorFlow counts."""
    whole = case["peak_bytes"][baseline]
    return case["peak_bytes"][side] / whole if whole > 1e6 else None


def shown_ms(case, side):
    return md.scaled(case["seconds"][side]["median"], MS, 2)


def full_table(run):
    heads = (
        "loss|V|B|D|S|TensorFlow ms|ours ms|recompute ms|bfloat16 ms|floor ms|share of it"
        "|peak MB: TensorFlow / ours / recompute / bfloat16|TensorFlow eager"
    ).split("|")
    return md.table(
        heads,
        [
            [
                LOSSES[case["loss"]],
                f"{case['V']:,}",
                f"{case['B']}",
                f"{case['D']}",
                f"{case['S']:,}",
                shown_ms(case, "core"),
                *(
                    f"{shown_ms(case, side)}, {md.with_quartiles(ratio(case, side), 2)}"
                    for side in SIDES
                ),
                md.scaled(case["floor_seconds"], MS, 2),
                md.percent(share(case)),
                " / ".join(md.megabytes(case["peak_bytes"][s]) for s in ("core", *SIDES)),
                md.megabytes(case["peak_bytes"]["core, eager"], 0),
            ]
            for case in run["results"]
        ],
    )


def smallest_table(case):
    """Whether a case is of the number of classes that both losses were measured with."""
    return case["V"] == 100_000


def shape(case):
    return f"{case['B']}", f"{case['D']}", f"{case['S']:,}"


def summary_key(case):
    return (LOSSES[case["loss"]], *shape(case)) if smallest_table(case) else None


def summary_cell(case):
    ratios = " / ".join(md.times(ratio(case, side)["median"], 2) for side in SIDES)
    return f"{shown_ms(case, 'core')} ms: {ratios}; floor {md.times(most(case))}"


def summary(folder):
    heads = ["loss", "B", "D", "S"]
    return md.by_machine(results.load("losses", folder), heads, summary_key, summary_cell)


def memory_key(case):
    return None if memory(case, "ours") is None else summary_key(case)


def memory_cell(case):
    function = " / ".join(md.percent(memory(case, side)) for side in SIDES)
    eager = " / ".join(md.percent(memory(case, side, "core, eager")) for side in SIDES)
    return f"{function}; of eager {eager}"


def memory_table(folder):
    heads = ["loss", "B", "D", "S"]
    return md.by_machine(results.load("losses", folder), heads, memory_key, memory_cell)


def has_bfloat16(run):
    return BFLOAT16 & set(run["machine"]["instruction_sets"])


def runs_with_bfloat16(folder):
    return [run for run in results.load("losses", folder) if has_bfloat16(run)]


def ratio_span(side, load):
    """The span of TensorFlow's time over ours, over both losses, all shapes and machines."""

    def block(folder):
        cases = [case for run in load(folder) for case in run["results"]]
        return md.span([ratio(case, side)["median"] for case in cases], lambda r: f"{r:.1f}")

    return block


def memory_span(folder):
    cases = [case for run in results.load("losses", folder) for case in run["results"]]
    large = [case for case in cases if case["S"] == max(case["S"] for case in cases)]
    low, high = (
        md.span([memory(case, side) for case in large], lambda m: f"{100 * m:.0f}")
        for side in ("recompute", "ours")
    )
    return f"{high}% of the memory ({low}% with `recompute=True`)"


def short(folder):
    """One table for all machines."""

    def key(case):
        return shape(case) if smallest_table(case) and case["loss"] == "softmax" else None

    def spans(cases, side):
        return md.span([ratio(case, side)["median"] for case in cases], lambda r: md.times(r, 2))

    faster = md.over_machines(runs_with_bfloat16(folder), key)
    lines = [
        [
            *case_shape,
            spans(cases, "ours"),
            spans(faster.get(case_shape, []), "bfloat16"),
            spans(cases, "recompute"),
            md.span([share(case) for case in cases], md.percent),
        ]
        for case_shape, cases in md.over_machines(results.load("losses", folder), key).items()
    ]
    heads = "B|D|S|float32|bfloat16 (AVX512-BF16)|`recompute=True`|floor's share of our time"
    return md.table(heads.split("|"), lines)


BLOCKS = {
    "losses": lambda folder: md.sections(results.load("losses", folder), full_table),
    "losses-summary": summary,
    "losses-memory": memory_table,
    "losses-short": short,
    "losses-ratio": ratio_span("ours", lambda folder: results.load("losses", folder)),
    "losses-ratio-bfloat16": ratio_span("bfloat16", runs_with_bfloat16),
    "losses-memory-span": memory_span,
}
