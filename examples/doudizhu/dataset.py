# SPDX-License-Identifier: Apache-2.0
"""The data set: positions from self-play of the expert, generated in parallel and cached on disk.

A position is an observation, the legal moves (a ragged row of ids) and the move the expert chose.
An observation is what the player to move sees, in OBSERVATION bytes:

    0..14    cards held, by rank (3 4 5 6 7 8 9 10 J Q K A 2, black joker, red joker)
    15..29   cards unseen: in the hands of the two others, no telling in whose
    30..44   cards of the move to beat; zeros when leading
    45       kind of the move to beat, an index into KINDS
    46       seat: 0 landlord, 1 and 2 the peasants in the order of play
    47       who made the move to beat: 0 nobody (leading), 1 the next player, 2 the previous one
    48..50   cards held by oneself, the next and the previous player

Game i of a data set is dealt from (seed, i) alone, so the number of processes changes nothing.
"""

import hashlib
import multiprocessing
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import engine
import expert
import numpy as np
import rlcard
from engine import MOVES, PASS, View
from tqdm import tqdm

KINDS = tuple(dict.fromkeys(move.kind for move in MOVES))
OBSERVATION = 51
_GAMES_PER_TASK = 20


@dataclass(frozen=True)
class Positions:
    """N positions; position i offers candidates[row_splits[i] : row_splits[i + 1]]."""

    observations: np.ndarray  # uint8 [N, OBSERVATION]
    labels: np.ndarray  # int32 [N], the expert's move
    candidates: np.ndarray  # int32 [row_splits[-1]], ascending within a position
    row_splits: np.ndarray  # int64 [N + 1]
    games: np.ndarray  # int32 [N], the game each position is from

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def num_legal(self) -> np.ndarray:
        return np.diff(self.row_splits)

    @property
    def leading(self) -> np.ndarray:
        """Whether the player leads: passing, the highest id, is then not legal."""
        return self.candidates[self.row_splits[1:] - 1] != PASS

    def select(self, chosen: np.ndarray) -> "Positions":
        """The positions where the boolean array `chosen` is true."""
        return Positions(
            self.observations[chosen],
            self.labels[chosen],
            self.candidates[np.repeat(chosen, self.num_legal)],
            np.concatenate([[0], np.cumsum(self.num_legal[chosen])]),
            self.games[chosen],
        )

    def split(self) -> tuple["Positions", "Positions"]:
        """(training, held-out): every tenth game is held out, whole."""
        held_out = self.games % 10 == 9
        return self.select(~held_out), self.select(held_out)


def observe(view: View) -> np.ndarray:
    """The observation of a view, uint8 [OBSERVATION]."""
    to_beat = MOVES[view.to_beat]
    cards = [n for some in (view.hand, view.unseen, to_beat.cards) for n in engine.counts(some)]
    return np.array(
        [*cards, KINDS.index(to_beat.kind), view.seat, view.beat_by, *view.left], np.uint8
    )


def self_play(seed: int, game_index: int):
    """Yields (view, expert's move) for the positions of one game that offer a choice."""
    rng = np.random.RandomState(np.random.MT19937(np.random.SeedSequence([seed, game_index])))
    game = engine.deal(rng)
    while not game.is_over():
        view = engine.view(game)
        move = expert.choose(view)
        if len(view.legal) > 1:
            yield view, move
        engine.play(game, move)


def _play_games(task: tuple[int, range]) -> Positions:
    seed, indices = task
    rows = [(i, view, move) for i in indices for view, move in self_play(seed, i)]
    games, views, labels = zip(*rows, strict=True)
    return Positions(
        np.stack([observe(view) for view in views]),
        np.array(labels, np.int32),
        np.concatenate([np.array(view.legal, np.int32) for view in views]),
        np.cumsum([0] + [len(view.legal) for view in views]),
        np.array(games, np.int32),
    )


def generate(games: int, seed: int, processes: int | None = None) -> Positions:
    """Plays `games` games of the expert against itself, with a progress bar."""
    starts = range(0, games, _GAMES_PER_TASK)
    tasks = [(seed, range(i, min(i + _GAMES_PER_TASK, games))) for i in starts]
    parts = []
    # "spawn": a fork of a process that holds TensorFlow's threads may hang.
    with (
        multiprocessing.get_context("spawn").Pool(processes or _cores()) as pool,
        tqdm(total=games, desc="self-play", unit="game", mininterval=_bar_interval()) as bar,
    ):
        for task, part in zip(tasks, pool.imap(_play_games, tasks), strict=True):
            parts.append(part)
            bar.update(len(task[1]))
    return _concatenate(parts)


def _concatenate(parts: list[Positions]) -> Positions:
    num_legal = np.concatenate([part.num_legal for part in parts])
    return Positions(
        np.concatenate([part.observations for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.candidates for part in parts]),
        np.concatenate([[0], np.cumsum(num_legal)]),
        np.concatenate([part.games for part in parts]),
    )


def load(games: int, seed: int, cache: Path) -> tuple[Positions, Path, bool]:
    """The data set, its file in the cache folder, and whether it was there already."""
    path = cache / f"games-{games}-seed-{seed}-{_fingerprint()}.npz"
    if path.exists():
        with np.load(path) as arrays:
            return Positions(**arrays), path, True
    positions = generate(games, seed)
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=cache, suffix=".part", delete=False) as file:
        np.savez_compressed(file, **vars(positions))
    os.replace(file.name, path)  # a reader sees all of it or nothing
    return positions, path, False


def default_cache() -> Path:
    """Where data sets are kept unless told otherwise."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "tf_candsamp" / "doudizhu"


def _fingerprint() -> str:
    """Changes with whatever decides what is in the data: the rules, the expert, the layout."""
    digest = hashlib.sha256(rlcard.__version__.encode())
    for module in (engine.__file__, expert.__file__, __file__):
        digest.update(Path(module).read_bytes())
    return digest.hexdigest()[:12]


def _bar_interval() -> float:
    return 0.5 if sys.stderr.isatty() else 5  # seconds: a log keeps every state of the bar


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
