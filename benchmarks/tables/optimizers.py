# SPDX-License-Identifier: Apache-2.0
"""Blocks of benchmarks/row_optimizers.py and benchmarks/train_step.py."""

import results

from . import markdown as md

MS, NS, GB = 1e-3, 1e-9, 1e9
NAMES = {
    "sgd": "SGD",
    "momentum": "momentum",
    "adagrad": "Adagrad",
    "ftrl": "FTRL",
    "adam": "Adam",
}
OTHERS = {"theirs": "Keras behind tf.nn", "v1": "tf.compat.v1", "keras": "Keras behind our loss"}
PARTS = ("call", "candidates", "loss", "optimizer")


def ratio_of(case):
    """Against TensorFlow's kernel, or the composition where it has none."""
    ((_, ratio),) = case["ratios"].items()
    return ratio


def share(case):
    return case["bytes_a_second"] / case["bandwidth"]


def rows_table(run):
    heads = (
        "optimizer|V|D|ours ns a row|shuffled|with repeats|TensorFlow|GB/s|of the bandwidth|ratio"
    ).split("|")

    def line(case):
        seconds = case["seconds"]
        other = seconds.get("core") or seconds["gathered"]
        note = "" if "core" in seconds else " (composed)"
        return [
            NAMES[case["optimizer"]],
            f"{case['V']:,}",
            f"{case['D']}",
            md.scaled(seconds["ours"]["median"], NS, 0),
            md.scaled(seconds["shuffled"]["median"], NS, 0),
            md.scaled(seconds["repeats"]["median"], NS, 0),
            md.scaled(other["median"], NS, 0) + note,
            md.scaled(case["bytes_a_second"], GB, 1),
            md.percent(share(case)),
            md.with_quartiles(ratio_of(case), 1),
        ]

    return md.table(heads, [line(case) for case in run["results"]])


def steps_table(run):
    heads = ["optimizer", "V", "D", "ours ms", *OTHERS.values()]

    def cell(case, other):
        ratio = case["ratios"].get(f"{other}/ours")
        if ratio is None:
            return md.NO_FIGURE
        shown = md.scaled(case["seconds"][other]["median"], MS, 1)
        return f"{shown}, {md.with_quartiles(ratio, 1)}"

    return md.table(
        heads,
        [
            [
                case["optimizer"],
                f"{case['V']:,}",
                f"{case['D']}",
                md.scaled(case["seconds"]["ours"]["median"], MS, 2),
                *(cell(case, other) for other in OTHERS),
            ]
            for case in run["results"]
        ],
    )


def short(folder):
    """What the whole step gains over Keras's optimizers behind tf.nn, over machines."""

    def key(case):
        return f"{case['V']:,}", f"{case['D']}"

    runs = results.load("train_step", folder)
    names = dict.fromkeys(case["optimizer"] for run in runs for case in run["results"])
    lines = {}
    for table, cases in md.over_machines(runs, key).items():
        cells = []
        for name in names:
            ratios = [c["ratios"]["theirs/ours"]["median"] for c in cases if c["optimizer"] == name]
            cells.append(md.span(ratios, lambda r: md.times(r, 1)))
        lines[table] = cells
    if not lines:
        return md.NONE_YET
    return md.table(["V", "D", *names], [[*table, *cells] for table, cells in lines.items()])


def v1_span(folder):
    """The same over the optimizers of tf.compat.v1, which touch the rows of a batch alone."""
    cases = [c for run in results.load("train_step", folder) for c in run["results"]]
    ratios = [c["ratios"]["v1/ours"]["median"] for c in cases if "v1/ours" in c["ratios"]]
    return md.span(ratios, lambda r: md.times(r, 1))


def parts_table(run):
    heads = ["optimizer", "V", "D", *(f"{part}: ours / theirs, ms" for part in PARTS)]
    return md.table(
        heads,
        [
            [
                case["optimizer"],
                f"{case['V']:,}",
                f"{case['D']}",
                *(
                    " / ".join(md.scaled(case["parts"][s][part], MS, 2) for s in ("ours", "theirs"))
                    for part in PARTS
                ),
            ]
            for case in run["results"]
        ],
    )


def block(benchmark, make):
    return lambda folder: md.sections(results.load(benchmark, folder), make).replace("## ", "### ")


BLOCKS = {
    "row-optimizers": block("row_optimizers", rows_table),
    "row-optimizers-huge-pages": block("row_optimizers_huge_pages", rows_table),
    "train-step": block("train_step", steps_table),
    "train-step-short": short,
    "train-step-v1": v1_span,
    "train-step-parts": block("train_step", parts_table),
}
