"""Sampled softmax and NCE with shared candidates, forward and backward: ours and TensorFlow's.

Run: .venv/bin/python benchmarks/losses.py [--loss softmax|nce] [--rounds N] [--quick]

Each side draws with its own default sampler, S distinct candidates by log-uniform, inside a
compiled function that also computes the gradients of weights, biases and inputs. Labels follow
Zipf's law. The tables are variables that have had a sparse update. In the bfloat16 column ours has
inputs of that type over float32 tables; TensorFlow's losses fail there and stay in float32.

The floor is three matrix products of the loss's size at the rate that TensorFlow's own reaches for
large matrices, measured in this run.
"""

import argparse
import functools
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import harness
import numpy as np
import tensorflow as tf

import tf_candsamp as tfcs

# batch, depth, candidates
SHAPES = ((1024, 512, 8192), (1024, 128, 1024), (256, 128, 1024), (128, 128, 64))
CLASSES = (100_000, 1_000_000)
# Steps in one call of a compiled function, so that the call from Python does not count.
STEPS = (1, 8, 16, 64)

OURS = {"softmax": tfcs.sampled_softmax_loss, "nce": tfcs.nce_loss}
CORE = {"softmax": tf.nn.sampled_softmax_loss, "nce": tf.nn.nce_loss}


def tables(classes, depth):
    """Weights and biases that have been trained: see FACTS on copy-on-read."""
    weights = tf.Variable(tf.random.normal([classes, depth], stddev=0.1))
    biases = tf.Variable(tf.zeros([classes]))
    for table in (weights, biases):
        table.scatter_sub(tf.IndexedSlices(tf.zeros_like(table[:1]), [0]))
    return weights, biases


def loss_and_gradients(loss, weights, biases, labels, inputs, sampled):
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        value = tf.reduce_mean(loss(weights, biases, labels, inputs, sampled, weights.shape[0]))
    return value, tape.gradient(value, [weights, biases, inputs])


def make_step(count, loss, weights, biases, labels, inputs, sampled):
    """A compiled function of `count` forward and backward passes, one after the other."""

    @tf.function(autograph=False)
    def loop(labels, inputs):
        def body(k, total):
            value, (for_weights, for_biases, for_inputs) = loss_and_gradients(
                loss,
                weights,
                biases,
                labels,
                inputs + tf.cast(1e-30 * total, inputs.dtype),
                sampled,
            )
            # Every result is looked at, so that none is left out.
            parts = (value, for_weights.values[0, 0], for_biases.values[0], for_inputs[0, 0])
            return k + 1, tf.add_n([tf.cast(part, tf.float32) for part in parts])

        return tf.while_loop(lambda k, _: k < count, body, (0, 0.0), parallel_iterations=1)[1]

    return lambda: loop(labels, inputs)


def make_single(loss, weights, biases, labels, inputs, sampled):
    """One compiled pass that returns loss and gradients."""

    @tf.function(autograph=False)
    def step(labels, inputs):
        return loss_and_gradients(loss, weights, biases, labels, inputs, sampled)

    return lambda: step(labels, inputs)


def check_same(kind, weights, biases, labels, inputs, sampled):
    """The implementations must agree before they are compared."""
    values = tfcs.log_uniform_candidate_sampler(labels, 1, sampled, True, weights.shape[0], seed=1)
    results = []
    for loss in (OURS[kind], CORE[kind]):
        loss = functools.partial(loss, sampled_values=values)
        value, (for_weights, _, for_inputs) = loss_and_gradients(
            loss, weights, biases, labels, inputs, sampled
        )
        total = tf.math.unsorted_segment_sum(
            for_weights.values, for_weights.indices, weights.shape[0]
        )
        results.append(np.concatenate([[value], np.ravel(for_inputs), np.ravel(total[:1000])]))
    np.testing.assert_allclose(*results, rtol=2e-3, atol=1e-6)


@functools.cache
def multiplications():
    return harness.multiplications()


def row(kind, classes, shape, count, rounds):
    """One line of the table."""
    rows, depth, sampled = shape
    weights, biases = tables(classes, depth)
    labels = harness.zipf_labels(classes, rows, seed=1)
    inputs = tf.random.normal([rows, depth])
    check_same(kind, weights, biases, labels, inputs, sampled)
    ours = OURS[kind]
    half = tf.cast(inputs, tf.bfloat16)
    kinds = {
        "ours": (ours, inputs),
        "core": (CORE[kind], inputs),
        "recompute": (functools.partial(ours, recompute=True), inputs),
        "bfloat16": (ours, half),
    }
    arguments = {k: (f, weights, biases, labels, x, sampled) for k, (f, x) in kinds.items()}
    steps = {k: make_step(count, *a) for k, a in arguments.items()}
    seconds = {k: v / count for k, v in harness.median_seconds(steps, rounds).items()}
    peak = {k: harness.peak_bytes(make_single(*a)) / 1e6 for k, a in arguments.items()}
    eager = harness.peak_bytes(lambda: loss_and_gradients(*arguments["core"])) / 1e6
    floor = 3 * rows * depth * sampled / multiplications()
    core = seconds["core"]
    return [
        f"{classes:,}",
        f"{rows}",
        f"{depth}",
        f"{sampled:,}",
        f"{core * 1e3:.2f}",
        *(f"{seconds[k] * 1e3:.2f} ({core / seconds[k]:.2f}x)" for k in kinds if k != "core"),
        f"{floor * 1e3:.2f}",
        f"{floor / seconds['ours']:.0%}",
        " / ".join(f"{peak[k]:.1f}" for k in ("core", "ours", "recompute", "bfloat16")),
        f"{eager:.0f}",
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--loss", choices=tuple(OURS), default="softmax")
    parser.add_argument("--rounds", type=int, default=harness.ROUNDS)
    parser.add_argument("--quick", action="store_true", help="the smaller number of classes only")
    options = parser.parse_args()
    heads = (
        "V|B|D|S|TensorFlow ms|ours ms|recompute ms|bfloat16 ms|floor ms|share of it"
        "|peak MB: TensorFlow / ours / recompute / bfloat16|TensorFlow eager"
    ).split("|")
    print(f"{options.loss}, forward and backward. {harness.machine()}.")
    print(f"Medians of {options.rounds} runs, taking turns in one process.\n")
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for shape, count in zip(SHAPES, STEPS, strict=True):
        for classes in CLASSES[: 1 if options.quick else None]:
            print(f"| {' | '.join(row(options.loss, classes, shape, count, options.rounds))} |")


if __name__ == "__main__":
    main()
