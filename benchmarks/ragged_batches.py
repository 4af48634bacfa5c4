# SPDX-License-Identifier: Apache-2.0
"""Batches of rows with their candidates: ours, and Dataset.ragged_batch of rows.

Run: .venv/bin/python benchmarks/ragged_batches.py [--quick] [--only TEXT] [--rounds N]
  [--out FOLDER]

A step goes over a whole epoch, shuffled. Theirs shuffles through a buffer of all rows, so that both
orders are random alike.
"""

import harness
import numpy as np
import ragged
import tensorflow as tf

import tf_candsamp as tfcs

# Rows, candidates in all, candidates of the longest row, rows of a batch. The first is like the
# positions of examples/doudizhu.
SHAPES = ((16_384, 180_224, 322, 256), (16_384, 655_360, 1_000, 1_024))
KEYS = ("rows", "candidates", "longest", "batch")
CASES = [dict(zip(KEYS, shape, strict=True)) for shape in SHAPES]
FEATURES = 51


def measure(case, rounds):
    rng = np.random.default_rng(0)
    rows = case["rows"]
    lengths = ragged.row_lengths(rng, rows, case["candidates"], case["longest"])
    candidates = tf.RaggedTensor.from_row_lengths(
        rng.integers(0, 27_472, case["candidates"]), lengths
    )
    columns = {
        "features": rng.integers(0, 5, (rows, FEATURES)).astype(np.uint8),
        "candidates": candidates,
        "labels": rng.integers(0, 27_472, (rows, 1)),
    }
    theirs = tf.data.Dataset.from_tensor_slices(columns).shuffle(rows).ragged_batch(case["batch"])

    def epoch_of(batches):
        def epoch():
            for _ in batches:
                pass

        return epoch

    times = harness.time_steps(
        {
            "theirs": epoch_of(theirs.prefetch(2)),
            "ours": epoch_of(tfcs.data.ragged_batches(columns, case["batch"])),
        },
        rounds,
    )
    return {"seconds": times.spreads(), "ratios": times.ratios("theirs/ours")}


if __name__ == "__main__":
    harness.run("ragged_batches", __doc__, CASES, measure)
