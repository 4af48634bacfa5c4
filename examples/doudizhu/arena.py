# SPDX-License-Identifier: Apache-2.0
"""How well the expert plays: its win rates against the rule agent of rlcard.

python examples/doudizhu/arena.py [--games N] [--seed N]
"""

import argparse
import math

import engine
import expert
import numpy as np
from rlcard.models.doudizhu_rule_models import DouDizhuRuleAgentV1
from tqdm import tqdm

_RULE = DouDizhuRuleAgentV1()
PLAYERS = {
    "expert": lambda game: engine.play(game, expert.choose(engine.view(game))),
    "rule": lambda game: game.step(_RULE.step({"raw_obs": game.state})),
}


def landlord_wins(landlord: str, peasants: str, seed: int, index: int) -> bool:
    """Plays one game, dealt from (seed, index)."""
    sequence = np.random.SeedSequence([seed, index])
    np.random.seed(sequence.generate_state(1))  # the rule agent draws from the global generator
    game = engine.deal(np.random.RandomState(np.random.MT19937(sequence)))
    while not game.is_over():
        seat = game.get_player_id()
        PLAYERS[landlord if seat == 0 else peasants](game)
    return game.winner_id == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--games", type=int, default=4000, help="games for each pairing")
    parser.add_argument("--seed", type=int, default=2, help="of the deals")
    options = parser.parse_args()
    for landlord in PLAYERS:
        for peasants in PLAYERS:
            games = tqdm(range(options.games), f"{landlord} against {peasants}", leave=False)
            wins = sum(landlord_wins(landlord, peasants, options.seed, i) for i in games)
            rate = wins / options.games
            error = math.sqrt(rate * (1 - rate) / options.games)
            who = f"landlord: {landlord:6}  peasants: {peasants:6}"
            print(f"{who}  landlord wins {rate:.1%} ± {error:.1%}")


if __name__ == "__main__":
    main()
