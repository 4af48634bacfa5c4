# SPDX-License-Identifier: Apache-2.0
"""Candidate samplers, ours and TensorFlow's, side by side in one process: time and peak memory.

Run: .venv/bin/python benchmarks/samplers.py [--quick] [--only TEXT] [--rounds N] [--out FOLDER]

A compiled function calls each sampler 32 times, one call after the other (8 times for the largest
S). The learned sampler has counted TRAINED labels before, and counts TRUE labels with each call.
Labels, and the weights of the fixed sampler, follow Zipf's law. TensorFlow's fixed sampler takes
its weights as an attribute of the op, which is not feasible for 100M classes; ours is then a
`FixedUnigramSampler`, and has nothing beside it.

The floor is what no implementation of the same draws avoids, each at a rate measured in this run:
- an op: TensorFlow's all-candidate sampler with one candidate, called in the same way;
- memory: 12 bytes written for each candidate, and with a table a cache line of 64 bytes read for
  each draw, at the bandwidth of an elementwise op over as large a table;
- random words: two for each draw, of five products of 32-bit numbers each (Philox), at half the
  rate of the products in a matrix multiplication, as a vector holds half as many such products.
Distinct candidates take more draws than candidates; their number follows from the expected counts.
Logarithms, exponentials and the set of classes seen are not in the floor.

Peak memory is by TensorFlow's count: the hash set of its own samplers is not in it, ours is.
"""

import functools

import harness
import numpy as np
import tensorflow as tf

import tf_candsamp as tfcs

CLASSES = (1_000_000, 100_000_000)
SIZES = (64, 1024, 8192, 65536)
TRUE = 128
TRAINED = 2_000_000
KINDS = ("uniform", "log_uniform", "learned_unigram", "fixed_unigram")
CASES = [
    {"kind": kind, "V": classes, "S": size, "unique": unique, "calls": 8 if size > 8192 else 32}
    for kind in KINDS
    for classes in CLASSES
    for size in SIZES
    for unique in (False, True)
    # TensorFlow's fixed-unigram op takes seconds to build: the first and the last size will do.
    if kind != "fixed_unigram" or classes != CLASSES[0] or size in (SIZES[0], SIZES[-1])
]


def repeated(sample, calls):
    """A function of true classes that calls `sample` with them, one call after the other."""

    @tf.function(autograph=False)
    def step(true_classes):
        outputs = []
        for _ in range(calls):
            with tf.control_dependencies(outputs):
                outputs = list(sample(true_classes))
        return outputs[0][0]

    return step


def looped(sample, calls):
    """The same with a single node, for ops that keep a table in each."""

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None, 1], tf.int64)])
    def step(true_classes):
        def body(k, _):
            return k + 1, sample(true_classes)[0][0]

        first = tf.constant(0, tf.int64)
        return tf.while_loop(lambda k, _: k < calls, body, (0, first), parallel_iterations=1)[1]

    return step


def has_table(case):
    return case["kind"].endswith("unigram")


def repeat_for(case):
    return looped if has_table(case) else repeated


@functools.lru_cache(maxsize=1)
def zipf_weights(classes):
    return 1 / np.arange(1, classes + 1, dtype=np.float32)


def sides(case):
    without_core = case["kind"] == "fixed_unigram" and case["V"] > CLASSES[0]
    return ("ours",) if without_core else ("ours", "core")


def sampler(case):
    """Our sampler object, one for a case: its draws say what the learned one has counted."""
    return _sampler(case["kind"], case["V"], case["S"], case["unique"])


@functools.lru_cache(maxsize=1)
def _sampler(kind, classes, _, unique):
    if kind == "uniform":
        return tfcs.UniformSampler(classes, unique=unique)
    if kind == "log_uniform":
        return tfcs.LogUniformSampler(classes, unique=unique)
    if kind == "learned_unigram":
        return tfcs.LearnedUnigramSampler(classes, unique=unique, seed=1)
    return tfcs.FixedUnigramSampler(zipf_weights(classes), unique=unique)


def draw_function(case, side):
    """The function of true classes that a side draws with."""
    kind, classes, size = case["kind"], case["V"], case["S"]
    if kind == "fixed_unigram" and "core" not in sides(case):
        return functools.partial(sampler(case).sample, size)
    arguments = {"num_true": 1, "num_sampled": size, "unique": case["unique"], "range_max": classes}
    if kind == "learned_unigram" and side == "ours":
        arguments["sampler"] = sampler(case)
    else:
        arguments["seed"] = 1
    if kind == "fixed_unigram":
        arguments["unigrams"] = zipf_weights(classes).tolist()
    module = tfcs if side == "ours" else tf.random
    return functools.partial(getattr(module, f"{kind}_candidate_sampler"), **arguments)


def make_step(case, side):
    """A function that makes case["calls"] calls."""
    step = repeat_for(case)(draw_function(case, side), case["calls"])
    if case["kind"] == "learned_unigram":
        step(harness.zipf_labels(case["V"], TRAINED // case["calls"], seed=2))
    return functools.partial(step, harness.zipf_labels(case["V"], TRUE, seed=1))


def draws_made(case):
    """How many draws a call makes: the expected count of a class tells."""
    if not case["unique"]:
        return case["S"]
    drawn_from = sampler(case)
    rare = case["V"] - 1
    count = drawn_from.sample(case["S"], [[rare]]).true_expected_count.numpy().item()
    return float(np.log1p(-count) / np.log1p(-drawn_from.probability(rare).numpy().item()))


@functools.cache
def op_seconds(repeat, calls):
    """What a call takes that has next to nothing to do."""
    true_classes = tf.zeros([1, 1], tf.int64)
    step = repeat(lambda t: tf.random.all_candidate_sampler(t, 1, 1, False), calls)
    return harness.time_steps({"op": lambda: step(true_classes)}, calls=calls).median("op")


@functools.cache
def bandwidth(size):
    return harness.bandwidth(size)


@functools.cache
def multiplications():
    return harness.multiplications()


def floor_seconds(case):
    draws = draws_made(case)
    bytes_moved = 12 * case["S"] + (64 * draws if has_table(case) else 0)
    table_size = max(8 * case["V"] if has_table(case) else 0, 2**23)
    return (
        op_seconds(repeat_for(case), case["calls"])
        + bytes_moved / bandwidth(table_size)
        + 2 * draws * 5 / (multiplications() / 2)
    )


def measure(case, rounds):
    steps = {side: make_step(case, side) for side in sides(case)}
    times = harness.time_steps(steps, rounds, case["calls"])
    return {
        "seconds": times.spreads(),
        "ratios": times.ratios("core/ours") if "core" in steps else {},
        "peak_bytes": {side: harness.peak_bytes(step) for side, step in steps.items()},
        "floor_seconds": floor_seconds(case),
    }


def is_quick(case):
    return case["V"] == CLASSES[0]


def is_main(case):
    """Whether `compare.py` runs it."""
    return is_quick(case) and case["S"] in (SIZES[0], SIZES[-1])


if __name__ == "__main__":
    settings = {"true_classes": TRUE, "labels_counted_before": TRAINED}
    harness.run("samplers", __doc__, CASES, measure, is_quick=is_quick, settings=settings)
