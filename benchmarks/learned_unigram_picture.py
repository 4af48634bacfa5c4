# SPDX-License-Identifier: Apache-2.0
"""Draws docs/learned_unigram.png from the newest results of learned_counts and learned_unigram.

Run: .venv/bin/python benchmarks/learned_unigram_picture.py
"""

import matplotlib.pyplot as plt
import results

COLOURS = {"ours": "#1f6fb2", "core": "#9aa5b1"}
NAMES = {"ours": "ours", "core": "TensorFlow"}
PICTURE = results.ROOT / "docs/learned_unigram.png"


def draw_learned(axes, learned):
    """What was learned, by rank."""
    ranks = learned["ranks"]
    axes.plot(ranks, learned["shares"], color="#e0a030", label="true share of the class")
    axes.plot(
        ranks, learned["probabilities"], "o", ms=3.5, color=COLOURS["ours"], label="as learned"
    )
    axes.set(
        title=f"One pass over {learned['occurrences'] / 1e6:.1f} million words",
        xlabel=f"rank of the class, of {learned['V']:,}",
        ylabel="probability",
        xscale="log",
        yscale="log",
    )
    axes.legend(frameon=False)


def draw_costs(axes, costs):
    """Costs by number of classes."""
    classes = [cost["V"] for cost in costs]
    for what, style in (("draw", "o-"), ("update", "s--")):
        for side, colour in COLOURS.items():
            ns = [1e9 * cost["seconds"][f"{side} {what}"]["median"] for cost in costs]
            axes.plot(classes, ns, style, ms=4, color=colour, label=f"{NAMES[side]}, {what}")
    axes.set(
        title="Cost of a draw and of an update",
        xlabel="number of classes",
        ylabel="ns",
        yscale="log",
    )
    axes.set_xscale("log", base=2)
    axes.legend(frameon=False, fontsize=9)


def newest(benchmark):
    runs = results.load(benchmark)
    if not runs:
        raise SystemExit(
            f"docs/results has no results of {benchmark}: run benchmarks/{benchmark}.py."
        )
    return max(runs, key=lambda run: run["date"])["results"]


def main():
    plt.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False})
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8))
    draw_learned(left, newest("learned_counts")[0])
    draw_costs(right, newest("learned_unigram"))
    figure.tight_layout()
    figure.savefig(PICTURE, dpi=200)
    print(PICTURE)


if __name__ == "__main__":
    main()
