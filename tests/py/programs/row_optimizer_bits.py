# SPDX-License-Identifier: Apache-2.0
"""Prints the hash of what each row optimizer makes of a table, with a given number of threads."""

import hashlib
import json
import sys

import optimizer_reference as ref
import row_cases as rows
import tensorflow as tf

SHAPE = (6_000, 33)


def bits(kind):
    made = rows.variables(kind, rows.random_table(shape=SHAPE))
    for number in (1, 2):
        # With repeats, and enough rows for all threads; one row occurs very often.
        gradient = rows.random_slices(number, count=5_000, shape=SHAPE)
        often = tf.where(tf.range(5_000) % 4 == 0, tf.constant(11, tf.int64), gradient.indices)
        rows.apply(kind, made, tf.IndexedSlices(gradient.values, often), 0.1, number)
    whole = b"".join(variable.numpy().tobytes() for variable in made.values())
    return hashlib.sha256(whole).hexdigest()


if __name__ == "__main__":
    tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[1]))
    print(json.dumps({kind: bits(kind) for kind in ref.KINDS}))
