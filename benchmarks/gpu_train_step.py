# SPDX-License-Identifier: Apache-2.0
"""The whole train step of a user on a GPU: loss, gradients and optimizer, by TensorFlow.

Run: .venv/bin/python benchmarks/gpu_train_step.py [--quick] [--only TEXT] [--rounds N]
         [--out FOLDER]

A step is one call from Python of a compiled function, on a batch that lies in the GPU's memory,
from a pool of them. A time is that of CALLS steps, after which the host waits for the table. The
sides:

- ours: our loss and our optimizer;
- theirs: `tf.nn.sampled_softmax_loss`, or what a user composes for rows of their own candidates,
  and Keras's optimizer. TensorFlow draws candidates on the CPU.

Without a GPU it runs on the CPU, to test it.
"""

import itertools

import harness
import numpy as np
import tensorflow as tf

import tf_candsamp as tfcs
from tf_candsamp.keras import optimizers

CALLS, POOL, RATE = 16, 8, 1e-3
CASES = [
    {"loss": "softmax", "optimizer": name, "V": 1_000_000, "B": rows, "D": depth, "S": sampled}
    for name, rows, depth, sampled in (
        ("SGD", 1024, 512, 8192),
        ("Adagrad", 1024, 512, 8192),
        ("Adagrad", 1024, 128, 1024),
        ("Adam", 1024, 128, 8192),
        ("Adagrad", 8192, 256, 8192),
    )
] + [
    {"loss": "ragged", "optimizer": name, "V": classes, "B": rows, "D": depth, "S": mean}
    for name, classes, rows, depth, mean in (
        ("Adam", 27_472, 8192, 64, 60),
        ("Adagrad", 1_000_000, 1024, 128, 200),
    )
]


def gpu():
    """The GPU's name, or None."""
    devices = tf.config.list_physical_devices("GPU")
    return (
        devices and tf.config.experimental.get_device_details(devices[0])["device_name"]
    ) or None


def ragged_ids(case, seed):
    """Row lengths of an exponential distribution, as legal moves of a game have; ids uniform."""
    random = np.random.default_rng(seed)
    lengths = (-np.log(random.random(case["B"])) * case["S"]).astype(np.int64) + 1
    ids = random.integers(0, case["V"], lengths.sum())
    return tf.RaggedTensor.from_row_lengths(tf.constant(ids), tf.constant(lengths))


def batches(case):
    """A pool of (labels, inputs, candidates), the last of ragged cases alone."""
    random = np.random.default_rng(0)
    for k in range(POOL):
        inputs = tf.constant(random.normal(size=[case["B"], case["D"]]).astype(np.float32))
        labels = harness.zipf_labels(case["V"], case["B"], seed=k)
        if case["loss"] == "ragged":
            yield tf.identity(labels[:, 0]), inputs, ragged_ids(case, k)
        else:
            yield labels, inputs, None


def composed(table, biases, labels, inputs, candidates):
    """A ragged sampled softmax of TensorFlow's ops: gathered rows, segments."""
    ids, rows = candidates.values, candidates.value_rowids()
    logits = tf.reduce_sum(tf.gather(table, ids) * tf.gather(inputs, rows), 1)
    logits += tf.gather(biases, ids)
    logits = tf.where(ids == tf.gather(labels, rows), -np.inf, logits)
    of_label = tf.reduce_sum(tf.gather(table, labels) * inputs, 1) + tf.gather(biases, labels)
    largest = tf.stop_gradient(tf.maximum(tf.math.segment_max(logits, rows), of_label))
    sums = tf.math.segment_sum(tf.exp(logits - tf.gather(largest, rows)), rows)
    return largest + tf.math.log(sums + tf.exp(of_label - largest)) - of_label


def loss_of(case, side):
    """The function loss(table, biases, labels, inputs, candidates) of a side."""
    if case["loss"] == "ragged":
        return tfcs.ragged_sampled_softmax_loss if side == "ours" else composed
    library = tfcs if side == "ours" else tf.nn
    return lambda table, biases, labels, inputs, _: library.sampled_softmax_loss(
        table, biases, labels, inputs, case["S"], case["V"]
    )


def make_steps(case, side, pool):
    """A function of no arguments that makes CALLS steps, and waits for them."""
    table = tf.keras.Variable(
        tf.random.stateless_normal([case["V"], case["D"]], [1, 2], stddev=0.05)
    )
    biases = tf.keras.Variable(tf.zeros([case["V"]]))
    library = optimizers if side == "ours" else tf.keras.optimizers
    optimizer = getattr(library, case["optimizer"])(RATE)
    optimizer.build([table, biases])
    loss = loss_of(case, side)

    @tf.function(autograph=False)
    def step(labels, inputs, candidates):
        variables = [table.value, biases.value]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            mean = tf.reduce_mean(loss(*variables, labels, inputs, candidates))
        *gradients, for_inputs = tape.gradient(mean, [*variables, inputs])
        optimizer.apply(gradients, [table, biases])
        return mean, tf.reduce_sum(for_inputs)

    calls = itertools.cycle(pool)

    def steps():
        for _ in range(CALLS):
            results = step(*next(calls))
        return [value.numpy() for value in (*results, table.value[0, 0])]

    return steps


def measure(case, rounds):
    pool = list(batches(case))
    steps = {side: make_steps(case, side, pool) for side in ("ours", "theirs")}
    times = harness.time_steps(steps, rounds, calls=CALLS, again=False)
    return {"seconds": times.spreads(), "ratios": times.ratios("theirs/ours")}


if __name__ == "__main__":
    harness.run(
        "gpu_train_step",
        __doc__,
        CASES,
        measure,
        is_quick=lambda case: case["D"] <= 128,
        gpu=gpu(),
    )
