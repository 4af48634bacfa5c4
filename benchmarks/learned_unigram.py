"""The learned-unigram sampler: what it makes of real counts, and what a draw and an update cost.

Run: .venv/bin/python benchmarks/learned_unigram.py --counts jieba_counts_rle.npz
     [--picture docs/learned_unigram.png] [--rounds N]

`--counts` is a file of class counts, run-length coded: `m[i]` classes have the count `v[i]`, which
ascends. The picture was made with the word counts in the dictionary of jieba 0.42.1 (MIT licence,
copyright 2013 Sun Junyi). All their occurrences, shuffled, go through `update` once.

Then, for each number of classes, nanoseconds per draw and per update, ours and TensorFlow's, side
by side. TensorFlow's op counts its true classes in the call that draws, so on both sides a draw is
what a call with MANY candidates takes beyond one with a single candidate, and an update what a call
with MANY true classes takes beyond one with a single one: their expected counts are part of it.
Before, labels that follow Zipf's law are counted, four for each class but no more than 2^22.
"""

import argparse
import functools
import gc
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import harness
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

import tf_candsamp as tfcs

CLASSES = [4**k for k in range(5, 14)]
MANY = 65536
COLOURS = {"ours": "#1f6fb2", "TensorFlow": "#9aa5b1"}


def read_counts(path):
    """The count of each class, most frequent first."""
    with np.load(path) as coded:
        return np.repeat(coded["v"], coded["m"])[::-1]


def learn(counts, batch=MANY, seed=0):
    """The probabilities after one pass over all occurrences, and nanoseconds per occurrence."""
    occurrences = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    np.random.default_rng(seed).shuffle(occurrences)
    sampler = tfcs.LearnedUnigramSampler(len(counts))
    start = time.perf_counter()
    for at in range(0, len(occurrences), batch):
        sampler.update(occurrences[at : at + batch])
    seconds = time.perf_counter() - start
    probabilities = sampler.probability(np.arange(len(counts))).numpy()
    return probabilities, seconds / len(occurrences) * 1e9


def calls(classes, size):
    """Functions of true classes that draw `size` candidates: ours, and TensorFlow's."""
    sampler = tfcs.LearnedUnigramSampler(classes)
    ops = {
        "ours": functools.partial(tfcs.learned_unigram_candidate_sampler, sampler=sampler),
        "TensorFlow": tf.random.learned_unigram_candidate_sampler,
    }
    signature = [tf.TensorSpec([None, 1], tf.int64)]
    return {
        side: tf.function(
            lambda true_classes, op=op: op(true_classes, 1, size, False, classes)[0][0],
            input_signature=signature,
            autograph=False,
        )
        for side, op in ops.items()
    }


def costs(classes, rounds):
    """Nanoseconds, as {(side, "draw" or "update"): ns}."""
    one, many = calls(classes, 1), calls(classes, MANY)
    label = harness.zipf_labels(classes, 1, seed=1)
    labels = harness.zipf_labels(classes, MANY, seed=2)
    steps = {}
    for side in COLOURS:
        for call in (one[side], many[side]):
            call(harness.zipf_labels(classes, min(4 * classes, 2**22), seed=3))
        steps[side, "nothing"] = functools.partial(one[side], label)
        steps[side, "draw"] = functools.partial(many[side], label)
        steps[side, "update"] = functools.partial(one[side], labels)
    seconds = harness.median_seconds(steps, rounds)
    return {
        (side, what): (seconds[side, what] - seconds[side, "nothing"]) / (MANY - 1) * 1e9
        for side in COLOURS
        for what in ("draw", "update")
    }


def picture(path, counts, probabilities, measured):
    """Saves what was learned, by rank, and the costs by number of classes as a PNG."""
    plt.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False})
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8))

    ranks = np.arange(1, len(counts) + 1)
    some = np.unique(np.geomspace(1, len(counts), 60).astype(int)) - 1
    left.plot(ranks, counts / counts.sum(), color="#e0a030", label="true share of the class")
    left.plot(
        ranks[some], probabilities[some], "o", ms=3.5, color=COLOURS["ours"], label="as learned"
    )
    left.set(
        title=f"One pass over {counts.sum() / 1e6:.1f} million words",
        xlabel=f"rank of the class, of {len(counts):,}",
        ylabel="probability",
        xscale="log",
        yscale="log",
    )
    left.legend(frameon=False)

    for what, style in (("draw", "o-"), ("update", "s--")):
        for side, colour in COLOURS.items():
            ns = [measured[classes][side, what] for classes in CLASSES]
            right.plot(CLASSES, ns, style, ms=4, color=colour, label=f"{side}, {what}")
    right.set(
        title="Cost of a draw and of an update",
        xlabel="number of classes",
        ylabel="ns",
        yscale="log",
    )
    right.set_xscale("log", base=2)
    right.legend(frameon=False, fontsize=9)

    figure.tight_layout()
    figure.savefig(path, dpi=200)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--counts", type=Path, required=True, help="run-length coded counts, .npz")
    parser.add_argument("--picture", type=Path, help="where to save the picture, a PNG")
    parser.add_argument("--rounds", type=int, default=harness.ROUNDS)
    options = parser.parse_args()
    print(f"{harness.machine()}\n")

    counts = read_counts(options.counts)
    probabilities, ns = learn(counts)
    expected = (counts + 1) / (counts + 1).sum()
    print(
        f"{counts.sum():,} occurrences of {len(counts):,} classes counted, {ns:.1f} ns each; "
        f"probabilities differ from (count + 1) / sum by {np.ptp(probabilities / expected):.1e}, "
        f"from count / sum by {abs(probabilities - counts / counts.sum()).sum() / 2:.2%} in total\n"
    )
    print("| V | ours, ns a draw | TF | ratio | ours, ns an update | TF | ratio |")
    print("|---|---|---|---|---|---|---|")
    measured = {}
    for classes in CLASSES:
        measured[classes] = costs(classes, options.rounds)
        cells = [f"{classes:,}"]
        for what in ("draw", "update"):
            fast, slow = (measured[classes][side, what] for side in COLOURS)
            cells += [f"{fast:.1f}", f"{slow:.1f}", f"{slow / fast:.1f}x"]
        print(f"| {' | '.join(cells)} |", flush=True)
        gc.collect()  # the ops' tables
    if options.picture:
        picture(options.picture, counts, probabilities, measured)


if __name__ == "__main__":
    main()
