# SPDX-License-Identifier: Apache-2.0
"""Recommends movies: one network, trained with several losses and judged by exact ranks.

python examples/movielens/main.py [--ways NAME ...] [--epochs N] [--seed N] [--cache DIR] ...
"""

import argparse
import json
import os
import time
from pathlib import Path

import ratings as data

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its log is not for the reader,
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # nor oneDNN's note that sums may vary


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ways", nargs="+", metavar="NAME", help="losses; by default all")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cache", type=Path, default=data.default_cache(), help="for the ratings")
    parser.add_argument("--out", type=Path, default=Path("build/movielens"), help="for the report")
    options = parser.parse_args()
    if options.epochs < 1:
        parser.error(f"--epochs must be at least 1, got {options.epochs}")
    return options


def main() -> None:
    options = arguments()
    written = []
    started = time.perf_counter()

    def say(line: str = "") -> None:
        written.append(line)
        print(line, flush=True)

    def section(title: str) -> None:
        say(f"\n{title}\n{'-' * len(title)}")

    section("Data: MovieLens 100k")
    ratings, path, cached = data.load(options.cache)
    say(f"{'read from' if cached else 'saved to'} {path}")
    training = sum(map(len, ratings.histories(2)))
    say(
        f"{ratings.num_users:,} users, {ratings.num_movies:,} movies; {training:,} times somebody "
        "watched one to train on"
    )
    say("Each user's last movie is for the test, the one before it for validation.")

    import account
    import contest

    ways = contest.checked(options.ways)
    section("Training: what comes next, given what was watched before")
    say(f"{len(ways)} ways, {options.epochs} epochs each, seed {options.seed}")
    outcomes = [contest.most_watched(ratings)]
    outcomes += contest.contest(ratings, options.epochs, options.seed, ways)
    found = account.figures(ratings, outcomes, vars(options))

    section(f"The test: {ratings.num_users:,} users' last movies among all movies not yet watched")
    say(account.comparison(found))
    say()
    for line in account.remarks(found):
        say(line)

    options.out.mkdir(parents=True, exist_ok=True)
    account.picture(options.out / "report.png", found)
    (options.out / "report.json").write_text(json.dumps(found, indent=2) + "\n")
    say(f"picture, figures and this text: {options.out}/report.png, report.json, report.txt")
    say(f"all {time.perf_counter() - started:.0f} s")
    (options.out / "report.txt").write_text("\n".join(written) + "\n")


if __name__ == "__main__":
    main()
