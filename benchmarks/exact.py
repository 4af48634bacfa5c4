# SPDX-License-Identifier: Apache-2.0
"""The full softmax with its gradients, ranks and the best classes: ours and composed of TensorFlow.

Run: .venv/bin/python benchmarks/exact.py [--quick] [--only TEXT] [--rounds N] [--out FOLDER]

TensorFlow's side multiplies inputs with the whole table. Its loss is that of
sparse_softmax_cross_entropy_with_logits, its rank a comparison of all logits with the label's, its
best classes are those of tf.math.top_k. The table was never accessed sparsely, so that a dense read
copies nothing.

The floor of a step is three matrix products of the size [B, D, V], that of the others one, at the
rate that TensorFlow's own product reaches for large matrices, measured in this run.
"""

import functools

import harness
import tensorflow as tf

import tf_candsamp as tfcs

K = 100
PRODUCTS = {"step": 3, "loss": 1, "rank": 1, "top": 1}
SHAPES = ((1024, 64, 20_000), (1024, 128, 100_000), (128, 64, 100_000), (1, 64, 1_000_000))
CASES = [
    {"what": what, "B": rows, "D": depth, "V": classes}
    for rows, depth, classes in SHAPES
    for what in PRODUCTS
    if rows > 1 or what in ("rank", "top")
]
SIDES = ("ours", "core")


@functools.lru_cache(maxsize=1)
def problem(rows, depth, classes):
    """Weights, biases, labels and inputs."""
    return (
        tf.Variable(tf.random.normal([classes, depth], stddev=0.1)),
        tf.Variable(tf.zeros([classes])),
        tf.reshape(harness.zipf_labels(classes, rows, seed=1), [-1]),
        tf.random.normal([rows, depth]),
    )


def core_logits(weights, biases, inputs):
    return tf.linalg.matmul(inputs, weights, transpose_b=True) + biases


def core_loss(weights, biases, labels, inputs):
    logits = core_logits(weights, biases, inputs)
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)


def core_rank(weights, biases, labels, inputs):
    logits = core_logits(weights, biases, inputs)
    own = tf.gather(logits, labels, batch_dims=1)[:, tf.newaxis]
    return tf.reduce_sum(tf.cast(logits > own, tf.int64), 1)


def step_of(loss, weights, biases, labels, inputs):
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        value = tf.reduce_mean(loss(weights, biases, labels, inputs))
    return value, *tape.gradient(value, [weights, biases, inputs])


def make(case, side):
    """A compiled function of one side."""
    weights, biases, labels, inputs = problem(case["B"], case["D"], case["V"])
    ours = side == "ours"
    loss = tfcs.full_softmax_loss if ours else core_loss
    rank = tfcs.label_rank if ours else core_rank

    def best():
        if ours:
            return tfcs.top_k(weights, biases, inputs, K).indices
        return tf.math.top_k(core_logits(weights, biases, inputs), K).indices

    functions = {
        "step": lambda: step_of(loss, weights, biases, labels, inputs),
        "loss": lambda: loss(weights, biases, labels, inputs),
        "rank": lambda: rank(weights, biases, labels, inputs),
        "top": best,
    }
    return tf.function(functions[case["what"]], autograph=False)


def check_same(case):
    """Both sides agree, but for ties that rounding decides."""
    ours, core = (make(case, side)() for side in SIDES)
    if case["what"] in ("step", "loss"):
        for got, want in zip(tf.nest.flatten(ours), tf.nest.flatten(core), strict=True):
            error = tf.norm(got - want) / tf.norm(want)
            assert error < 1e-4, f"{case}: {float(error)}"
    else:
        same = tf.reduce_mean(tf.cast(tf.cast(ours, tf.int64) == tf.cast(core, tf.int64), float))
        assert same > 0.9, f"{case}: {float(same)} equal"


@functools.cache
def multiplications():
    return harness.multiplications()


def measure(case, rounds):
    check_same(case)
    steps = {side: make(case, side) for side in SIDES}
    times = harness.time_steps(steps, rounds)
    products = PRODUCTS[case["what"]] * case["B"] * case["D"] * case["V"]
    return {
        "seconds": times.spreads(),
        "ratios": times.ratios("core/ours"),
        "peak_bytes": {side: harness.peak_bytes(step) for side, step in steps.items()},
        "floor_seconds": products / multiplications(),
    }


if __name__ == "__main__":
    harness.run("exact", __doc__, CASES, measure, is_quick=lambda case: case["V"] <= 20_000)
