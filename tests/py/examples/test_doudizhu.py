# SPDX-License-Identifier: Apache-2.0
"""The Dou Dizhu example: its rules, its expert, its data and the predictors it compares with."""

import multiprocessing

import numpy as np
import pytest

pytest.importorskip("rlcard")
pytest.importorskip("tqdm")

import baselines
import dataset
import engine
import expert
from rlcard.games.doudizhu.utils import ACTION_2_ID, ID_2_ACTION


def positions_of(seed, games):
    """(game, view) at every move of some games of the expert against itself."""
    rng = np.random.RandomState(seed)
    for _ in range(games):
        game = engine.deal(rng)
        while not game.is_over():
            view = engine.view(game)
            yield game, view
            engine.play(game, expert.choose(view))


def test_packed_cards():
    assert engine.counts(engine.pack("333R")) == [3] + [0] * 13 + [1]
    assert engine.counts(engine.FULL_DECK) == [4] * 13 + [1, 1]
    assert engine.holds(engine.pack("33345"), engine.pack("335"))
    assert not engine.holds(engine.pack("33345"), engine.pack("44"))
    assert not engine.holds(engine.pack("4"), engine.pack("3"))


@pytest.mark.parametrize(
    "action, kind, rank",
    [
        ("3", "solo", "3"),
        ("22", "pair", "2"),
        ("3444", "trio_solo", "4"),
        ("34567", "solo_chain_5", "3"),
        ("3444555K", "trio_solo_chain_2", "4"),
        ("5555JQ", "four_two_solo", "5"),
        ("2222", "bomb", "2"),
        ("BR", "rocket", "B"),
    ],
)
def test_moves(action, kind, rank):
    cards = engine.pack(action)
    assert engine.MOVES[ACTION_2_ID[action]] == (cards, len(action), kind, engine.RANK[rank])


def test_rules():
    assert (engine.NUM_MOVES, engine.PASS) == (27472, 27471)
    for game, view in positions_of(seed=0, games=10):
        assert list(view.legal) == sorted(set(view.legal))
        assert sum(engine.counts(view.unseen)) == sum(view.left[1:])
        assert (engine.PASS in view.legal) != view.leading
        assert all(engine.holds(view.hand, engine.MOVES[id].cards) for id in view.legal)
        if not view.leading:
            target = engine.MOVES[view.to_beat]
            for move in (engine.MOVES[id] for id in view.legal if id != engine.PASS):
                higher = move.kind == target.kind and move.rank > target.rank
                assert higher or move.kind in ("bomb", "rocket")
        hands = [len(player.current_hand) for player in game.players]
        assert sum(hands) + sum(map(len, game.state["played_cards"])) == 54


def test_friends():
    view = next(view for _, view in positions_of(seed=0, games=1))
    assert [view._replace(seat=0).is_friend(turn) for turn in range(3)] == [False, False, False]
    assert [view._replace(seat=1).is_friend(turn) for turn in range(3)] == [False, True, False]
    assert [view._replace(seat=2).is_friend(turn) for turn in range(3)] == [False, False, True]


@pytest.mark.parametrize(
    "hand, turns",
    [
        ("", 0),
        ("3", 1),
        ("34567", 1),
        ("3457", 4),
        ("334455", 1),
        ("33344456", 1),
        ("3334445566", 1),
        ("BR", 1),
        ("3333", 1),
        ("34567899TJ", 2),
        ("3456677889TJ", 2),
    ],
)
def test_turns(hand, turns):
    assert expert.turns(engine.pack(hand)) == turns


def test_expert_is_legal_and_goes_out():
    for _, view in positions_of(seed=1, games=20):
        choice = expert.choose(view)
        assert choice in view.legal
        out = [id for id in view.legal if engine.MOVES[id].cards == view.hand]
        assert not out or choice in out


def test_hidden_cards_do_not_leak():
    """Two games that differ only in how the unseen cards are shared look the same."""
    different = 0
    for game, view in positions_of(seed=2, games=5):
        others = [game.players[(view.seat + turn) % 3] for turn in (1, 2)]
        before = [list(player.current_hand) for player in others]
        for mine, theirs in ((0, -1), (-1, 0)):
            a, b = (player.current_hand for player in others)
            a[mine], b[theirs] = b[theirs], a[mine]
        different += before != [player.current_hand for player in others]
        game.state = game.get_state(view.seat)
        other_view = engine.view(game)
        assert other_view == view
        assert (dataset.observe(other_view) == dataset.observe(view)).all()
        for player, hand in zip(others, before, strict=True):
            player.set_current_hand(hand)
    assert different > 50


def test_observation():
    view = engine.View(
        seat=2,
        hand=engine.pack("33R"),
        unseen=engine.pack("45"),
        to_beat=ACTION_2_ID["66"],
        beat_by=1,
        left=(3, 1, 1),
        legal=(engine.PASS,),
    )
    seen = dataset.observe(view)
    assert seen.dtype == np.uint8 and seen.shape == (dataset.OBSERVATION,)
    assert seen[:15].tolist() == [2] + [0] * 13 + [1]
    assert np.flatnonzero(seen[15:30]).tolist() == [1, 2]
    assert seen[33] == 2 and seen[30:45].sum() == 2
    assert dataset.KINDS[seen[45]] == "pair"
    assert seen[46:].tolist() == [2, 1, 3, 1, 1]


@pytest.fixture(scope="module")
def positions():
    return dataset.generate(games=50, seed=3, processes=1)


def equal(a, b):
    return all(np.array_equal(vars(a)[name], vars(b)[name]) for name in vars(a))


def test_data_do_not_depend_on_the_number_of_processes(positions):
    assert equal(dataset.generate(games=50, seed=3, processes=2), positions)
    assert not equal(dataset.generate(games=50, seed=4, processes=2), positions)


def test_positions(positions):
    assert (positions.num_legal > 1).all()
    rows = np.split(positions.candidates, positions.row_splits[1:-1])
    for row, label, leading in zip(rows, positions.labels, positions.leading, strict=True):
        assert label in row and (np.diff(row) > 0).all()
        assert leading == ("pass" not in [ID_2_ACTION[id] for id in row])
    assert (positions.leading == (positions.observations[:, 47] == 0)).all()


def test_split_is_by_game(positions):
    training, held_out = positions.split()
    assert len(training) + len(held_out) == len(positions)
    assert set(held_out.games) == {9, 19, 29, 39, 49}
    assert set(training.games).isdisjoint(held_out.games)
    assert training.row_splits[-1] == len(training.candidates)


def test_cache(tmp_path, monkeypatch):
    first, path, cached = dataset.load(20, 5, tmp_path)
    assert not cached and [*tmp_path.iterdir()] == [path]
    monkeypatch.delattr(multiprocessing, "get_context")  # a second run generates nothing
    second, _, cached = dataset.load(20, 5, tmp_path)
    assert cached and equal(first, second)


def toy(labels, rows):
    return dataset.Positions(
        np.zeros([len(rows), dataset.OBSERVATION], np.uint8),
        np.array(labels, np.int32),
        np.concatenate(rows).astype(np.int32),
        np.cumsum([0] + [len(row) for row in rows]),
        np.arange(len(rows), dtype=np.int32),
    )


def test_baselines_on_a_toy_set():
    training = toy([1, 1, 2, 3], [[1, 2], [1, 3], [1, 2], [1, 2, 3]])
    held_out = toy([2, 3], [[1, 2], [1, 2, 3, 4]])

    judged = baselines.random_legal(training, held_out)
    assert judged.hits.tolist() == [1 / 2, 1 / 4]
    np.testing.assert_allclose(judged.nll, np.log([2, 4]))

    judged = baselines.lowest_id(training, held_out)
    assert judged.hits.tolist() == [0, 0] and judged.nll is None

    judged = baselines.most_frequent(training, held_out)  # played plus one: 3, 2, 2, 1
    assert judged.hits.tolist() == [0, 0]
    np.testing.assert_allclose(judged.nll, -np.log([2 / 5, 2 / 8]))

    judged = baselines.highest_rate(training, held_out)
    rate = np.array([3 / 14, 2 / 13, 2 / 12, 1 / 10])
    assert judged.hits.tolist() == [0, 0]
    np.testing.assert_allclose(judged.nll, -np.log([rate[1] / sum(rate[:2]), rate[2] / sum(rate)]))


def test_judge_takes_the_lowest_id_among_equals():
    positions = toy([2, 5], [[2, 7, 9], [4, 5]])
    judged = baselines.judge(positions, np.array([1.0, 1.0, 0.0, 0.0, 0.0]))
    assert judged.hits.tolist() == [1, 0]
    np.testing.assert_allclose(judged.nll, [np.log(2 + np.exp(-1)), np.log(2)])
