# SPDX-License-Identifier: Apache-2.0
"""What came out: the table to read, figures to keep, the picture."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from contest import POPULARITY, TOP, Outcome
from ratings import Ratings

_FULL, _UNCORRECTED = "full softmax", "in-batch"
_GREY, _BLUE, _ORANGE = "#9aa5b1", "#1f6fb2", "#e0a030"
_COLOURS = {
    POPULARITY: "#c8ced6",
    _UNCORRECTED: _ORANGE,
    "in-batch, log q": _BLUE,
    "in-batch, log q anew": "#63a3d8",
    "mixed": "#2a9d78",
    "sampled softmax": "#8a6fc0",
    _FULL: "#3b4754",
}


def figures(ratings: Ratings, outcomes: list[Outcome], setting: dict) -> dict:
    """All figures, as they are written to report.json."""
    return {
        "users": ratings.num_users,
        "movies": ratings.num_movies,
        "setting": {name: setting[name] for name in ("epochs", "seed")},
        "ways": {
            outcome.way: {
                **{f"HR@{k}": outcome.hits[k] for k in TOP},
                "MRR": outcome.reciprocal_rank,
                "popularity": outcome.popularity,
                "seconds": outcome.seconds,
                "validation": outcome.validation,
            }
            for outcome in outcomes
        },
    }


def error(share: float, users: int) -> float:
    """The standard error of a share of users."""
    return float(np.sqrt(share * (1 - share) / users))


def comparison(found: dict) -> str:
    """A table: hits, mean reciprocal rank, and what is recommended, for each way."""
    heads = (*(f"HR@{k}" for k in TOP), "MRR", "popularity", "seconds")
    lines = [f"{'':26}" + "".join(f"{head:>15}" for head in heads)]
    for way, figure in found["ways"].items():
        shares = (figure[f"HR@{k}"] for k in TOP)
        cells = [f"{share:.3f} ± {error(share, found['users']):.3f}" for share in shares]
        seconds = f"{figure['seconds']:.1f}" if figure["seconds"] else "-"
        cells += [f"{figure['MRR']:.3f}", f"{figure['popularity']:.0f}", seconds]
        lines.append(f"{way:26}" + "".join(f"{cell:>15}" for cell in cells))
    return "\n".join(lines)


def remarks(found: dict) -> list[str]:
    """What the columns are, and the result in a sentence."""
    lines = [
        f"HR@k: the share of users whose movie is among the first k of {found['movies']:,}.",
        "popularity: the mean place, by how often watched, of the ten movies recommended.",
    ]
    ways = found["ways"]
    corrected = [way for way in ways if way not in (POPULARITY, _UNCORRECTED)]
    if _UNCORRECTED in ways and corrected:
        best = max(corrected, key=lambda way: ways[way]["HR@10"])
        ratio = ways[best]["HR@10"] / max(ways[_UNCORRECTED]["HR@10"], 1 / found["users"])
        lines.append(
            f"Without a correction the batch's own items teach to avoid popular movies: {best!r} "
            f"has {ratio:.1f} times its hits at 10."
        )
    return lines


def picture(path: Path, found: dict) -> None:
    """Saves hits by epoch, and hits on the test, as a PNG."""
    plt.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False})
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), width_ratios=(2, 3))
    ways = found["ways"]

    for way, outcome in ways.items():
        if outcome["validation"]:
            epochs = range(1, len(outcome["validation"]) + 1)
            left.plot(epochs, outcome["validation"], ".-", color=_COLOURS[way], label=way)
    left.set(title="Validation movies among the first 10", xlabel="epoch", ylabel="share of users")
    left.set_ylim(bottom=0)
    if left.lines:
        left.legend(frameon=False, fontsize=8)

    x = np.arange(len(ways))
    colours = [_COLOURS[way] for way in ways]
    for i, k in enumerate(reversed(TOP)):
        shares = [outcome[f"HR@{k}"] for outcome in ways.values()]
        drawn = right.bar(x, shares, 0.6, color=colours, alpha=0.4 if i == 0 else 1)
        right.bar_label(drawn, [f"{share:.3f}" for share in shares], fontsize=8, padding=1)
    right.set(title=f"Test movies among the first {TOP[1]} (pale) and {TOP[0]}")
    names = [way.replace(", ", ",\n").replace("softmax", "\nsoftmax") for way in ways]
    right.set_xticks(x, names, fontsize=8)

    figure.tight_layout()
    figure.savefig(path, dpi=130)
    plt.close(figure)
