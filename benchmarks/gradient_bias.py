# SPDX-License-Identifier: Apache-2.0
"""How far the expected gradient of each sampled loss is from that of the full softmax.

Run: .venv/bin/python benchmarks/gradient_bias.py [--quick] [--only TEXT] [--out FOLDER]

Classes are as frequent as 1 / rank. A row's input is near the row of its label, and a bias is the
log of the class's frequency: the model is that of a task in the middle of training. One batch is
scored again and again against new candidates, and the gradients of the inputs are averaged. Nothing
here depends on the speed of the machine.

    bias    |mean gradient - that of the full softmax|, in the size of the latter
    noise   the deviation of a single gradient from the mean, likewise
    cosine  between the mean gradient and that of the full softmax

NCE aims at another gradient of the same optimum, so its bias tells less than its cosine.
"""

import harness
import numpy as np
import tensorflow as tf

import tf_candsamp as tfcs

CLASSES, DEPTH, ROWS = 5000, 16, 64
GBCE = 0.75  # gBCE's t
LOSSES = {
    "softmax": {},
    "softmax, none": {"correction": "none"},
    "softmax, corrected": {"correction": "corrected_log_q"},
    "NCE": {},
    "NCE, hits removed": {"remove_accidental_hits": True},
    "gBCE": {"correction": "none", "remove_accidental_hits": True},
}
# Candidates that differ, with counts that are unbiased or TensorFlow's, or that may repeat.
EXACT, CORE, REPEATED = "distinct, exact", "distinct, tf", "repeated"
ZIPF, UNIFORM = "1 / rank", "uniform"
CASES = [
    {"loss": loss, "p": p, "candidates": candidates, "S": size, "repetitions": 8_000}
    for size in (32, 256)
    for loss, p, candidates in (
        ("softmax", ZIPF, EXACT),
        ("softmax", ZIPF, CORE),
        ("softmax", ZIPF, REPEATED),
        ("softmax", UNIFORM, EXACT),
        ("softmax, none", ZIPF, EXACT),
        ("softmax, none", UNIFORM, EXACT),
        ("softmax, corrected", ZIPF, EXACT),
        ("softmax, corrected", ZIPF, REPEATED),
        ("softmax, corrected", UNIFORM, REPEATED),
        ("NCE", ZIPF, EXACT),
        ("NCE, hits removed", ZIPF, EXACT),
        ("gBCE", UNIFORM, EXACT),
    )
]


def problem():
    """Weights, biases, labels and inputs."""
    rng = np.random.default_rng(7)
    p = 1 / np.arange(1, CLASSES + 1)
    p /= p.sum()
    weights = rng.normal(size=[CLASSES, DEPTH]) / np.sqrt(DEPTH)
    labels = rng.choice(CLASSES, ROWS, p=p)
    inputs = 4 * weights[labels] + rng.normal(size=[ROWS, DEPTH])
    return weights, np.log(p), labels, inputs, p


def full_gradient():
    """Of the full softmax, by the inputs."""
    weights, biases, labels, inputs, _ = problem()
    z = inputs @ weights.T + biases
    share = np.exp(z - z.max(axis=1, keepdims=True))
    share /= share.sum(axis=1, keepdims=True)
    return share @ weights - weights[labels]


def sampler_of(case, p):
    weights = p if case["p"] == ZIPF else np.ones(CLASSES)
    return tfcs.FixedUnigramSampler(
        weights.astype(np.float32), unique=case["candidates"] != REPEATED, seed=1
    )


def sampled_gradients(case):
    """The sums of the gradients of both halves of the repetitions, and of their squares."""
    weights, biases, labels, inputs, p = problem()
    sampler = sampler_of(case, p)
    nce = case["loss"].startswith(("NCE", "gBCE"))
    options = dict(LOSSES[case["loss"]])
    if case["loss"] == "gBCE":
        options["positive_weight"] = tfcs.gbce_positive_weight(case["S"], CLASSES, GBCE)
    tables = [tf.constant(x, tf.float64) for x in (weights, biases)]
    x = tf.constant(inputs, tf.float64)

    def gradient():
        with tf.GradientTape() as tape:
            tape.watch(x)
            losses = (tfcs.nce_loss if nce else tfcs.sampled_softmax_loss)(
                *tables,
                labels[:, None],
                x,
                case["S"],
                CLASSES,
                sampler=sampler,
                expected_count="exact" if case["candidates"] == EXACT else "tf",
                **options,
            )
        return tape.gradient(losses, x)

    @tf.function
    def half():
        total, squares = tf.zeros_like(x), tf.zeros([], tf.float64)
        for _ in tf.range(case["repetitions"] // 2):
            one = gradient()
            total += one
            squares += tf.reduce_sum(one**2)
        return total, squares

    return [[part.numpy() for part in half()] for _ in range(2)]


def measure(case, rounds):
    full = full_gradient()
    size = np.linalg.norm(full)
    count = case["repetitions"] // 2
    (first, first_squares), (second, second_squares) = sampled_gradients(case)
    mean = (first + second) / (2 * count)
    variance = (first_squares + second_squares) / (2 * count) - (mean**2).sum()
    # The product of two independent estimates has no noise in its mean.
    squared_bias = ((first / count - full) * (second / count - full)).sum()
    return {
        "bias": float(np.sqrt(max(squared_bias, 0)) / size),
        # The error of the mean gradient: a bias far below it cannot be told from 0.
        "resolution": float(np.sqrt(variance / (2 * count)) / size),
        "noise": float(np.sqrt(variance) / size),
        "cosine": float((mean * full).sum() / (np.linalg.norm(mean) * size)),
    }


if __name__ == "__main__":
    harness.run("gradient_bias", __doc__, CASES, measure, is_quick=lambda case: case["S"] == 32)
