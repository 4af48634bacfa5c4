# SPDX-License-Identifier: Apache-2.0
"""Sampled softmax and NCE with shared candidates, forward and backward: ours and TensorFlow's.

Run: .venv/bin/python benchmarks/losses.py [--quick] [--only TEXT] [--rounds N] [--out FOLDER]

Each side draws with its own default sampler, S distinct candidates by log-uniform, inside a
compiled function that also computes the gradients of weights, biases and inputs. Labels follow
Zipf's law. For "bfloat16" our inputs have that type, over float32 tables; TensorFlow's losses fail
there, so they stay in float32.

The floor is three matrix products of the loss's size, at the rate that TensorFlow's own product
reaches for large matrices, measured in this run.
"""

import functools

import harness
import numpy as np
import tensorflow as tf

import tf_candsamp as tfcs

# B, D, S; and steps in one call of a compiled function, so that the call from Python does not count
SHAPES = ((1024, 512, 8192, 1), (1024, 128, 1024, 8), (256, 128, 1024, 16), (128, 128, 64, 64))
CASES = [
    {"loss": loss, "V": classes, "B": rows, "D": depth, "S": sampled, "steps": steps}
    for loss, classes in (("softmax", 100_000), ("softmax", 1_000_000), ("nce", 100_000))
    for rows, depth, sampled, steps in SHAPES
]
SIDES = ("ours", "core", "recompute", "bfloat16")

OURS = {"softmax": tfcs.sampled_softmax_loss, "nce": tfcs.nce_loss}
CORE = {"softmax": tf.nn.sampled_softmax_loss, "nce": tf.nn.nce_loss}


@functools.lru_cache(maxsize=1)
def problem(classes, rows, depth):
    """Weights, biases, labels and inputs."""
    weights = tf.Variable(tf.random.normal([classes, depth], stddev=0.1))
    biases = tf.Variable(tf.zeros([classes]))
    harness.make_trained(weights, biases)
    return (
        weights,
        biases,
        harness.zipf_labels(classes, rows, seed=1),
        tf.random.normal([rows, depth]),
    )


def arguments(case, side):
    """The loss of a side and what it takes."""
    weights, biases, labels, inputs = problem(case["V"], case["B"], case["D"])
    loss = (CORE if side == "core" else OURS)[case["loss"]]
    if side == "recompute":
        loss = functools.partial(loss, recompute=True)
    if side == "bfloat16":
        inputs = tf.cast(inputs, tf.bfloat16)
    return loss, weights, biases, labels, inputs, case["S"]


def loss_and_gradients(loss, weights, biases, labels, inputs, sampled):
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        value = tf.reduce_mean(loss(weights, biases, labels, inputs, sampled, weights.shape[0]))
    return value, tape.gradient(value, [weights, biases, inputs])


def make_step(case, side):
    """A compiled function of case["steps"] forward and backward passes, one after the other."""
    loss, weights, biases, labels, inputs, sampled = arguments(case, side)

    @tf.function(autograph=False)
    def loop(labels, inputs):
        def body(k, total):
            moved = inputs + tf.cast(1e-30 * total, inputs.dtype)
            value, (for_weights, for_biases, for_inputs) = loss_and_gradients(
                loss, weights, biases, labels, moved, sampled
            )
            # The sum uses every result, so that TensorFlow prunes none.
            parts = (value, for_weights.values[0, 0], for_biases.values[0], for_inputs[0, 0])
            return k + 1, tf.add_n([tf.cast(part, tf.float32) for part in parts])

        first = (0, 0.0)
        return tf.while_loop(lambda k, _: k < case["steps"], body, first, parallel_iterations=1)[1]

    return lambda: loop(labels, inputs)


def make_single(case, side):
    """One compiled pass that returns loss and gradients."""
    loss, weights, biases, labels, inputs, sampled = arguments(case, side)

    @tf.function(autograph=False)
    def step(labels, inputs):
        return loss_and_gradients(loss, weights, biases, labels, inputs, sampled)

    return lambda: step(labels, inputs)


def check_same(case):
    """The implementations must agree before they are compared."""
    _, weights, _, labels, _, sampled = arguments(case, "ours")
    classes = weights.shape[0]
    values = tfcs.log_uniform_candidate_sampler(labels, 1, sampled, True, classes, seed=1)
    found = []
    for side in ("ours", "core"):
        loss, *others = arguments(case, side)
        loss = functools.partial(loss, sampled_values=values)
        value, (for_weights, _, for_inputs) = loss_and_gradients(loss, *others)
        total = tf.math.unsorted_segment_sum(for_weights.values, for_weights.indices, classes)
        found.append(np.concatenate([[value], np.ravel(for_inputs), np.ravel(total[:1000])]))
    np.testing.assert_allclose(*found, rtol=2e-3, atol=1e-6)


@functools.cache
def multiplications():
    return harness.multiplications()


def measure(case, rounds):
    check_same(case)
    steps = {side: make_step(case, side) for side in SIDES}
    times = harness.time_steps(steps, rounds, case["steps"])
    peak = {side: harness.peak_bytes(make_single(case, side)) for side in SIDES}
    peak["core, eager"] = harness.peak_bytes(lambda: loss_and_gradients(*arguments(case, "core")))
    return {
        "seconds": times.spreads(),
        "ratios": times.ratios("core/ours", "core/recompute", "core/bfloat16"),
        "peak_bytes": peak,
        "floor_seconds": 3 * case["B"] * case["D"] * case["S"] / multiplications(),
    }


def is_main(case):
    """Whether --quick and `compare.py` run it. A larger table only makes it slower to set up."""
    return case["V"] == CASES[0]["V"]


if __name__ == "__main__":
    harness.run("losses", __doc__, CASES, measure, is_quick=is_main)
