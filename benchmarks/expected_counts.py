# SPDX-License-Identifier: Apache-2.0
"""How far estimates by expected counts of distinct candidates are off: "exact" and "tf".

Run: .venv/bin/python benchmarks/expected_counts.py [--quick] [--only TEXT] [--out FOLDER]

Each class has a value, and the sum of value / expected count over the candidates estimates the sum
of all values. The values are exp of normal numbers, or ones. Each repetition is a row of
`FixedUnigramSampler.sample_ragged`. Nothing here depends on the speed of the machine.
"""

import harness
import numpy as np

import tf_candsamp as tfcs

RULES = ("exact", "tf")
ZIPF, UNIFORM, STEEP = "1 / rank", "uniform", "2^-rank"
CASES = [
    {"p": p, "V": classes, "values": values, "S": size, "repetitions": repetitions}
    for p, classes, values, size, repetitions in (
        (ZIPF, 2000, "exp", 20, 400_000),
        (ZIPF, 2000, "exp", 200, 60_000),
        (ZIPF, 2000, "exp", 1000, 10_000),
        (UNIFORM, 2000, "exp", 20, 400_000),
        (STEEP, 5, "ones", 2, 1_000_000),
        (STEEP, 5, "ones", 3, 1_000_000),
    )
]
ROWS = 10_000  # in a call


def weights(case):
    ranks = np.arange(1, case["V"] + 1, dtype=np.float32)
    return {ZIPF: 1 / ranks, UNIFORM: np.ones_like(ranks), STEEP: 0.5**ranks}[case["p"]]


def values(case):
    if case["values"] == "ones":
        return np.ones(case["V"])
    return np.exp(np.random.default_rng(0).normal(size=case["V"]))


def estimates(case, rule):
    """An estimate of the sum of all values for each repetition."""
    sampler = tfcs.FixedUnigramSampler(weights(case), unique=True, seed=1)
    found = []
    for _ in range(case["repetitions"] // ROWS):
        sample = sampler.sample_ragged([case["S"]] * ROWS, expected_count=rule)
        picked = values(case)[sample.candidates.values.numpy()]
        terms = picked / sample.expected_count.values.numpy()
        found.append(terms.reshape(ROWS, case["S"]).sum(1))
    return np.concatenate(found)


def measure(case, rounds):
    result = {"true": float(values(case).sum())}
    for rule in RULES:
        found = estimates(case, rule)
        deviation = found.std(ddof=1)
        error = deviation / np.sqrt(len(found))
        result[rule] = {
            "mean": float(found.mean()),
            "standard_error": float(error),
            "standard_deviation": float(deviation),
        }
    return result


if __name__ == "__main__":
    harness.run("expected_counts", __doc__, CASES, measure, is_quick=lambda case: case["S"] == 1000)
