# SPDX-License-Identifier: Apache-2.0
"""Keeps the figures of the Dou Dizhu example, which it runs, as results.

Run: .venv/bin/python benchmarks/doudizhu.py [--seed N]
"""

import argparse
import json
import shutil
import subprocess
import sys

import results

OUT = results.ROOT / "build/doudizhu"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    command = [sys.executable, "examples/doudizhu/main.py", "--out", str(OUT)]
    subprocess.run([*command, "--seed", str(options.seed)], cwd=results.ROOT, check=True)
    found = json.loads((OUT / "report.json").read_text())["held-out"]
    cases = [
        {
            "predictor": predictor,
            "accuracy": {
                group: found[group]["accuracy"][predictor]
                for group in ("all", "leading", "following")
            },
            "nll": found["all"]["nll"].get(predictor),
        }
        for predictor in found["all"]["accuracy"]
    ]
    print(results.save(results.new_run("doudizhu", {"seed": options.seed}, cases)))
    shutil.copy(OUT / "report.png", results.ROOT / "docs/doudizhu.png")


if __name__ == "__main__":
    main()
