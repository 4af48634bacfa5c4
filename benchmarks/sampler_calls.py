# SPDX-License-Identifier: Apache-2.0
"""A single call of a sampler, ours or TensorFlow's, between other work.

Run: .venv/bin/python benchmarks/sampler_calls.py [--quick] [--only TEXT] [--rounds N]
     [--out FOLDER]

`samplers.py` times calls that follow others of their kind: the sampler's table is in the caches,
and no core sleeps. A train step calls its sampler once, and then does other work. Here a timed
call follows a call of the other side, after other work on all cores that evicts what was in
the caches: an elementwise op over 256 MB, more than any of them holds.
"""

import functools

import harness
import samplers
import tensorflow as tf

CASES = [
    {"kind": kind, "V": samplers.CLASSES[0], "S": size, "unique": unique, "calls": 1}
    for kind in samplers.KINDS
    for size in (1024, 65536)
    for unique in (False, True)
]
OTHER_BYTES = 2**28


def measure(case, rounds):
    values, one = tf.zeros([OTHER_BYTES // 4]), tf.constant(1.0)
    other_work = functools.partial(tf.raw_ops.AddV2, x=values, y=one)
    steps = {}
    for side in samplers.sides(case):
        steps |= {f"before {side}": other_work, side: samplers.make_step(case, side)}
    times = harness.time_steps(steps, rounds, again=False)
    return {
        "seconds": {side: times.spreads()[side] for side in samplers.sides(case)},
        "ratios": times.ratios("core/ours"),
    }


if __name__ == "__main__":
    settings = {"true_classes": samplers.TRUE, "labels_counted_before": samplers.TRAINED}
    harness.run("sampler_calls", __doc__, CASES, measure, settings=settings)
