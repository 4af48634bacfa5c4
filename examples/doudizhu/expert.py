# SPDX-License-Identifier: Apache-2.0
"""The expert: a heuristic that empties its hand in the fewest turns. It is not a human.

It scores every legal move by `turns(what remains of the hand)`, an estimate of the fewest plays
that empty a hand, plus small costs for spending high cards and bombs, and knows a few special
cases: going out, moves that nobody can beat, a teammate's trick, an opponent about to go out. It
looks only at a `View`, never at hidden cards, and it is deterministic. The costs were set by hand
against the rule agent that rlcard brings; `arena.py` measures how well it plays.
"""

from functools import lru_cache

from engine import BLACK, MOVES, PASS, RANK, RANKS, RED, TWO, Move, View, count, holds

# All costs are in turns.
TURN_OF_A_CARD = 0.15  # what getting rid of one more card is worth
KEEP = {RANK["A"]: 0.1, TWO: 0.25, BLACK: 0.4, RED: 0.5}  # per card spent
KEEP_BOMB = 1.5
PER_RANK = 0.025  # low moves first
HOLDS_THE_TRICK = 0.25  # a move that nobody can beat wins this much
PASSING = 0.3
ALARM = 4  # an opponent with this many cards may go out soon: passing to opponents costs more
PASSING_IN_ALARM = 1.0
BEAT_FRIEND = 0.6  # beating the other peasant, and more for each rank ...
BEAT_FRIEND_PER_RANK = 0.05
FRIEND_NEARLY_OUT = 1.0  # ... and when it holds one or two cards
FEEDING = 2.0  # leading a low solo (pair) to an opponent with one card (two cards)

_ONES = sum(1 << 4 * r for r in range(len(RANKS)))
_ROCKET = (1 << 4 * BLACK) + (1 << 4 * RED)

# Every chain as (its cards, how many wings it carries): 5+ solos, 3+ pairs, 2+ trios from 3 to ace.
_CHAINS = tuple(
    (sum(width << 4 * r for r in range(start, start + length)), length if width == 3 else 0)
    for width, shortest in ((3, 2), (1, 5), (2, 3))
    for length in range(12, shortest - 1, -1)
    for start in range(TWO - length + 1)
    if width * length <= 20
)


def _unchained(hand: int, wings: int) -> int:
    """Plays for `hand` without chains, when trio chains laid earlier still carry `wings` wings.

    A trio takes one loose solo or pair along. Four of a rank count as a bomb, not as four with two.
    """
    low, middle = hand & _ONES, hand >> 1 & _ONES
    trios = (low & middle).bit_count()
    bombs = (hand >> 2 & _ONES).bit_count()
    loose = (low ^ middle).bit_count()  # ranks held once or twice
    if hand & _ROCKET == _ROCKET:
        bombs, loose = bombs + 1, loose - 2
    return bombs + trios + max(0, loose - trios - wings)


def _fewest(hand: int, wings: int, chains) -> int:
    best = _unchained(hand, wings)
    chains = [chain for chain in chains if holds(hand, chain[0])]
    for i, (cards, carried) in enumerate(chains):
        best = min(best, 1 + _fewest(hand - cards, wings + carried, chains[i:]))
    return best


@lru_cache(maxsize=1 << 20)
def turns(hand: int) -> int:
    """An estimate of the fewest plays that empty `hand`, if nobody interferes."""
    return _fewest(hand, 0, _CHAINS)


def unbeatable(move: Move, unseen: int) -> bool:
    """Whether no move of its kind made of `unseen` beats it (for bombs: no bomb, no rocket).

    Judged by the width of its body alone, so a chain counts as beatable when one higher rank could
    belong to a higher chain.
    """
    if move.kind == "rocket":
        return True
    width = {"b": 4, "f": 4, "t": 3, "p": 2, "s": 1}[move.kind[0]]
    if move.kind == "bomb" and holds(unseen, _ROCKET):
        return False
    return all(count(unseen, r) < width for r in range(move.rank + 1, len(RANKS)))


def spent(move: Move) -> float:
    """What the cards of a move are worth beyond the turn it takes."""
    if move.kind in ("bomb", "rocket"):
        return KEEP_BOMB
    high = sum(worth * count(move.cards, rank) for rank, worth in KEEP.items())
    return high + PER_RANK * move.rank - TURN_OF_A_CARD * move.size


_SPENT = tuple(map(spent, MOVES))


def cost(view: View, id: int, alarm: bool) -> float:
    """Turns still to go after the legal move `id`, with all that speaks for or against it."""
    move, rest = MOVES[id], view.hand - MOVES[id].cards
    to_friend = view.is_friend(view.beat_by)
    if id == PASS:
        return turns(rest) + PASSING + PASSING_IN_ALARM * (alarm and not to_friend)
    if rest == 0:
        return -2.0  # out
    left, holds_trick = turns(rest), unbeatable(move, view.unseen)
    if holds_trick and left == 1:
        return -1.0  # out with the next move, bombs apart
    total = left + _SPENT[id] - HOLDS_THE_TRICK * holds_trick
    if view.leading and move.kind in ("solo", "pair"):
        fed = any(view.left[turn] == move.size and not view.is_friend(turn) for turn in (1, 2))
        total += FEEDING * fed * (1 - move.rank / RED)
    if to_friend:
        total += BEAT_FRIEND + BEAT_FRIEND_PER_RANK * move.rank
        total += FRIEND_NEARLY_OUT * (view.left[view.beat_by] <= 2)
    return total


def choose(view: View) -> int:
    """The id of the expert's move: the legal one of least cost, the lowest id among equals."""
    alarm = any(view.left[turn] <= ALARM and not view.is_friend(turn) for turn in (1, 2))
    return min(view.legal, key=lambda id: (cost(view, id, alarm), id))
