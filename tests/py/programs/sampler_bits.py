# SPDX-License-Identifier: Apache-2.0
"""Run by test_sampler_core_ids.py: hashes of samples with a given number of threads, as JSON.

Usage: sampler_bits.py THREADS. The keys of the JSON are "what kind ..."; the values are hashes of
all ids and expected counts.
"""

import hashlib
import json
import sys

import numpy as np
import sampler_cases as spc
import tensorflow as tf

SEED = [3, 1]


def options_of(kind, range_max):
    if kind != "fixed_unigram":
        return {}
    rng = np.random.default_rng(range_max)
    weights = rng.pareto(1, range_max) * (rng.random(range_max) > 0.1)
    return {"unigrams": tf.constant(weights, tf.float32), "distortion": 0.75}


def batches():
    """(key, sample) of the stateless samplers. The last sizes need the unique draws' second way."""
    sizes = [(100_003, 50_000), (1000, 700), (300, 300)]
    for kind in spc.KINDS:
        for range_max, size in sizes:
            labels = np.arange(range_max)[:, np.newaxis]
            for unique in (False, True):
                for expected_count in ("tf", "exact"):
                    options = options_of(kind, range_max)
                    if unique and "unigrams" in options:
                        size = min(size, np.count_nonzero(options["unigrams"]))
                    sample = spc.KINDS[kind].stateless(
                        labels,
                        1,
                        size,
                        unique,
                        range_max,
                        seed=SEED,
                        expected_count=expected_count,
                        **options,
                    )
                    yield f"batch {kind} {range_max} {size} {unique} {expected_count}", sample


def objects():
    """(key, sample) of the sampler objects: batches, and rows with and without true classes."""
    range_max = 5000
    rng = np.random.default_rng(0)
    labels = np.minimum(rng.pareto(0.5, [3000, 2]), range_max - 1).astype(np.int64)
    rows = np.where(rng.random(3000) < 0.01, 3000, rng.integers(0, 20, 3000))
    for kind in spc.OBJECTS:
        for unique in (False, True):
            tf.random.set_seed(SEED[0])
            sampler = spc.sampler(kind, range_max, unique=unique, seed=SEED[1])
            if kind == "learned_unigram":
                sampler.update(labels)
            for expected_count in ("tf", "exact"):
                key = f"{kind} {unique} {expected_count}"
                options = {"expected_count": expected_count}
                yield f"object {key}", sampler.sample(range_max // 2, labels, **options)
                for exclude in (False, True):
                    sample = sampler.sample_ragged(rows, labels, exclude, **options)
                    yield f"ragged {key} {exclude}", sample
            yield f"probability {kind} {unique}", [sampler.probability(np.arange(range_max))]


def digest(sample):
    bits = hashlib.sha256()
    for part in spc.parts(sample):
        bits.update(part.tobytes())
    return bits.hexdigest()


def hashes():
    return {key: digest(sample) for make in (batches, objects) for key, sample in make()}


def main():
    tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[1]))
    json.dump(hashes(), sys.stdout)


if __name__ == "__main__":
    main()
