# SPDX-License-Identifier: Apache-2.0
"""Blocks of the samplers' benchmarks: samplers.py, sampler_calls.py, sampler_tables.py,
learned_unigram.py and learned_counts.py.
"""

import results

from . import markdown as md

SMALL, LARGE = 64, 65536
CLASSES = 1_000_000
NS = 1e-9


def title(kind):
    return kind.replace("log_uniform", "log-uniform").replace("_", " ")


def ratio(case, pair="core/ours"):
    return case["ratios"].get(pair)


def ns_a_sample(case, side):
    seconds = case["seconds"].get(side)
    return None if seconds is None else seconds["median"] / case["S"]


def shown_ns(case, side):
    return md.scaled(ns_a_sample(case, side), NS, 1)


def full_table(run):
    heads = (
        "sampler|V|S|unique|ours ns/sample|TF ns/sample|ratio|ours peak MB|TF peak MB"
        "|floor ns/sample|share of it"
    ).split("|")
    return md.table(
        heads,
        [
            [
                title(case["kind"]),
                f"{case['V']:,}",
                f"{case['S']:,}",
                md.yes_or_no(case["unique"]),
                shown_ns(case, "ours"),
                shown_ns(case, "core"),
                md.with_quartiles(ratio(case)),
                md.megabytes(case["peak_bytes"]["ours"]),
                md.megabytes(case["peak_bytes"].get("core")),
                md.scaled(case["floor_seconds"] / case["S"], NS, 1),
                md.percent(case["floor_seconds"] / case["seconds"]["ours"]["median"]),
            ]
            for case in run["results"]
        ],
    )


def summary_key(case):
    if case["V"] != CLASSES or case["S"] not in (SMALL, LARGE):
        return None
    return call_key(case)


def call_key(case):
    return title(case["kind"]), f"{case['S']:,}", md.yes_or_no(case["unique"])


def summary_cell(case):
    times = " / ".join(shown_ns(case, side) for side in ("ours", "core"))
    return f"{times} ({md.times(md.median(ratio(case)))})"


def single_calls(folder):
    runs = results.load("sampler_calls", folder)
    return md.by_machine(runs, ["sampler", "S", "unique"], call_key, summary_cell)


def single_call_span(folder):
    cases = [c for run in results.load("sampler_calls", folder) for c in run["results"]]
    return md.span([md.median(ratio(c)) for c in cases if c["S"] == LARGE], lambda r: f"{r:.0f}")


def summary(folder):
    runs = results.load("samplers", folder)
    return md.by_machine(runs, ["sampler", "S", "unique"], summary_key, summary_cell)


def ratio_span(size, show):
    """The span of TensorFlow's time over ours, over kinds of sampler and machines."""

    def block(folder):
        runs = results.load("samplers", folder)
        cases = [c for run in runs for c in run["results"]]
        chosen = [c for c in cases if c["V"] == CLASSES and c["S"] == size]
        return md.span([md.median(ratio(c)) for c in chosen], show)

    return block


def learned_cell(case, what):
    sides = (case["seconds"][f"{side} {what}"]["median"] for side in ("ours", "core"))
    ns = " / ".join(md.scaled(seconds, NS, 1) for seconds in sides)
    return f"{ns} ({md.times(md.median(ratio(case, f'core {what}/ours {what}')))})"


def learned_unigram(what):
    def block(folder):
        return md.by_machine(
            results.load("learned_unigram", folder),
            ["V"],
            lambda case: (f"{case['V']:,}",),
            lambda case: learned_cell(case, what),
        )

    return block


def learned_counts(folder):
    runs = results.load("learned_counts", folder)
    return md.by_machine(
        runs,
        ["classes", "occurrences"],
        lambda case: (f"{case['V']:,}", f"{case['occurrences'] / 1e6:.1f} million"),
        lambda case: (
            f"{md.scaled(md.median(case['seconds']['update']), NS, 1)} ns an update, "
            f"probabilities right to {case['largest_relative_error']:.1e}"
        ),
    )


def builds(folder):
    return md.by_machine(
        results.load("sampler_tables", folder),
        ["weights"],
        lambda case: (f"{case['V']:,}",) if case["what"] == "build" else None,
        lambda case: (
            f"{md.scaled(md.median(case['seconds']['ours']), 1, 3)} s / "
            f"{md.scaled(md.median(case['seconds']['core']), 1, 1)} s "
            f"({md.times(md.median(ratio(case)), 0)})"
        ),
    )


def looks(folder):
    runs = results.load("sampler_tables", folder)
    cases = [case for run in runs for case in run["results"] if case["what"] == "look"]
    if not cases:
        return md.NONE_YET
    names = {"once/never": "after one look", "each/never": "with a look before every draw"}
    lines = [
        [name, md.span([md.median(ratio(case, pair)) for case in cases], md.times)]
        for pair, name in names.items()
    ]
    return md.table(["a draw", "beside one without a look"], lines)


BLOCKS = {
    "samplers": lambda folder: md.sections(results.load("samplers", folder), full_table),
    "samplers-summary": summary,
    "sampler-calls": single_calls,
    "sampler-calls-ratio": single_call_span,
    "samplers-ratio-small": ratio_span(SMALL, lambda r: f"{r:.1f}"),
    "samplers-ratio-large": ratio_span(LARGE, lambda r: f"{r:.0f}"),
    "learned-unigram-draws": learned_unigram("draw"),
    "learned-unigram-updates": learned_unigram("update"),
    "learned-counts": learned_counts,
    "fixed-unigram-builds": builds,
    "learned-unigram-looks": looks,
}
