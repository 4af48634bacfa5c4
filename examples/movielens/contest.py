# SPDX-License-Identifier: Apache-2.0
"""All ways of training, one after the other, and how each is judged: by exact ranks."""

import sys
import time
from dataclasses import dataclass, field

import numpy as np
from ratings import Ratings
from recommender import BATCH, LENGTH, WAYS, Recommender
from tqdm import tqdm

POPULARITY = "most watched"
TEST, VALIDATION = 1, 2
TOP = (10, 50)


@dataclass
class Outcome:
    """How one way did; `validation` has hits at 10 after each epoch."""

    way: str
    hits: dict[int, float]  # share of users whose test movie is among the first k
    reciprocal_rank: float
    popularity: float  # mean place, by how often watched, of the ten movies ranked first
    seconds: float = 0.0
    validation: list[float] = field(default_factory=list)


def hits(ranks: np.ndarray, k: int) -> float:
    """The share of ranks below k; 0 is the best rank."""
    return float((ranks < k).mean())


def popularity_scores(ratings: Ratings, held_out: int) -> np.ndarray:
    """How often each movie was watched in training; minus infinity where a user has seen it."""
    scores = np.tile(ratings.counts().astype(float), (ratings.num_users, 1))
    for row, seen in zip(scores, ratings.histories(held_out), strict=True):
        row[seen] = -np.inf
    return scores


def most_watched(ratings: Ratings) -> Outcome:
    """The baseline: the movies that are watched most and that the user has not seen."""
    order = np.argsort(-popularity_scores(ratings, TEST), axis=1, kind="stable")
    ranks = np.argmax(order == ratings.held_out(TEST)[:, np.newaxis], axis=1)
    return _outcome(POPULARITY, ratings, ranks, order[:, :10])


def _outcome(way: str, ratings: Ratings, ranks: np.ndarray, best: np.ndarray) -> Outcome:
    place = np.empty(ratings.num_movies)
    place[np.argsort(-ratings.counts(), kind="stable")] = np.arange(1, ratings.num_movies + 1)
    return Outcome(
        way,
        {k: hits(ranks, k) for k in TOP},
        float((1 / (ranks + 1)).mean()),
        float(place[best].mean()),
    )


def contest(ratings: Ratings, epochs: int, seed: int, ways: list[str]) -> list[Outcome]:
    """Trains a network each way, with a progress bar."""
    steps = len(ratings.windows(LENGTH, np.random.default_rng(0))) // BATCH
    outcomes = []
    bar = tqdm(total=len(ways) * epochs * steps, unit="step", mininterval=_bar_interval())
    with bar:
        for way in ways:
            model = Recommender(way, ratings.num_movies, epochs * steps, seed)
            validation, seconds = [], 0.0
            for _ in range(epochs):
                begin = time.perf_counter()
                model.train_epoch(ratings, bar.update)
                seconds += time.perf_counter() - begin
                validation.append(hits(model.ranks(ratings, VALIDATION), TOP[0]))
                bar.set_description(way)
                bar.set_postfix_str(f"validation HR@{TOP[0]} {validation[-1]:.3f}")
            ranks, best = model.ranks(ratings, TEST), model.best(ratings, TEST, 10)
            outcome = _outcome(way, ratings, ranks, best)
            outcome.seconds, outcome.validation = seconds, validation
            outcomes.append(outcome)
    return outcomes


def checked(ways: list[str] | None) -> list[str]:
    """Names of ways that there are; None stands for all."""
    for way in ways or ():
        if way not in WAYS:
            known = ", ".join(map(repr, WAYS))
            raise SystemExit(f"tf_candsamp: --ways must be among {known}, got {way!r}.")
    return list(ways or WAYS)


def _bar_interval() -> float:
    return 0.5 if sys.stderr.isatty() else 10  # seconds: a log keeps every state of the bar
