# SPDX-License-Identifier: Apache-2.0
"""The learned-unigram sampler: what a draw and an update cost, by the number of classes.

Run: .venv/bin/python benchmarks/learned_unigram.py [--quick] [--only TEXT] [--rounds N]
     [--out FOLDER]

Seconds of a draw and of an update, ours and TensorFlow's, side by side in one process.
TensorFlow's op counts its true classes in the call that draws. So on both sides a draw is what a
call with MANY candidates takes beyond one with a single candidate, and an update what a call with
MANY true classes takes beyond one with a single one: their expected counts are part of it. Before,
labels that follow Zipf's law are counted, four for each class but no more than 2^22.
"""

import functools

import harness
import tensorflow as tf

import tf_candsamp as tfcs

CASES = [{"V": 4**k} for k in range(5, 14)]
MANY = 65536


def calls(classes, size):
    """Functions of true classes that draw `size` candidates: ours, and TensorFlow's."""
    sampler = tfcs.LearnedUnigramSampler(classes)
    ops = {
        "ours": functools.partial(tfcs.learned_unigram_candidate_sampler, sampler=sampler),
        "core": tf.random.learned_unigram_candidate_sampler,
    }
    signature = [tf.TensorSpec([None, 1], tf.int64)]
    return {
        side: tf.function(
            lambda true_classes, op=op: op(true_classes, 1, size, False, classes)[0][0],
            input_signature=signature,
            autograph=False,
        )
        for side, op in ops.items()
    }


def make_steps(classes, sides=("ours", "core")):
    """{"ours nothing", "ours draw", "ours update", ...}: a call of each."""
    one, many = calls(classes, 1), calls(classes, MANY)
    label = harness.zipf_labels(classes, 1, seed=1)
    labels = harness.zipf_labels(classes, MANY, seed=2)
    steps = {}
    for side in sides:
        for call in (one[side], many[side]):
            call(harness.zipf_labels(classes, min(4 * classes, 2**22), seed=3))
        steps[f"{side} nothing"] = functools.partial(one[side], label)
        steps[f"{side} draw"] = functools.partial(many[side], label)
        steps[f"{side} update"] = functools.partial(one[side], labels)
    return steps


def beyond(times, step):
    """Seconds a draw or an update, round by round."""
    nothing = times.seconds[step.split()[0] + " nothing"]
    pairs = zip(times.seconds[step], nothing, strict=True)
    return [(seconds - least) / (MANY - 1) for seconds, least in pairs]


def measure(case, rounds):
    times = harness.time_steps(make_steps(case["V"]), rounds)
    steps = ("ours draw", "core draw", "ours update", "core update")
    each = harness.Times({step: beyond(times, step) for step in steps})
    return {
        "seconds": each.spreads(),
        "ratios": each.ratios("core draw/ours draw", "core update/ours update"),
    }


def is_quick(case):
    return case["V"] <= 2**20


def is_main(case):
    """Whether `compare.py` runs it: one within the caches, and one beyond."""
    return case["V"] in (2**12, 2**20)


def make_step(case, side):
    """A draw and an update of MANY."""
    steps = make_steps(case["V"], [side])
    return lambda: (steps[f"{side} draw"](), steps[f"{side} update"]())


if __name__ == "__main__":
    settings = {"draws_or_updates_a_call": MANY, "labels_counted_before_a_class": 4}
    harness.run("learned_unigram", __doc__, CASES, measure, is_quick=is_quick, settings=settings)
