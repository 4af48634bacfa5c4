# SPDX-License-Identifier: Apache-2.0
"""Simple predictors to compare with, and how any predictor is judged.

A predictor gives each candidate a score; its probabilities are the softmax of the scores over the
legal moves, and its choice is the candidate of highest score (the lowest id among equals).
"""

from typing import NamedTuple

import numpy as np
from dataset import Positions
from engine import NUM_MOVES


class Judged(NamedTuple):
    """How a predictor did on each position."""

    hits: np.ndarray  # float [N], 1 where it chose the expert's move (chance of it, if it guesses)
    nll: np.ndarray | None  # float [N], minus log probability of the expert's move


def judge(positions: Positions, scores: np.ndarray) -> Judged:
    """Judges the scores of all candidates, flat as `positions.candidates`."""
    starts, lengths = positions.row_splits[:-1], positions.num_legal
    scores = scores.astype(np.float64)
    highest = np.maximum.reduceat(scores, starts)
    total = np.add.reduceat(np.exp(scores - np.repeat(highest, lengths)), starts)
    is_label = positions.candidates == np.repeat(positions.labels, lengths)
    index = np.arange(len(scores))
    is_highest = scores == np.repeat(highest, lengths)
    choice = np.minimum.reduceat(np.where(is_highest, index, len(scores)), starts)
    return Judged(is_label[choice].astype(float), highest + np.log(total) - scores[is_label])


def random_legal(training: Positions, held_out: Positions) -> Judged:
    """Every legal move is as likely as the next."""
    return Judged(1 / held_out.num_legal, np.log(held_out.num_legal))


def lowest_id(training: Positions, held_out: Positions) -> Judged:
    """Always the legal move with the lowest id; it gives no probabilities."""
    first = held_out.candidates[held_out.row_splits[:-1]]
    return Judged((first == held_out.labels).astype(float), None)


def most_frequent(training: Positions, held_out: Positions) -> Judged:
    """In proportion to how often the expert played the move, plus one."""
    played = np.bincount(training.labels, minlength=NUM_MOVES)
    return judge(held_out, np.log(played + 1)[held_out.candidates])


def highest_rate(training: Positions, held_out: Positions) -> Judged:
    """In proportion to the rate at which the expert played the move when it was legal.

    One play in ten chances is added, about the rate of a move picked at random.
    """
    played = np.bincount(training.labels, minlength=NUM_MOVES)
    legal = np.bincount(training.candidates, minlength=NUM_MOVES)
    return judge(held_out, np.log((played + 1) / (legal + 10))[held_out.candidates])


BASELINES = {
    "random legal move": random_legal,
    "most frequent move": most_frequent,
    "lowest id": lowest_id,
    "highest played-given-legal rate": highest_rate,
}
