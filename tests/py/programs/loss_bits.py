# SPDX-License-Identifier: Apache-2.0
"""Run by test_loss_threads.py: hashes of all results with a given number of threads, as JSON.

Usage: loss_bits.py THREADS REFERENCES, where the latter is a file with a pickle of references().
The keys of the JSON are "kind shape type"; the values are the hash of the bits of value and
gradients, or what failed, and the largest error beside the reference.
"""

import hashlib
import json
import pathlib
import pickle
import sys

import loss_cases as lc
import numpy as np
import ragged_cases as rc
import sampled_cases as sc
import tensorflow as tf
import tiling

RAGGED = {
    "short_rows": {"rows": 2000, "classes": 5000, "depth": 24, "candidates": (0, 40)},
    "long_rows": {"rows": 5, "classes": 20000, "depth": 64, "candidates": (2000, 6000)},
    "one_long_row": {"rows": 40, "classes": 20000, "depth": 33, "candidates": (0, 5)},
    "hot_class": {"rows": 3000, "classes": 5, "depth": 48, "candidates": (0, 9)},
    "many_labels": {"rows": 50, "classes": 9000, "depth": 16, "labels": (9, 900)},
    "ragged_options": {
        "rows": 200,
        "classes": 3000,
        "depth": 40,
        "candidates": (0, 1500),
        "options": {"normalize": True, "temperature": 0.5, "logit_softcap": 5.0},
    },
}
SAMPLED = {
    "two_panels": {
        "rows": tiling.LARGE_BATCH + 88,
        "classes": 3000,
        "depth": 40,
        "num_sampled": tiling.panel_columns(40) + 64,
    },
    "two_blocks": {
        "rows": 2 * tiling.row_block(1) + 22,
        "classes": 900,
        "depth": 33,
        "num_sampled": tiling.COLUMN_BLOCK + 8,
        "num_true": 3,
    },
    "two_deep_panels": {
        "rows": tiling.row_block(1) + 6,
        "classes": 2000,
        "depth": tiling.DEPTH_OF_LARGE_PANELS + 1,
        "num_sampled": tiling.panel_columns(tiling.DEPTH_OF_LARGE_PANELS + 1) + 1,
        "scale": 0.1,
    },
    "recomputed": {
        "rows": 300,
        "classes": 5000,
        "depth": 16,
        "num_sampled": 800,
        "recompute": True,
    },
    "sampled_options": {
        "rows": 300,
        "classes": 5000,
        "depth": 40,
        "num_sampled": 900,
        "num_true": 2,
        "options": {"normalize": True, "temperature": 0.5, "logit_softcap": 5.0},
    },
    "corrected": {
        "rows": 300,
        "classes": 5000,
        "depth": 16,
        "num_sampled": 800,
        "num_true": 1,
        "unique": False,
        "recompute": True,
        "options": {"correction": "corrected_log_q"},
    },
    "repeats": {"rows": 200, "classes": 100, "depth": 24, "num_sampled": 500, "unique": False},
}
TYPES = ((tf.float32, tf.float32), (tf.bfloat16, tf.float32))  # of inputs and weights
KINDS = dict.fromkeys(RAGGED, rc.KINDS) | dict.fromkeys(SAMPLED, lc.LOSSES)
KINDS["corrected"] = ("softmax",)


def case_of(shape):
    if shape in SAMPLED:
        return sc.random_case(1, **SAMPLED[shape])
    case = rc.random_case(1, scale=0.3, **RAGGED[shape])
    if shape == "one_long_row":
        case.candidates[7] = np.random.default_rng(0).integers(0, 20000, 20000)
        case.candidate_log_q[7] = np.zeros(20000)
    return case


def digest(result):
    bits = hashlib.sha256()
    for _, part in lc.parts(result):
        bits.update(part.tobytes())
    return bits.hexdigest()


def error(actual, expected):
    """In the largest value of each part."""
    return max(
        np.abs(got - want).max() / np.abs(want).max()
        for (_, got), (_, want) in zip(lc.parts(actual), lc.parts(expected), strict=True)
    )


def subjects():
    """(key, kind, case, types) of everything that is computed."""
    for shape, kinds in KINDS.items():
        for types in TYPES:
            case = case_of(shape).rounded(*types)
            for kind in kinds:
                yield key_of(kind, shape, types), kind, case, types


def key_of(kind, shape, types):
    return f"{kind} {shape} {types[0].name}"


def references():
    """What the results should be. All processes share it, for it takes longer than the losses."""
    return {key: lc.expected(kind, case) for key, kind, case, _ in subjects()}


def bits_and_error(kind, case, types, reference):
    results = [lc.evaluate(kind, case, *types) for _ in range(2)]
    hashes = [digest(result) for result in results]
    assert hashes[0] == hashes[1], "two runs differ"
    return hashes[0], error(results[0], reference)


def main(threads, path):
    threads = int(threads)
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    wanted = pickle.loads(pathlib.Path(path).read_bytes())
    found = {}
    for key, kind, case, types in subjects():
        try:
            found[key] = bits_and_error(kind, case, types, wanted[key])
        except Exception as failure:  # one function's failure is not the others'
            found[key] = f"{type(failure).__name__}: {failure}", float("inf")
    assert tf.config.threading.get_intra_op_parallelism_threads() == threads
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
