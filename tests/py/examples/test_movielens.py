# SPDX-License-Identifier: Apache-2.0
"""The MovieLens example: its data, its baseline, its losses, and how ways are judged."""

import json

import numpy as np
import processes
import pytest
import tensorflow as tf

pytest.importorskip("matplotlib")
pytest.importorskip("tqdm")

import contest
import ratings
import recommender
from ratings import PADDING, Ratings

_EXAMPLE = processes.ROOT / "examples/movielens"

# The data


TABLE = """user_id:token\titem_id:token\trating:float\ttimestamp:float
2\t3\t4\t100
1\t5\t3\t300
1\t1\t5\t200
2\t1\t1\t50
1\t2\t1\t200
2\t5\t1\t100
1\t3\t2\t900
"""


def test_parse():
    """By user and time; what has one time stays in the order of the file."""
    parsed = ratings.parse(TABLE)
    assert parsed.row_splits.tolist() == [0, 4, 7]
    assert parsed.movies.tolist() == [0, 1, 4, 2, 0, 2, 4]
    assert (parsed.num_users, parsed.num_movies) == (2, 5)


def test_the_last_movies_are_held_out():
    parsed = ratings.parse(TABLE)
    assert parsed.held_out(1).tolist() == [2, 4]
    assert parsed.held_out(2).tolist() == [4, 2]
    assert [row.tolist() for row in parsed.histories(1)] == [[0, 1, 4], [0, 2]]
    assert [row.tolist() for row in parsed.histories(2)] == [[0, 1], [0]]
    assert parsed.counts().tolist() == [2, 1, 0, 0, 0]
    assert parsed.latest(2, 1).tolist() == [[1, 4], [0, 2]]
    assert parsed.latest(3, 2).tolist() == [[PADDING, 0, 1], [PADDING, PADDING, 0]]


@pytest.fixture(scope="module")
def toy():
    """300 users who watch 8 to 39 of 50 movies, mostly three ahead of the last one."""
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(300):
        left, movie = list(range(50)), int(rng.integers(50))
        row = []
        for _ in range(rng.integers(8, 40)):
            row.append(movie)
            left.remove(movie)
            wanted = (movie + 3) % 50
            movie = wanted if wanted in left and rng.random() < 0.9 else int(rng.choice(left))
        rows.append(row)
    sizes = np.cumsum([0, *map(len, rows)])
    return Ratings(np.concatenate(rows).astype(np.int32), sizes, 50)


@pytest.mark.parametrize("length", [1, 7, 60])
def test_windows(toy, length):
    """Each movie but a user's first is the next one once, after what came before it."""
    windows = toy.windows(length, np.random.default_rng(1))
    assert windows.shape[1:] == (2, length)
    pairs = windows.transpose(0, 2, 1).reshape(-1, 2)
    pairs = pairs[pairs[:, 1] != PADDING]
    wanted = np.concatenate([np.stack([r[:-1], r[1:]], 1) for r in toy.histories(2)])
    assert sorted(map(tuple, pairs)) == sorted(map(tuple, wanted))
    inside = windows[:, 0, 1:] != PADDING
    inside &= windows[:, 1, :-1] != PADDING
    np.testing.assert_array_equal(windows[:, 0, 1:][inside], windows[:, 1, :-1][inside])
    assert not np.array_equal(windows, toy.windows(length, np.random.default_rng(2)))


def test_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(ratings, "download", lambda: TABLE)
    first, path, cached = ratings.load(tmp_path)
    assert not cached and [*tmp_path.iterdir()] == [path]
    monkeypatch.delattr(ratings, "download")  # a second load asks for nothing
    second, _, cached = ratings.load(tmp_path)
    assert cached
    for name, value in vars(first).items():
        np.testing.assert_array_equal(value, getattr(second, name))


def test_without_a_registry_there_is_one_sentence(monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    with pytest.raises(SystemExit) as error:
        ratings.download()
    message = str(error.value)
    assert message.startswith("tf_candsamp: ") and message.endswith("mirror of PyPI.")
    assert "\n" not in message and "recbole" in message


# How ways are judged


def test_most_watched(toy):
    """By hand: a movie's rank is the number of unseen ones that are watched more."""
    counts = toy.counts()
    ranks = []
    for seen, label in zip(toy.histories(1), toy.held_out(1), strict=True):
        others = [m for m in range(50) if m not in set(seen.tolist())]
        ahead = [m for m in others if (-counts[m], m) < (-counts[label], label)]
        ranks.append(len(ahead))
    ranks = np.array(ranks)
    outcome = contest.most_watched(toy)
    assert outcome.hits == {k: (ranks < k).mean() for k in contest.TOP}
    assert outcome.reciprocal_rank == pytest.approx((1 / (ranks + 1)).mean())


def test_ranks_are_among_all_movies_not_seen(toy):
    model = recommender.Recommender("full softmax", 50, 1, seed=1)
    query = model.tower(tf.constant(toy.latest(recommender.LENGTH, 1)))[:, -1]
    scores = (query @ tf.transpose(model.table)).numpy()
    for row, seen in zip(scores, toy.histories(1), strict=True):
        row[seen] = -np.inf
    labels = toy.held_out(1)
    order = np.argsort(-scores, axis=1, kind="stable")
    np.testing.assert_array_equal(model.best(toy, 1, 5), order[:, :5])
    want = np.argmax(order == labels[:, None], axis=1)
    np.testing.assert_array_equal(model.ranks(toy, 1), want)


# The network


def test_a_query_sees_what_was_before_it_and_nothing_else():
    model = recommender.Recommender("mixed", 50, 1, seed=1)
    rng = np.random.default_rng(0)
    movies = rng.integers(0, 50, [2, recommender.LENGTH])
    movies[:, :4] = PADDING
    changed = movies.copy()
    changed[:, 30:] = (changed[:, 30:] + 1) % 50
    one, other = (model.tower(tf.constant(m, tf.int32)).numpy() for m in (movies, changed))
    np.testing.assert_allclose(one[:, 4:30], other[:, 4:30], atol=1e-6)
    assert (np.abs(one[:, 30:] - other[:, 30:]).max(axis=-1) > 1e-3).all()


@pytest.mark.parametrize("way", recommender.WAYS)
def test_losses_are_zero_at_padding_alone(toy, way):
    model = recommender.Recommender(way, 50, 1, seed=1)
    windows = tf.constant(toy.windows(recommender.LENGTH, np.random.default_rng(0))[:4])
    query = model.tower(windows[:, 0])
    losses = recommender.WAYS[way](model, query, windows[:, 1]).numpy()
    np.testing.assert_array_equal(losses != 0, windows[:, 1] != PADDING)


@pytest.mark.parametrize("way", ["in-batch, log q", "mixed"])
def test_learns_what_popularity_cannot_know(toy, way, monkeypatch):
    monkeypatch.setattr(recommender, "BATCH", 8)
    monkeypatch.setattr(contest, "BATCH", 8)
    (outcome,) = contest.contest(toy, epochs=5, seed=3, ways=[way])
    assert outcome.hits[10] > contest.most_watched(toy).hits[10] + 0.15
    assert len(outcome.validation) == 5 and outcome.seconds > 0


def test_main(toy, tmp_path):
    """From ratings in the cache to the report."""
    (tmp_path / "cache").mkdir()
    np.savez(tmp_path / "cache/ml-100k.npz", **vars(toy))
    arguments = ["--epochs", "2", "--ways", "in-batch", "full softmax"]
    arguments += ["--cache", tmp_path / "cache", "--out", tmp_path / "out"]
    output = processes.run(_EXAMPLE / "main.py", *arguments, cwd=tmp_path)
    found = json.loads((tmp_path / "out/report.json").read_text())
    assert (tmp_path / "out/report.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "out/report.txt").read_text() == output
    assert list(found["ways"]) == [contest.POPULARITY, "in-batch", "full softmax"]
    for way, figure in found["ways"].items():
        assert len(figure["validation"]) == (0 if way == contest.POPULARITY else 2)
        assert f"{figure['HR@10']:.3f}" in output
    assert "300 users" in output


def test_a_way_that_is_not_there():
    with pytest.raises(SystemExit, match="must be among 'in-batch', .*, got 'guessing'"):
        contest.checked(["mixed", "guessing"])
    assert contest.checked(None) == list(recommender.WAYS)
