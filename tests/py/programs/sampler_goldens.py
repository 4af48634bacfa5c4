# SPDX-License-Identifier: Apache-2.0
"""The samples that test_sampler_stateless.py pins. It prints sampler_goldens.json anew:

    PYTHONPATH=tests/py/helpers .venv/bin/python tests/py/programs/sampler_goldens.py

A change of what is in that file is a breaking change of the package: seeds and checkpoints stop
meaning the candidates that they meant. Say so in CHANGELOG.md.
"""

import json
import pathlib

import sampler_cases as spc
import tensorflow as tf

SEED = [20_220_101, -5]
PATH = pathlib.Path(__file__).with_suffix(".json")

# So uneven that all classes are not drawn before the draws end: clocks ring for the others.
STEEP = [0.25**k for k in range(20)]
MILD = [3.0, 0.0, 1.0, 0.5, 2.0, 0.0, 4.0, 1.5, 1.0, 1.0]
LABELS = [[0], [1]]
ROWS = [0, 1, 3, 7]
ROW_LABELS = [[0, 0], [1, 7], [2, 3], [0, 9]]


def batch(kind, range_max, num_sampled, unique, expected_count, **options):
    return spc.KINDS[kind].stateless(
        LABELS,
        1,
        num_sampled,
        unique,
        range_max,
        seed=SEED,
        expected_count=expected_count,
        **options,
    )


def learned(range_max, unique):
    tf.random.set_seed(SEED[0])
    sampler = spc.sampler("learned_unigram", range_max, unique=unique, seed=SEED[1])
    sampler.update([0] * 40 + [1] * 9 + [range_max - 1] * 2000)
    return sampler


def samples():
    """(key, sample) of everything that is pinned."""
    for unique, exact in ((False, "tf"), (True, "tf"), (True, "exact")):
        key = f"{'unique' if unique else 'any'} {exact}"
        yield f"uniform {key}", batch("uniform", 10**12, 6, unique, exact)
        yield f"log_uniform {key}", batch("log_uniform", 50_000, 6, unique, exact)
        fixed = batch("fixed_unigram", 10, 6, unique, exact, unigrams=MILD, distortion=0.75)
        yield f"fixed_unigram {key}", fixed
        sample = learned(1000, unique).sample(6, LABELS, expected_count=exact)
        yield f"learned_unigram {key}", sample
        for kind in spc.OBJECTS:
            tf.random.set_seed(SEED[0])
            sampler = spc.sampler(kind, 10, unique=unique, seed=SEED[1])
            for exclude in (False, True):
                sample = sampler.sample_ragged(ROWS, ROW_LABELS, exclude, expected_count=exact)
                yield f"rows {kind} {key} {'others' if exclude else 'all'}", sample
    for exact in ("tf", "exact"):
        for size in (19, 20):
            sample = batch("fixed_unigram", 20, size, True, exact, unigrams=STEEP)
            yield f"exhausted fixed_unigram {size} {exact}", sample
        yield f"exhausted uniform {exact}", batch("uniform", 7, 7, True, exact)
        yield f"exhausted log_uniform {exact}", batch("log_uniform", 9, 9, True, exact)
        sample = learned(12, True).sample(12, LABELS, expected_count=exact)
        yield f"exhausted learned_unigram {exact}", sample


def values(sample):
    """What JSON can hold: every float32 is a double, and is printed as one."""
    return [part.tolist() for part in spc.parts(sample)]


def main():
    lines = (f"{json.dumps(key)}: {json.dumps(values(sample))}" for key, sample in samples())
    print("{\n" + ",\n".join(lines) + "\n}")


if __name__ == "__main__":
    main()
