# SPDX-License-Identifier: Apache-2.0
"""Two wheels of this package side by side: which main cases are slower in the new one?

Run: .venv/bin/python benchmarks/compare.py OLD.whl NEW.whl [--only TEXT] [--pairs N] [--out FILE]

Each wheel is unpacked into a folder of its own and runs in a process of its own, with the
benchmarks of this tree. The two processes take turns, round by round, and swap the first turn. A
new pair of processes repeats this, as one process may have luck with its memory for all its life.

The ratio is the old time over the new one: above 1 the new wheel is faster. It is the median of the
pairs' medians. Its noise is the larger of two: the furthest pair's distance from it, and the
distance between the quartiles of all rounds. A case is slower where ratio + noise < 1. The exit
status is 1 if any is.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import zipfile

import numpy as np

ROUNDS = 15
LEAST_ROUNDS = 5
SECONDS = 2.0  # for the rounds of a case in one pair


def main_cases():
    """(name, function that makes the step) of each main case."""
    import harness
    import learned_unigram
    import losses
    import ragged
    import samplers

    all_sides = {losses: ("ours", "recompute", "bfloat16")}
    for module in (losses, ragged, samplers, learned_unigram):
        for case in filter(module.is_main, module.CASES):
            for side in all_sides.get(module, ("ours",)):
                name = f"{module.__name__}: {harness.case_name(case)}, {side}"
                yield name, lambda module=module, case=case, side=side: module.make_step(case, side)


def answer_requests(folder):
    """The program of a process: makes the case that a line names, or times the last one made."""
    # TensorFlow may print; answers go where the other process listens.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    import harness

    import tf_candsamp

    found = pathlib.Path(tf_candsamp.__file__).resolve()
    if pathlib.Path(folder).resolve() not in found.parents:
        raise SystemExit(f"imported {found}, expected the wheel that is unpacked in {folder}")
    cases = dict(main_cases())
    answer = list(cases)
    step = None
    while True:
        print(json.dumps(answer), file=answers, flush=True)
        request = sys.stdin.readline().strip()
        if not request:
            return
        if request == "time":
            answer = harness.seconds_of(step)
        else:
            step = None  # frees the last one first
            step = cases[request]()
            harness.warm_up(step)
            answer = None


class Worker:
    """A process with one of the wheels."""

    def __init__(self, folder):
        command = [sys.executable, __file__, "--worker", str(folder)]
        self.process = subprocess.Popen(
            command,
            env=os.environ | {"PYTHONPATH": str(folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # TensorFlow's log
            text=True,
        )

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(
                f"A process ended: {' '.join(self.process.args)}; run that to see why."
            )
        return json.loads(line)

    def ask(self, request):
        print(request, file=self.process.stdin, flush=True)
        return self.answer()

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def time_case(name, workers):
    """Seconds of each round: [old, new]."""
    for worker in workers:
        worker.ask(name)
    seconds = []
    start = time.perf_counter()
    while len(seconds) < ROUNDS:
        if len(seconds) >= LEAST_ROUNDS and time.perf_counter() - start > SECONDS:
            break
        order = (0, 1) if len(seconds) % 2 else (1, 0)
        pair = {k: workers[k].ask("time") for k in order}
        seconds.append([pair[0], pair[1]])
    return seconds


def measure(folders, pairs, only):
    """{case: [the rounds of each pair of processes]}."""
    found = {}
    for pair in range(pairs):
        workers = [Worker(folder) for folder in folders]
        names, *_ = [worker.answer() for worker in workers]
        for name in filter(lambda name: only in name, names):
            found.setdefault(name, []).append(time_case(name, workers))
            print(f"pair {pair + 1} of {pairs}: {name}", file=sys.stderr, flush=True)
        for worker in workers:
            worker.end()
    return found


def judge(pairs):
    """What the rounds of all pairs say about a case."""
    ratios = [np.divide(*np.transpose(rounds)) for rounds in pairs]
    medians = [float(np.median(r)) for r in ratios]
    low, high = np.quantile(np.concatenate(ratios), [0.25, 0.75])
    ratio = float(np.median(medians))
    noise = float(max(*(abs(m - ratio) for m in medians), high - low))
    old, new = np.median(np.concatenate(pairs), axis=0)
    slower = ratio + noise < 1
    return {"old": old, "new": new, "ratio": ratio, "noise": noise, "slower": slower}


def unpack(wheel, folder):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def main():
    if sys.argv[1:2] == ["--worker"]:
        return answer_requests(sys.argv[2])
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("old", type=pathlib.Path, help="a wheel")
    parser.add_argument("new", type=pathlib.Path, help="a wheel")
    parser.add_argument("--only", default="", help="only cases whose name has this text")
    parser.add_argument("--pairs", type=int, default=3, help="of processes")
    parser.add_argument("--out", type=pathlib.Path, help="a JSON file for the rounds' seconds")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wheels = {"old": options.old, "new": options.new}
        folders = [unpack(wheel, pathlib.Path(folder) / side) for side, wheel in wheels.items()]
        found = measure(folders, options.pairs, options.only)
    if options.out:
        options.out.write_text(json.dumps(found) + "\n")
    slower = 0
    print("| case | old ms | new ms | old / new | noise | |\n|---|---|---|---|---|---|")
    for name, pairs in found.items():
        result = judge(pairs)
        slower += result["slower"]
        print(
            f"| {name} | {1e3 * result['old']:.3f} | {1e3 * result['new']:.3f} "
            f"| {result['ratio']:.3f} | {result['noise']:.3f} "
            f"| {'slower' if result['slower'] else ''} |"
        )
    print(f"\n{slower} of {len(found)} cases are slower by more than their noise.")
    return 1 if slower else 0


if __name__ == "__main__":
    raise SystemExit(main())
