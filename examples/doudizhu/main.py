# SPDX-License-Identifier: Apache-2.0
"""Teaches a network to predict a Dou Dizhu expert's moves; the whole demo, from data to report.

python examples/doudizhu/main.py [--games N] [--seed N] [--epochs N] [--cache DIR] [--out DIR]
"""

import argparse
import json
import os
import time
from pathlib import Path

import dataset
import numpy as np
from engine import NUM_MOVES

# TensorFlow is imported in main(): the processes that play the games import this file, too.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its log is not for the reader,
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # nor oneDNN's note that sums may vary


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--games", type=int, default=8000, help="games of self-play")
    parser.add_argument("--seed", type=int, default=1, help="of the deals and of the training")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--cache", type=Path, default=dataset.default_cache(), help="for the data")
    parser.add_argument("--out", type=Path, default=Path("build/doudizhu"), help="for the report")
    options = parser.parse_args()
    if options.games < 100:
        parser.error(f"--games must be at least 100, got {options.games}")
    return options


def main() -> None:
    options = arguments()
    written = []
    started = time.perf_counter()

    def say(text: str = "") -> None:
        written.append(text)
        print(text, flush=True)

    def section(title: str) -> None:
        say(f"\n{title}\n{'-' * len(title)}")

    section("Data: self-play of a heuristic expert")
    say("The expert is our own heuristic ('fewest turns'), not a human: what is predicted below")
    say("is that program's choice among the legal moves.")
    positions, path, cached = dataset.load(options.games, options.seed, options.cache)
    training, held_out = positions.split()
    say(f"{'read from' if cached else 'saved to'} {path}")
    say(f"{options.games:,} games, {len(positions):,} positions with more than one legal move")
    say(
        f"legal moves: mean {positions.num_legal.mean():.1f}, "
        f"95th percentile {np.percentile(positions.num_legal, 95):.0f}, "
        f"most {positions.num_legal.max()}"
    )
    say(
        f"of {NUM_MOVES:,} moves {len(np.unique(positions.candidates)):,} were legal at some point "
        f"and {len(np.unique(positions.labels)):,} were played"
    )
    say(f"split by game: {len(training):,} positions to train on, {len(held_out):,} held out")
    prepared = time.perf_counter()

    import model
    import report
    from baselines import BASELINES, judge

    section("Training: ragged softmax over the legal moves")
    curve = {"training": [], "held-out": []}

    def on_epoch(predictor, epoch: int, nll: float) -> None:
        judged = judge(held_out, predictor.score(held_out))
        curve["training"].append(float(nll))
        curve["held-out"].append(float(judged.nll.mean()))
        say(
            f"epoch {epoch + 1}/{options.epochs}: training NLL {nll:.3f}, "
            f"held-out NLL {judged.nll.mean():.3f}, held-out accuracy {judged.hits.mean():.3f}"
        )

    predictor = model.train(training, options.epochs, options.seed, on_epoch)
    scores = predictor.score(held_out)
    trained = time.perf_counter()

    results = {name: predict(training, held_out) for name, predict in BASELINES.items()}
    results[report.MODEL] = judge(held_out, scores)
    found = report.figures(held_out, results)
    section("Held-out games: the model against simple predictors")
    say(report.comparison(found))
    section("Held-out top-1 accuracy by number of legal moves")
    say(report.by_legal_moves(found))
    section("Four positions drawn at random: the model's five best moves")
    for i in report.sample_positions(held_out, options.seed):
        say(report.position_in_words(held_out, i, scores) + "\n")

    options.out.mkdir(parents=True, exist_ok=True)
    report.picture(options.out / "report.png", curve, found)
    (options.out / "report.json").write_text(
        json.dumps({"curve": curve, "held-out": found}, indent=2) + "\n"
    )
    say(f"picture, figures and this text: {options.out}/report.png, report.json, report.txt")
    say(
        f"data {prepared - started:.0f} s, training {trained - prepared:.0f} s, "
        f"all {time.perf_counter() - started:.0f} s"
    )
    hits = {group: found[group]["accuracy"][report.MODEL] for group in found}
    say(
        f"held-out top-1 accuracy: {hits['all']:.3f} "
        f"(leading {hits['leading']:.3f}, following {hits['following']:.3f})"
    )
    (options.out / "report.txt").write_text("\n".join(written) + "\n")


if __name__ == "__main__":
    main()
