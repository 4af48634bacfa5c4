# SPDX-License-Identifier: Apache-2.0
"""What the learned-unigram sampler makes of the words of a text, all counted in one pass.

Run: .venv/bin/python benchmarks/learned_counts.py --counts FILE [--out FOLDER]

FILE (.npz) holds class counts, run-length coded: `m[i]` classes have the count `v[i]`, which
ascends. The published figures are of the word counts in the dictionary of jieba 0.42.1 (MIT
licence, copyright 2013 Sun Junyi). `update` counts all occurrences once, shuffled.
"""

import argparse
import pathlib
import time

import numpy as np
import results

import tf_candsamp as tfcs

BATCH = 65536
SHOWN = 60  # ranks of which the result holds the probability


def read_counts(path):
    """The count of each class, most frequent first."""
    with np.load(path) as coded:
        return np.repeat(coded["v"], coded["m"])[::-1]


def learn(counts):
    """The probabilities after one pass over all occurrences, and seconds an occurrence."""
    occurrences = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    np.random.default_rng(0).shuffle(occurrences)
    sampler = tfcs.LearnedUnigramSampler(len(counts))
    start = time.perf_counter()
    for at in range(0, len(occurrences), BATCH):
        sampler.update(occurrences[at : at + BATCH])
    seconds = time.perf_counter() - start
    probabilities = sampler.probability(np.arange(len(counts))).numpy()
    return probabilities, seconds / len(occurrences)


def measure(counts):
    probabilities, seconds = learn(counts)
    expected = (counts + 1) / (counts + 1).sum()
    ranks = np.unique(np.geomspace(1, len(counts), SHOWN).astype(int))
    return {
        "V": len(counts),
        "occurrences": int(counts.sum()),
        "seconds": {"update": {"median": seconds}},
        "largest_relative_error": float(np.max(np.abs(probabilities / expected - 1))),
        "ranks": ranks.tolist(),
        "shares": (counts / counts.sum())[ranks - 1].tolist(),
        "probabilities": probabilities[ranks - 1].astype(float).tolist(),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--counts", type=pathlib.Path, required=True, help="class counts, .npz")
    parser.add_argument("--out", type=pathlib.Path, default=results.FOLDER, help="for the results")
    options = parser.parse_args()
    cases = [measure(read_counts(options.counts))]
    settings = {"occurrences_an_update": BATCH}
    print(results.save(results.new_run("learned_counts", settings, cases), options.out))


if __name__ == "__main__":
    main()
