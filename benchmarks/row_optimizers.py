# SPDX-License-Identifier: Apache-2.0
"""Optimizers of rows: ours, and TensorFlow's kernels ResourceSparseApply*, side by side.

Run: .venv/bin/python benchmarks/row_optimizers.py [--quick] [--only TEXT] [--rounds N]
     [--out FOLDER]
     GLIBC_TUNABLES=glibc.malloc.hugetlb=1 .venv/bin/python benchmarks/row_optimizers.py ...

The second way keeps the tables in huge pages, and its results apart.

A compiled function makes 128 updates, one after the other, of N random rows each. Every update
takes other rows, so that they are not in the caches. The rows are distinct and ascend, as those of
the losses' gradients do. For Adam, of which TensorFlow has no kernel for rows, stands Keras's
formula on gathered rows, with scatters of the results ("gathered"). "shuffled" is ours with the
rows in random order, "repeats" ours with slices of which every second one is of a row that
occurred before.

The bandwidth is that of an elementwise op over as large a table, measured in this run. The bytes of
a row are those that no implementation avoids: its gradient read, and table and slots read and
written.
"""

import functools
import itertools
import os

import harness
import numpy as np
import tensorflow as tf

import tf_candsamp as tfcs

SIZES = ((1_000_000, 64), (1_000_000, 128), (4_000_000, 64))
ROWS = 2048
UPDATES = 128
POOL = 4  # calls, before rows come again
SLOTS = {"sgd": 0, "momentum": 1, "adagrad": 1, "ftrl": 2, "adam": 2}
CASES = [
    {"optimizer": optimizer, "V": classes, "D": depth, "rows": ROWS}
    for classes, depth in SIZES
    for optimizer in SLOTS
]
RATE = 1e-3


@functools.lru_cache(maxsize=1)
def tables(classes, depth):
    """The table, and slots of ones."""
    made = [tf.Variable(tf.ones([classes, depth])) for _ in range(3)]
    harness.make_trained(*made)
    return made


@functools.lru_cache(maxsize=1)
def pool(classes):
    """int64 [POOL, UPDATES, ROWS]: distinct rows of each update, in random order."""
    random = np.random.default_rng(0)

    def distinct():
        found = np.unique(random.integers(0, classes, ROWS + ROWS // 8))
        return random.permutation(found)[:ROWS]

    return np.stack([[distinct() for _ in range(UPDATES)] for _ in range(POOL)])


def rows_of_calls(classes, side):
    """[POOL][UPDATES, ROWS]: the rows of each call."""
    rows = pool(classes)
    if side == "repeats":
        rows = np.tile(rows[:, :, : ROWS // 2], 2)
    elif side != "shuffled":
        rows = np.sort(rows)
    return [tf.constant(call) for call in rows]


def ours(case):
    table, first, second = tables(case["V"], case["D"])

    def update(rows, gradient):
        slices = tf.IndexedSlices(gradient, rows)
        kind = case["optimizer"]
        if kind == "sgd":
            tfcs.row_sgd(table, slices, RATE)
        elif kind == "momentum":
            tfcs.row_momentum(table, first, slices, RATE)
        elif kind == "adagrad":
            tfcs.row_adagrad(table, first, slices, RATE)
        elif kind == "ftrl":
            tfcs.row_ftrl(table, first, second, slices, RATE)
        else:
            tfcs.row_adam(table, first, second, slices, RATE, step=7)

    return update


def core(case):
    """TensorFlow's kernel for the rows; None if it has none."""
    table, first, second = (v.handle for v in tables(case["V"], case["D"]))
    raw = tf.raw_ops

    def update(rows, gradient):
        kind = case["optimizer"]
        given = {"grad": gradient, "indices": rows, "use_locking": True}
        if kind == "sgd":
            raw.ResourceScatterSub(resource=table, indices=rows, updates=RATE * gradient)
        elif kind == "momentum":
            raw.ResourceSparseApplyKerasMomentum(
                var=table, accum=first, lr=RATE, momentum=0.9, **given
            )
        elif kind == "adagrad":
            raw.ResourceSparseApplyAdagradV2(var=table, accum=first, lr=RATE, epsilon=1e-7, **given)
        else:
            numbers = {"lr": RATE, "l1": 0.0, "l2": 0.0, "l2_shrinkage": 0.0, "lr_power": -0.5}
            raw.ResourceSparseApplyFtrlV2(var=table, accum=first, linear=second, **numbers, **given)

    return None if case["optimizer"] == "adam" else update


def gathered(case):
    """Adam, composed: gathers, Keras's formula, scatters."""
    table, first, second = tables(case["V"], case["D"])

    def update(rows, gradient):
        mean, square = tf.gather(first, rows), tf.gather(second, rows)
        mean += (gradient - mean) * 0.1
        square += (tf.square(gradient) - square) * 0.001
        first.scatter_update(tf.IndexedSlices(mean, rows))
        second.scatter_update(tf.IndexedSlices(square, rows))
        change = RATE * mean / (tf.sqrt(square) + 1e-7)
        table.scatter_sub(tf.IndexedSlices(change, rows))

    return update if case["optimizer"] == "adam" else None


def make_step(case, side):
    """A function that makes UPDATES updates, of other rows in each call."""
    update = {"core": core, "gathered": gathered}.get(side, ours)(case)
    if update is None:
        return None
    random = np.random.default_rng(1)
    gradients = [
        tf.constant(random.normal(size=[ROWS, case["D"]]).astype(np.float32)) for _ in range(4)
    ]

    @tf.function(autograph=False)
    def step(rows):
        # The gradients are other ones in each update, as a loss's are.
        for k, chosen in enumerate(tf.unstack(rows)):
            update(chosen, gradients[k % len(gradients)])

    calls = itertools.cycle(rows_of_calls(case["V"], side))
    return lambda: step(next(calls))


def bytes_of_row(case):
    return 4 * case["D"] * (1 + 2 * (1 + SLOTS[case["optimizer"]]))


@functools.cache
def bandwidth(size):
    return harness.bandwidth(size)


def measure(case, rounds):
    sides = ("ours", "shuffled", "repeats", "core", "gathered")
    steps = {side: step for side in sides if (step := make_step(case, side)) is not None}
    times = harness.time_steps(steps, rounds, UPDATES * ROWS)
    other = "core" if "core" in steps else "gathered"
    rate = bytes_of_row(case) / times.median("ours")
    return {
        "seconds": times.spreads(),  # of a row
        "ratios": times.ratios(f"{other}/ours"),
        "bytes_a_second": rate,
        "bandwidth": bandwidth(min(4 * case["V"] * case["D"], 1 << 28)),
    }


def is_main(case):
    """Whether --quick runs it."""
    return case["V"] == SIZES[0][0] and case["D"] == SIZES[0][1]


if __name__ == "__main__":
    has_huge_pages = "glibc.malloc.hugetlb=1" in os.environ.get("GLIBC_TUNABLES", "")
    name = "row_optimizers_huge_pages" if has_huge_pages else "row_optimizers"
    harness.run(name, __doc__, CASES, measure, is_quick=is_main)
