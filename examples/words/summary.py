# SPDX-License-Identifier: Apache-2.0
"""What came out: tables to read, figures to keep, the picture."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from network import FULL, OURS, STOCK, WAYS
from race import Run, Setting

_COLOURS = {FULL: "#9aa5b1", STOCK: "#e0a030", OURS: "#1f6fb2"}


def figures(runs: list[Run], setting: Setting, about: dict, baselines: dict[str, float]) -> dict:
    """All figures, as they are written to report.json."""
    return {
        "about": about,
        "setting": vars(setting),
        "baselines": baselines,
        "ways": {way: _of_way([r for r in runs if r.way == way], setting) for way in WAYS},
        "runs": [vars(run) for run in runs],
    }


def _of_way(runs: list[Run], setting: Setting) -> dict:
    perplexity = [run.perplexity[-1] for run in runs]
    steps, seconds = runs[0].steps[-1], float(np.mean([run.seconds[-1] for run in runs]))
    return {
        "seeds": [run.seed for run in runs],
        "steps": steps,
        "seconds": seconds,
        "ms a step": 1e3 * seconds / steps,
        "ms of the loss": 1e3 * float(np.mean([run.loss_seconds for run in runs])),
        "tokens a second": steps * setting.batch / seconds,
        "perplexity": float(np.mean(perplexity)),
        "spread": float(np.std(perplexity, ddof=1)) if len(runs) > 1 else None,
    }


def comparison(found: dict) -> str:
    """A table: time and perplexity of each way."""
    heads = ("seeds", "steps", "seconds", "ms a step", "loss, ms", "share", "tokens/s")
    lines = [f"{'':14}" + "".join(f"{head:>10}" for head in heads) + f"{'perplexity':>16}"]
    for way, figure in found["ways"].items():
        cells = (
            f"{len(figure['seeds'])}",
            f"{figure['steps']:,}",
            f"{figure['seconds']:.1f}",
            f"{figure['ms a step']:.1f}",
            f"{figure['ms of the loss']:.1f}",
            f"{figure['ms of the loss'] / figure['ms a step']:.0%}",
            f"{figure['tokens a second']:,.0f}",
        )
        spread = "" if figure["spread"] is None else f" ± {figure['spread']:.1f}"
        lines.append(
            f"{way:14}"
            + "".join(f"{cell:>10}" for cell in cells)
            + f"{figure['perplexity']:10.1f}{spread}"
        )
    return "\n".join(lines)


def by_seed(found: dict) -> str:
    """A table: final perplexity and seconds of the sampled ways, seed by seed."""
    runs = {(run["way"], run["seed"]): run for run in found["runs"]}
    lines = [f"{'seed':>4}{STOCK:>22}{OURS:>22}{'difference':>13}{'time':>8}"]
    for seed in found["setting"]["seeds"]:
        stock, ours = runs[STOCK, seed], runs[OURS, seed]
        cells = [
            f"{run['perplexity'][-1]:.2f} in {run['seconds'][-1]:.1f} s" for run in (stock, ours)
        ]
        lines.append(
            f"{seed:4}"
            + "".join(f"{cell:>22}" for cell in cells)
            + f"{ours['perplexity'][-1] / stock['perplexity'][-1] - 1:+13.2%}"
            + f"{stock['seconds'][-1] / ours['seconds'][-1]:7.2f}x"
        )
    return "\n".join(lines)


def conclusion(found: dict) -> str:
    """The result in one sentence."""
    stock, ours, full = (found["ways"][way] for way in (STOCK, OURS, FULL))
    return (
        f"{OURS} does in {ours['seconds']:.1f} s what {STOCK} does in {stock['seconds']:.1f} s "
        f"({stock['seconds'] / ours['seconds']:.2f}x): held-out perplexity "
        f"{ours['perplexity']:.1f} and {stock['perplexity']:.1f}. A step of the {FULL} takes "
        f"{full['ms a step'] / stock['ms a step']:.0f} times as long as one of {STOCK}."
    )


def picture(path: Path, found: dict) -> None:
    """Saves perplexity by training time, and where the time of a step goes, as a PNG."""
    plt.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False})
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), width_ratios=(3, 2))

    labelled = set()
    for run in found["runs"]:
        way = run["way"]
        label = None if way in labelled else way
        labelled.add(way)
        left.plot(
            run["seconds"], run["perplexity"], ".-", color=_COLOURS[way], label=label, alpha=0.8
        )
    for name, value in found["baselines"].items():
        left.axhline(value, color="#c8ced6", linestyle="--", linewidth=1, zorder=0)
        left.annotate(
            name,
            (1, value),
            xycoords=("axes fraction", "data"),
            fontsize=8,
            ha="right",
            va="bottom",
            color="#7a8591",
        )
    left.set(title="Held-out perplexity, all classes", xlabel="seconds of training steps")
    left.set_yscale("log")
    ticks = [t for t in (200, 300, 400, 500, 700, 1000, 1500, 2000, 2500, 3000) if t]
    left.set_yticks(ticks, [f"{tick:,}" for tick in ticks])
    left.minorticks_off()
    values = [v for run in found["runs"] for v in run["perplexity"]]
    left.set_ylim(min(values) / 1.1, max(values) * 1.1)
    left.legend(frameon=False)

    ways = (STOCK, OURS)
    loss = [found["ways"][way]["ms of the loss"] for way in ways]
    step = [found["ways"][way]["ms a step"] for way in ways]
    rest = np.subtract(step, loss)
    colours = [_COLOURS[way] for way in ways]
    right.bar(ways, loss, 0.55, color=colours)
    top = right.bar(ways, rest, 0.55, bottom=loss, color=colours, alpha=0.35)
    right.bar_label(top, [f"{ms:.1f}" for ms in step], padding=2)
    for i, ms in enumerate(loss):
        right.annotate(f"loss {ms:.1f}", (i, ms / 2), ha="center", va="center", color="white")
    right.set(title="One step, ms")
    right.set_ylabel("loss and gradient; pale: all the rest")

    figure.tight_layout()
    figure.savefig(path, dpi=130)
    plt.close(figure)
