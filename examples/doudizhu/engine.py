# SPDX-License-Identifier: Apache-2.0
"""Dou Dizhu through rlcard: the rules, the moves by id, and what the player to move may see.

A hand, and the cards of a move, are one integer with four bits per rank (3 is the lowest nibble,
the red joker the highest): taking a move from a hand is a subtraction, and "does the hand hold
these cards" is an addition and a mask.
"""

from typing import NamedTuple

import numpy as np
from rlcard.games.doudizhu import Game
from rlcard.games.doudizhu.utils import ACTION_2_ID, CARD_TYPE, ID_2_ACTION

RANKS = "3456789TJQKA2BR"  # B and R are the black and the red joker
RANK = {card: i for i, card in enumerate(RANKS)}
TWO, BLACK, RED = RANK["2"], RANK["B"], RANK["R"]
NUM_MOVES = len(ID_2_ACTION)
PASS = ACTION_2_ID["pass"]
SEATS = ("landlord", "first peasant", "second peasant")  # in the order of play
_HIGH = sum(8 << 4 * r for r in range(len(RANKS)))


def pack(cards: str) -> int:
    """The cards of `cards`, such as "33345", as one integer."""
    return sum(1 << 4 * RANK[c] for c in cards)


def count(cards: int, rank: int) -> int:
    """How many cards of `rank` are in `cards`."""
    return cards >> 4 * rank & 15


def counts(cards: int) -> list[int]:
    """How many cards of each rank are in `cards`."""
    return [count(cards, r) for r in range(len(RANKS))]


def holds(hand: int, cards: int) -> bool:
    """Whether `hand` contains `cards`."""
    return (hand + _HIGH - cards) & _HIGH == _HIGH


FULL_DECK = pack(RANKS[:13] * 4 + "BR")


class Move(NamedTuple):
    """One of the 27,472 moves."""

    cards: int  # packed; 0 for a pass
    size: int  # number of cards
    kind: str  # what it must match to follow: "solo", "trio_solo_chain_2", ..., "bomb", "rocket"
    rank: int  # lowest rank of its body (wings apart)


def _move(action: str) -> Move:
    if action == "pass":
        return Move(0, 0, "pass", -1)
    [(kind, weight)] = CARD_TYPE[0][action]
    winged = kind.startswith(("trio_solo", "trio_pair", "four_two"))  # rlcard counts these from 1
    rank = BLACK if kind == "rocket" else int(weight) - winged
    return Move(pack(action), len(action), kind, rank)


MOVES = tuple(map(_move, ID_2_ACTION))


class View(NamedTuple):
    """What the player to move may see: nothing here depends on who holds which unseen card."""

    seat: int  # 0 landlord, 1 and 2 the peasants in the order of play
    hand: int  # own cards, packed
    unseen: int  # the cards that the two others hold between them, packed
    to_beat: int  # id of the move to beat, PASS when leading
    beat_by: int  # who made it: 0 nobody (leading), 1 the next player, 2 the previous player
    left: tuple[int, int, int]  # cards held by oneself, the next and the previous player
    legal: tuple[int, ...]  # ids of the legal moves, ascending: the engine's own order tells things

    @property
    def leading(self) -> bool:
        return self.beat_by == 0

    def is_friend(self, turn: int) -> bool:
        """Whether the player `turn` turns after this one (1 or 2) is the other peasant."""
        return turn != 0 and self.seat != 0 and (self.seat + turn) % 3 != 0


def deal(rng: np.random.RandomState) -> Game:
    """A new game, dealt from `rng`; player 0 is the landlord and leads."""
    game = Game()
    game.np_random = rng
    game.init_game()
    return game


def view(game: Game) -> View:
    """What the player to move sees."""
    state = game.state
    seat = state["self"]
    hand = pack(state["current_hand"])
    played = sum(map(pack, state["played_cards"]))
    to_beat, beat_by = PASS, 0
    for player, action in reversed(state["trace"][-2:]):
        if action != "pass" and player != seat:
            to_beat, beat_by = ACTION_2_ID[action], (player - seat) % 3
            break
    left = tuple(state["num_cards_left"][(seat + turn) % 3] for turn in range(3))
    legal = tuple(sorted(ACTION_2_ID[action] for action in state["actions"]))
    return View(seat, hand, FULL_DECK - hand - played, to_beat, beat_by, left, legal)


def play(game: Game, move: int) -> None:
    """Makes the move with this id."""
    game.step(ID_2_ACTION[move])
