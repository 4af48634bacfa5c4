# SPDX-License-Identifier: Apache-2.0
"""How well each sampler's candidates stand for all classes, on counts of a real vocabulary.

Run: .venv/bin/python benchmarks/sampler_choice.py --counts FILE [--out FOLDER]

FILE is as for learned_counts.py. A row of a model gives class c the logit
log p(c) + e(c) - v / 2, where p are the shares of the counts, and e are normal numbers of variance
v: what a language model knows of the frequencies, and what it knows of this context. A sampled
softmax replaces log Z, the logsumexp of all logits, by that of the candidates' logits less the logs
of their expected counts. For each sampler and number of candidates this says by how much. Nothing
here depends on the speed of the machine.
"""

import argparse
import pathlib

import numpy as np
import results
from learned_counts import read_counts

import tf_candsamp as tfcs

SIZES = (64, 512, 4096)
ROWS = 400
VARIANCE = 2.0
LEARNED = (10**4, 10**6, 10**8)  # labels that the learned sampler has counted


def samplers(counts, random):
    """(name, sampler, the class of each id): classes have ids in order of frequency, or not."""
    size = len(counts)
    in_order, shuffled = np.arange(size), random.permutation(size)
    yield "uniform", tfcs.UniformSampler(size, seed=1), in_order
    yield "log-uniform, ids in random order", tfcs.LogUniformSampler(size, seed=1), shuffled
    yield "log-uniform, ids by frequency", tfcs.LogUniformSampler(size, seed=1), in_order
    for labels in LEARNED:
        seen = random.multinomial(labels, counts / counts.sum())
        name = f"learned unigram, 10^{len(str(labels)) - 1} labels"
        yield name, tfcs.LearnedUnigramSampler(size, counts=seen, seed=1), in_order
    yield "fixed unigram", tfcs.FixedUnigramSampler(counts.astype(np.float32), seed=1), in_order
    for distortion in (0.75, 0.5):
        yield (
            f"fixed unigram, distortion {distortion}",
            tfcs.FixedUnigramSampler(counts.astype(np.float32), distortion=distortion, seed=1),
            in_order,
        )


def model_rows(shares, random):
    """The logits of all classes, float64, one row after the other."""
    base = np.log(shares) - VARIANCE / 2
    for _ in range(ROWS):
        yield base + random.normal(0, np.sqrt(VARIANCE), len(shares))


def log_z(logits):
    most = logits.max()
    return most + np.log(np.exp(logits - most).sum())


def sampled_log_z(sampler, class_of_id, row, size):
    """log Z as a sampled softmax has it."""
    sample = sampler.sample(size, expected_count="exact")
    log_q = np.log(sample.sampled_expected_count.numpy().astype(np.float64))
    return log_z(row[class_of_id[sample.sampled_candidates.numpy()]] - log_q)


def divergence(shares, sampler, class_of_id):
    p = shares[class_of_id]
    q = sampler.probability(np.arange(len(p))).numpy().astype(np.float64)
    return float(np.sum(p * np.log(p / q)))


def summary(errors):
    deviation = float(np.std(errors, ddof=1))
    return {
        "mean": float(np.mean(errors)),
        "standard_error": deviation / len(errors) ** 0.5,
        "standard_deviation": deviation,
    }


def measure(counts):
    random = np.random.default_rng(0)
    shares = counts / counts.sum()
    compared = list(samplers(counts, random))
    errors = {(name, size): [] for name, *_ in compared for size in SIZES}
    for row in model_rows(shares, random):
        exact = log_z(row)
        for name, sampler, class_of_id in compared:
            for size in SIZES:
                estimate = sampled_log_z(sampler, class_of_id, row, size)
                errors[name, size].append(estimate - exact)
    return [
        {
            "sampler": name,
            "V": len(counts),
            "divergence": divergence(shares, sampler, class_of_id),
            "log_z": {str(size): summary(errors[name, size]) for size in SIZES},
        }
        for name, sampler, class_of_id in compared
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--counts", type=pathlib.Path, required=True, help="class counts, .npz")
    parser.add_argument("--out", type=pathlib.Path, default=results.FOLDER, help="for the results")
    options = parser.parse_args()
    cases = measure(read_counts(options.counts))
    settings = {"rows": ROWS, "variance": VARIANCE, "expected_count": "exact"}
    print(results.save(results.new_run("sampler_choice", settings, cases), options.out))


if __name__ == "__main__":
    main()
