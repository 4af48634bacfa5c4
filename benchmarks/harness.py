# SPDX-License-Identifier: Apache-2.0
"""What every benchmark of TensorFlow ops shares: side-by-side timing, peak memory, the machine's
rates, and the program around a list of cases.
"""

import argparse
import gc
import os
import pathlib
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# TensorFlow counts the memory of its CPU allocator where it uses oneDNN: by default on processors
# with AVX512-VNNI, elsewhere if told to.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import numpy as np
import results
import tensorflow as tf

# Each case makes functions of its own: TensorFlow warns that these are traced again.
tf.get_logger().setLevel("ERROR")

ROUNDS = 15
# A case that takes longer than SECONDS stops after so many rounds.
LEAST_ROUNDS = 5
SECONDS = 10.0


class Times:
    """Seconds of a call of each step: {name: [a value for each round]}."""

    def __init__(self, seconds):
        self.seconds = seconds

    def median(self, name):
        return statistics.median(self.seconds[name])

    def spreads(self):
        return {name: results.spread(values) for name, values in self.seconds.items()}

    def ratio(self, slow, fast):
        """Round by round, so that what slows down both sides of a round cancels."""
        pairs = zip(self.seconds[slow], self.seconds[fast], strict=True)
        return results.spread([a / b for a, b in pairs])

    def ratios(self, *pairs):
        """Several, of names as "slow/fast"."""
        return {pair: self.ratio(*pair.split("/")) for pair in pairs}


def warm_up(step):
    """Calls a step until it is traced and its caches are filled."""
    start = time.perf_counter()
    for _ in range(3):
        step()
        if time.perf_counter() - start > SECONDS / 5:
            return


def seconds_of(step, again=True):
    """Seconds of one call; with `again` of one right after a call that is not timed.

    That first call brings the step's data back into the caches and wakes the cores. A step on the
    CPU has run when its call returns.
    """
    if again:
        step()
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def time_steps(steps, rounds=ROUNDS, calls=1, again=True):
    """`Times` of `steps`, a dict of functions, each of which makes `calls` calls.

    They take turns, round by round: so whatever else the machine does slows all of them alike. See
    `seconds_of` about `again`.
    """
    seconds = {name: [] for name in steps}
    for step in steps.values():
        warm_up(step)
    start = time.perf_counter()
    for done in range(rounds):
        if done >= LEAST_ROUNDS and time.perf_counter() - start > SECONDS:
            break
        for name, step in steps.items():
            seconds[name].append(seconds_of(step, again) / calls)
    return Times(seconds)


def peak_bytes(step):
    """The most memory that one call holds at a time beyond what was held before.

    This is TensorFlow's count, which leaves out allocations below some 300 KB.
    """
    step()
    before = tf.config.experimental.get_memory_info("CPU:0")["current"]
    tf.config.experimental.reset_memory_stats("CPU:0")
    step()
    return max(tf.config.experimental.get_memory_info("CPU:0")["peak"] - before, 0)


def bandwidth(size):
    """Bytes a second that an elementwise op on all cores moves, over `size` bytes.

    The op reads its argument, and reads the cache lines of its result before it writes them.
    """
    values = tf.Variable(tf.zeros([size // 4]))
    one = tf.constant(1.0)

    @tf.function
    def step():
        return tf.raw_ops.AddV2(x=values.read_value(), y=one)

    return 3 * size / time_steps({"add": step}).median("add")


def multiplications(size=2048):
    """How many products of float32 numbers all cores take a second, in a matrix multiplication."""
    matrix = tf.random.normal([size, size])
    times = time_steps({"matmul": lambda: tf.linalg.matmul(matrix, matrix)})
    return size**3 / times.median("matmul")


def zipf_labels(classes, count, seed):
    """int64 [count, 1]: class k about as often as 1 / (k + 1)."""
    u = np.random.default_rng(seed).random((count, 1))
    return tf.constant((classes**u).astype(np.int64) - 1)


def make_trained(*tables):
    """Brings variables into the state of training: each has had a sparse update.

    From the first sparse access on, TensorFlow copies the whole variable for each dense read.
    """
    for table in tables:
        table.scatter_sub(tf.IndexedSlices(tf.zeros_like(table[:1]), [0]))


def case_name(case):
    return ", ".join(f"{key} {value}" for key, value in case.items())


def run(benchmark, doc, cases, measure, *, is_quick=lambda case: True, settings=None, gpu=None):
    """The program of a benchmark: measures its cases and saves their results.

    `measure(case, rounds)` returns what came out, as a dict; `is_quick` says which cases --quick
    keeps; `gpu` names the GPU that is measured. Returns the run, or None if cases were left out.
    """
    parser = argparse.ArgumentParser(description=doc.split("\n")[0])
    add = parser.add_argument
    add("--quick", action="store_true", help="some cases, three rounds; into build/results")
    add("--only", default="", help="only cases whose name has this text; into build/results")
    add("--rounds", type=int, help=f"how often each case is timed; default {ROUNDS}")
    add("--out", type=pathlib.Path, help="where to put results, instead of docs/results")
    options = parser.parse_args()
    chosen = [c for c in cases if options.only in case_name(c)]
    if options.quick:
        chosen = [c for c in chosen if is_quick(c)]
    if not chosen:
        names = "\n".join(map(case_name, cases))
        parser.error(f"--only: no case's name has {options.only!r}; there are\n{names}")
    rounds = options.rounds or (3 if options.quick else ROUNDS)
    if rounds < 2:
        parser.error(f"--rounds must be at least 2, for quartiles, got {rounds}")
    whole = len(chosen) == len(cases)

    start = time.perf_counter()
    measured = []
    for case in chosen:
        measured.append(case | measure(case, rounds))
        ratios = measured[-1].get("ratios", {})
        shown = ", ".join(f"{pair} {ratio['median']:.2f}" for pair, ratio in ratios.items())
        print(f"{case_name(case)}: {shown}", flush=True)
        gc.collect()  # variables and ops' tables, which functions hold in cycles
    settings = {"rounds": rounds} | (settings or {})
    found = results.new_run(benchmark, settings, measured, gpu=gpu)
    is_final = whole and not options.quick
    folder = options.out or (results.FOLDER if is_final else results.ROOT / "build/results")
    path = results.save(found, folder)
    print(f"{time.perf_counter() - start:.0f} s; {path}")
    if folder == results.FOLDER:
        print("Now put the figures into the pages: .venv/bin/python benchmarks/report.py")
    return found
