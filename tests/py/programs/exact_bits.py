# SPDX-License-Identifier: Apache-2.0
"""Run by test_exact_threads.py: hashes of all results with a given number of threads, as JSON.

Usage: exact_bits.py THREADS. The keys of the JSON are "options shape type"; the values are the hash
of the bits of loss, gradients, ranks and best classes, and the largest error of the former beside
the reference.
"""

import hashlib
import json
import sys

import exact_cases as ec
import loss_cases as lc
import numpy as np
import tensorflow as tf

import tf_candsamp as tfcs

SHAPES = {
    "panels": {"rows": 530, "classes": 1700, "depth": 24},
    "few_rows": {"rows": 3, "classes": 20_000, "depth": 40, "num_true": 1},
    "deep": {"rows": 70, "classes": 1000, "depth": 261, "scale": 0.1},
}
OPTIONS = ("plain", "all")
TYPES = ((tf.float32, tf.float32), (tf.bfloat16, tf.float32), (tf.float64, tf.float64))


def key_of(options, shape, types):
    return f"{options} {shape} {types[0].name}"


KEYS = [key_of(o, s, t) for o in OPTIONS for s in SHAPES for t in TYPES]


def ranking(case, types):
    """Ranks and best classes, among which many are equal."""
    weights = tf.constant(np.concatenate([case.weights, case.weights]), types[1])
    inputs = tf.constant(case.inputs, types[0])
    exclude = [labels[:1] for labels in case.labels]
    options = {k: v for k, v in case.options.items() if k != "logit_softcap"}
    rank = tfcs.label_rank(weights, None, case.labels, inputs, exclude=exclude, **options)
    best = tfcs.top_k(weights, None, inputs, 100, exclude=exclude, **options)
    return [rank.numpy(), best.indices.numpy(), best.values.numpy()]


def bits_and_error(case, types):
    bits = hashlib.sha256()
    result = lc.evaluate("full_softmax", case, *types)
    for part in [part for _, part in lc.parts(result)] + ranking(case, types):
        bits.update(part.tobytes())
    expected = lc.expected("full_softmax", case)
    error = max(
        np.abs(got - want).max() / np.abs(want).max()
        for (_, got), (_, want) in zip(lc.parts(result), lc.parts(expected), strict=True)
    )
    return bits.hexdigest(), error


def main(threads):
    tf.config.threading.set_intra_op_parallelism_threads(int(threads))
    tf.config.threading.set_inter_op_parallelism_threads(1)
    found = {}
    for options in OPTIONS:
        for shape, sizes in SHAPES.items():
            for types in TYPES:
                case = ec.random_case(1, **sizes, **ec.OPTIONS[options]).rounded(*types)
                found[key_of(options, shape, types)] = bits_and_error(case, types)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
