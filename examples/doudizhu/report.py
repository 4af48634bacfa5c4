# SPDX-License-Identifier: Apache-2.0
"""The report: tables, a few positions in words, and the picture."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from baselines import BASELINES, Judged
from dataset import Positions
from engine import MOVES, PASS, RANKS, SEATS, counts

MODEL = "the model"
BINS = ((2, 2), (3, 4), (5, 8), (9, 16), (17, 32), (33, 64), (65, None))
_SPLIT = ("all", "leading", "following")
_CARDS = {"T": "10", "B": "joker", "R": "JOKER"}  # black, red


def _bins(positions: Positions) -> dict[str, np.ndarray]:
    """Which positions are in each bin of number of legal moves; empty bins are left out."""
    bins = {}
    for low, high in BINS:
        rows = (positions.num_legal >= low) & (positions.num_legal <= (high or np.inf))
        name = f"{low}+" if high is None else f"{low}-{high}" if high > low else str(low)
        if rows.any():
            bins[name] = rows
    return bins


def figures(positions: Positions, results: dict[str, Judged]) -> dict:
    """All figures: {group: {positions, accuracy: {predictor: ..}, nll: {predictor: ..}}}."""
    leading = positions.leading
    groups = dict(zip(_SPLIT, (np.ones_like(leading), leading, ~leading), strict=True))
    groups |= {f"{name} legal moves": rows for name, rows in _bins(positions).items()}
    return {
        group: {
            "positions": int(rows.sum()),
            "accuracy": {name: float(judged.hits[rows].mean()) for name, judged in results.items()},
            "nll": {
                name: float(judged.nll[rows].mean())
                for name, judged in results.items()
                if judged.nll is not None
            },
        }
        for group, rows in groups.items()
    }


def comparison(found: dict) -> str:
    """A table: accuracy and NLL of every predictor for all positions, leading and following."""
    heads = "".join(f"{group:>10}" for group in _SPLIT)
    lines = [f"{'':33}{'top-1 accuracy':>30}{'NLL, nats':>30}", f"{'':33}{heads}{heads}"]
    for name in found["all"]["accuracy"]:
        hits = [f"{found[group]['accuracy'][name]:.3f}" for group in _SPLIT]
        nlls = [f"{found[g]['nll'][name]:.3f}" if name in found[g]["nll"] else "-" for g in _SPLIT]
        lines.append(f"{name:33}" + "".join(f"{cell:>10}" for cell in hits + nlls))
    return "\n".join(lines)


def by_legal_moves(found: dict) -> str:
    """A table: the model and the best simple predictor by number of legal moves."""
    best = best_baseline(found)
    lines = [f"{'legal moves':>12}{'positions':>12}{'the model':>12}{'random':>12}   {best}"]
    for group, figure in found.items():
        if group not in _SPLIT:
            hits = figure["accuracy"]
            lines.append(
                f"{group.split()[0]:>12}{figure['positions']:12,}{hits[MODEL]:12.3f}"
                f"{hits['random legal move']:12.3f}{hits[best]:{len(best) + 3}.3f}"
            )
    return "\n".join(lines)


def best_baseline(found: dict) -> str:
    """The simple predictor of highest accuracy."""
    return max(BASELINES, key=lambda name: found["all"]["accuracy"][name])


def cards_in_words(number: list[int] | np.ndarray) -> str:
    """Cards by rank in a form to read: "3 3 3 10 joker"."""
    names = [_CARDS.get(rank, rank) for rank in RANKS]
    return " ".join(name for name, n in zip(names, number, strict=True) for _ in range(n))


def move_in_words(id: int) -> str:
    """A move in a form to read: "3 3 3 4 (trio solo)"."""
    if id == PASS:
        return "pass"
    return f"{cards_in_words(counts(MOVES[id].cards))} ({MOVES[id].kind.replace('_', ' ')})"


def position_in_words(positions: Positions, i: int, scores: np.ndarray, top: int = 5) -> str:
    """Position i: the hand, what has to be beaten, the model's best moves and the expert's."""
    seen = positions.observations[i].astype(int)
    seat, beat_by, (own, following, previous) = seen[46], seen[47], seen[48:51]
    others = (SEATS[(seat + 1) % 3], following), (SEATS[(seat + 2) % 3], previous)
    lines = [
        f"The {SEATS[seat]} holds {cards_in_words(seen[:15])}",
        f"  ({own} cards; " + ", ".join(f"the {who} has {n}" for who, n in others) + ")."
        f" {positions.num_legal[i]} legal moves.",
        "  Leads: may play anything."
        if beat_by == 0
        else f"  To beat: {cards_in_words(seen[30:45])}, from the {others[beat_by - 1][0]}.",
    ]
    row = slice(positions.row_splits[i], positions.row_splits[i + 1])
    legal, score = positions.candidates[row], scores[row].astype(float)
    probability = np.exp(score - score.max())
    probability /= probability.sum()
    order = np.argsort(-probability, kind="stable")
    place = int(np.flatnonzero(legal[order] == positions.labels[i])[0])
    for rank in [*range(min(top, len(legal))), *([place] if place >= top else [])]:
        mark = "  <- the expert's move" if rank == place else ""
        move = order[rank]
        lines.append(f"  {rank + 1:4}. {probability[move]:.3f}  {move_in_words(legal[move])}{mark}")
    return "\n".join(lines)


def sample_positions(positions: Positions, seed: int) -> list[int]:
    """One random position for each of four situations, among those with at least six moves."""
    seat, beat_by = positions.observations[:, 46], positions.observations[:, 47]
    by_landlord = (seat + beat_by) % 3 == 0
    situations = (
        (seat == 0) & (beat_by == 0),
        (seat == 0) & (beat_by > 0),
        (seat > 0) & (beat_by > 0) & by_landlord,
        (seat > 0) & (beat_by > 0) & ~by_landlord,
    )
    rng = np.random.default_rng(seed)
    rows = [np.flatnonzero(chosen & (positions.num_legal >= 6)) for chosen in situations]
    return [int(rng.choice(some)) for some in rows if len(some)]


def picture(path: Path, curve: dict[str, list[float]], found: dict) -> None:
    """Saves the learning curve and the accuracy by number of legal moves as a PNG."""
    plt.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False})
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), width_ratios=(2, 3))

    epochs = range(1, len(curve["training"]) + 1)
    left.plot(epochs, curve["training"], "o-", color="#9aa5b1", label="training, running mean")
    left.plot(epochs, curve["held-out"], "o-", color="#1f6fb2", label="held-out games")
    left.set(title="Learning curve", xlabel="epoch", ylabel="NLL of the expert's move, nats")
    left.set_xticks(epochs)
    left.set_ylim(bottom=0)
    left.legend(frameon=False)

    groups = [group for group in found if group not in _SPLIT]
    best = best_baseline(found)
    bars = ((MODEL, "#1f6fb2"), (best, "#e0a030"), ("random legal move", "#c8ced6"))
    x = np.arange(len(groups))
    for i, (name, colour) in enumerate(bars):
        height = [found[group]["accuracy"][name] for group in groups]
        drawn = right.bar(x + (i - 1) * 0.28, height, 0.28, color=colour, label=name)
        if name == MODEL:
            right.bar_label(drawn, [f"{h:.2f}" for h in height], fontsize=8, padding=1)
    right.set(title="Held-out top-1 accuracy by number of legal moves", xlabel="legal moves")
    right.set_xticks(
        x, [f"{group.split()[0]}\n({found[group]['positions']:,})" for group in groups], fontsize=9
    )
    right.set_xlabel("legal moves (positions)")
    right.set_ylim(0, 1.3)
    right.set_yticks(np.linspace(0, 1, 6))
    right.legend(frameon=False, fontsize=9, loc="upper right")

    figure.tight_layout()
    figure.savefig(path, dpi=200)
    plt.close(figure)
