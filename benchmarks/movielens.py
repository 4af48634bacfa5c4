# SPDX-License-Identifier: Apache-2.0
"""Keeps the figures of the MovieLens example, which it runs, as results.

Run: .venv/bin/python benchmarks/movielens.py [--seed N]
"""

import argparse
import json
import shutil
import subprocess
import sys

import results

OUT = results.ROOT / "build/movielens"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    command = [sys.executable, "examples/movielens/main.py", "--out", str(OUT)]
    subprocess.run([*command, "--seed", str(options.seed)], cwd=results.ROOT, check=True)
    found = json.loads((OUT / "report.json").read_text())
    cases = [
        {"way": way, "users": found["users"], **figure} for way, figure in found["ways"].items()
    ]
    print(results.save(results.new_run("movielens", found["setting"], cases)))
    shutil.copy(OUT / "report.png", results.ROOT / "docs/movielens.png")


if __name__ == "__main__":
    main()
