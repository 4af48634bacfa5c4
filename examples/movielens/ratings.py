# SPDX-License-Identifier: Apache-2.0
"""The data: who watched what, and when, from MovieLens 100k, which PyPI's recbole carries.

The package is downloaded and one file of it read; nothing is installed. Each user's last movie is
for the test, the one before it for validation, all others are to train on.
"""

import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

PACKAGE = "recbole==1.2.1"
PADDING = -1
_FILE = "recbole/dataset_example/ml-100k/ml-100k.inter"


@dataclass(frozen=True)
class Ratings:
    """What U users watched: user u movies[row_splits[u] : row_splits[u + 1]], in order of time."""

    movies: np.ndarray  # int32 [row_splits[-1]], in [0, num_movies), each once for a user
    row_splits: np.ndarray  # int64 [U + 1]
    num_movies: int

    @property
    def num_users(self) -> int:
        return len(self.row_splits) - 1

    def histories(self, held_out: int) -> list[np.ndarray]:
        """Each user's movies without the last `held_out`: 2 for training, 1 before the test."""
        splits = zip(self.row_splits[:-1], self.row_splits[1:] - held_out, strict=True)
        return [self.movies[first:last] for first, last in splits]

    def held_out(self, place: int) -> np.ndarray:
        """Each user's last movie but `place` - 1, int32 [U]: 1 for the test, 2 for validation."""
        return self.movies[self.row_splits[1:] - place]

    def counts(self) -> np.ndarray:
        """How often each movie is watched in training, int64 [num_movies]."""
        return np.bincount(np.concatenate(self.histories(2)), minlength=self.num_movies)

    def windows(self, length: int, rng: np.random.Generator) -> np.ndarray:
        """Training windows in random order, int32 [N, 2, length]: movies, and the next ones.

        They cut each user's history at random places, and have every movie but a user's first one
        as next movie once. Places beyond the ends of a history are PADDING.
        """
        rows = []
        for movies in self.histories(2):
            first, size = rng.integers(length), len(movies) - 1
            padded = np.full((2, -(-(first + size) // length) * length), PADDING, np.int32)
            padded[:, first : first + size] = movies[:-1], movies[1:]
            rows.append(padded.reshape(2, -1, length).transpose(1, 0, 2))
        return rng.permutation(np.concatenate(rows))

    def latest(self, length: int, held_out: int) -> np.ndarray:
        """The last movies of each user's history, int32 [U, length], PADDING before the first."""
        rows = np.full((self.num_users, length), PADDING, np.int32)
        for row, movies in zip(rows, self.histories(held_out), strict=True):
            last = movies[-length:]
            row[length - len(last) :] = last
        return rows


def parse(text: str) -> Ratings:
    """Ratings of a table "user, movie, rating, time" with a line of heads.

    Users and movies are numbered from 1. Movies of one second stay in the order of the file.
    """
    lines = [line.split("\t") for line in text.splitlines()[1:]]
    users, movies = (np.array([int(line[k]) - 1 for line in lines]) for k in (0, 1))
    times = np.array([float(line[3]) for line in lines])
    order = np.lexsort((times, users))  # stable
    sizes = np.bincount(users)
    splits = np.concatenate([[0], np.cumsum(sizes)])
    return Ratings(movies[order].astype(np.int32), splits, int(movies.max()) + 1)


def download() -> str:
    """The text of the table of ratings."""
    with tempfile.TemporaryDirectory() as folder:
        command = ("pip", "download", "--quiet", "--no-deps", "--dest", folder, PACKAGE)
        done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True)
        packages = [*Path(folder).glob("*.whl")]
        if done.returncode or not packages:
            reason = done.stderr.strip().rpartition("\n")[2] or "no wheel"
            raise SystemExit(
                f"tf_candsamp: the ratings are in PyPI's {PACKAGE}, which 'pip download' could "
                f"not get here ({reason}); this needs a network or a mirror of PyPI."
            )
        with zipfile.ZipFile(packages[0]) as archive:
            return archive.read(_FILE).decode()


def load(cache: Path) -> tuple[Ratings, Path, bool]:
    """The ratings, their file in the cache folder, and whether it was there already."""
    path = cache / "ml-100k.npz"
    if path.exists():
        with np.load(path) as arrays:
            ratings = Ratings(**dict(arrays) | {"num_movies": int(arrays["num_movies"])})
        return ratings, path, True
    ratings = parse(download())
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=cache, suffix=".part", delete=False) as file:
        np.savez_compressed(file, **vars(ratings))
    os.replace(file.name, path)  # a reader sees all of it or nothing
    return ratings, path, False


def default_cache() -> Path:
    """Where the ratings are kept unless told otherwise."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "tf_candsamp" / "movielens"
