# SPDX-License-Identifier: Apache-2.0
"""Ragged losses, forward and backward: ours, composed of TensorFlow ops, and padded.

Run: .venv/bin/python benchmarks/ragged.py [--quick] [--only TEXT] [--rounds N] [--out FOLDER]

The floor is the bytes that no implementation avoids, over the bandwidth of an elementwise op on as
large a table, measured in this run: forward reads each row of each class once, backward writes one
gradient row for each distinct class.
"""

import functools

import harness
import numpy as np
import tensorflow as tf

import tf_candsamp as tfcs

# V, B, D, candidates in all, candidates of the longest row; and steps in one call of a compiled
# function, so that neither the call from Python counts, nor the other sides' data in the caches
SHAPES = (
    (27_472, 256, 128, 11_499, 274, 32),
    (27_472, 1024, 128, 41_680, 322, 8),
    (1_000_000, 1024, 256, 208_410, 1_627, 3),
)
KEYS = ("V", "B", "D", "candidates", "longest", "steps")
CASES = [
    {"loss": loss} | dict(zip(KEYS, shape, strict=True))
    for loss in ("softmax", "nce")
    for shape in SHAPES
]


def row_lengths(rng, rows, total, longest):
    """Log-normal lengths, as the numbers of legal moves are, with the given sum and maximum."""
    lengths = rng.lognormal(sigma=1.0, size=rows)
    order = np.argsort(lengths)
    lengths = np.clip(lengths * (total / lengths.sum()), 1, longest).astype(np.int64)
    lengths[order[-1]] = longest
    missing = total - lengths.sum()
    step = 1 if missing > 0 else -1
    others = order[:-1]
    while missing != 0:
        for row in rng.permutation(others)[: abs(missing)]:
            if 1 <= lengths[row] + step <= longest:
                lengths[row] += step
                missing -= step
    return lengths


@functools.lru_cache(maxsize=1)
def problem(classes, rows, depth, total, longest):
    """Weights, biases, labels, inputs and candidates; the label is among its row's candidates."""
    rng = np.random.default_rng(0)
    lengths = row_lengths(rng, rows, total, longest)
    ids = [rng.choice(classes, size, replace=False) for size in lengths]
    labels = np.array([row[rng.integers(len(row))] for row in ids])
    weights = tf.Variable(0.1 * rng.standard_normal((classes, depth), dtype=np.float32))
    biases = tf.Variable(np.zeros(classes, np.float32))
    harness.make_trained(weights, biases)
    inputs = tf.constant(rng.standard_normal((rows, depth), dtype=np.float32))
    candidates = tf.RaggedTensor.from_row_lengths(np.concatenate(ids), lengths)
    return weights, biases, tf.constant(labels), inputs, candidates


def composed_loss(weights, biases, labels, inputs, candidates, nce):
    """What one writes with gather and segment ops."""
    ids, rows = candidates.values, candidates.value_rowids()
    batch = tf.shape(inputs)[0]
    logits = tf.reduce_sum(tf.gather(weights, ids) * tf.gather(inputs, rows), -1)
    logits += tf.gather(biases, ids)
    logits = tf.where(ids == tf.gather(labels, rows), -1e30, logits)
    label_logits = tf.reduce_sum(tf.gather(weights, labels) * inputs, -1)
    label_logits += tf.gather(biases, labels)
    if nce:
        negatives = tf.math.unsorted_segment_sum(tf.nn.softplus(logits), rows, batch)
        return negatives + tf.nn.softplus(label_logits) - label_logits
    largest = tf.maximum(tf.math.unsorted_segment_max(logits, rows, batch), label_logits)
    largest = tf.stop_gradient(largest)
    terms = tf.exp(logits - tf.gather(largest, rows))
    total = tf.math.unsorted_segment_sum(terms, rows, batch) + tf.exp(label_logits - largest)
    return tf.math.log(total) + largest - label_logits


def padded_loss(weights, biases, labels, inputs, candidates, nce):
    """What one writes with rows filled up to the longest, and a mask."""
    ids = candidates.to_tensor(default_value=-1)
    absent = (ids < 0) | (ids == labels[:, tf.newaxis])
    ids = tf.maximum(ids, 0)
    logits = tf.einsum("bd,bnd->bn", inputs, tf.gather(weights, ids)) + tf.gather(biases, ids)
    logits = tf.where(absent, -1e30, logits)
    label_logits = tf.reduce_sum(tf.gather(weights, labels) * inputs, -1)
    label_logits += tf.gather(biases, labels)
    logits = tf.concat([label_logits[:, tf.newaxis], logits], 1)
    if nce:
        return tf.reduce_sum(tf.nn.softplus(logits), 1) - label_logits
    return tf.reduce_logsumexp(logits, 1) - label_logits


def our_loss(weights, biases, labels, inputs, candidates, nce):
    loss = tfcs.ragged_nce_loss if nce else tfcs.ragged_sampled_softmax_loss
    return loss(weights, biases, labels, inputs, candidates)


LOSSES = {"ours": our_loss, "composed": composed_loss, "padded": padded_loss}


def arguments(case, side):
    """The loss of a side and what it takes."""
    return LOSSES[side], *problem(*(case[key] for key in KEYS[:-1])), case["loss"] == "nce"


def make_single(case, side):
    """A compiled forward and backward pass that returns loss and gradients."""
    loss, weights, biases, labels, inputs, candidates, nce = arguments(case, side)

    @tf.function
    def step(labels, inputs, candidates):
        return loss_and_gradients(loss, weights, biases, labels, inputs, candidates, nce)

    return lambda: step(labels, inputs, candidates)


def make_step(case, side):
    """A compiled function of case["steps"] such passes, one after the other."""
    loss, weights, biases, labels, inputs, candidates, nce = arguments(case, side)

    @tf.function
    def loop(labels, inputs, candidates):
        total = 0.0
        for _ in tf.range(case["steps"]):
            value, (for_weights, for_biases, for_inputs) = loss_and_gradients(
                loss, weights, biases, labels, inputs + 1e-30 * total, candidates, nce
            )
            # The sum uses every result, so that TensorFlow prunes none.
            total = value + for_weights.values[0, 0] + for_biases.values[0] + for_inputs[0, 0]
        return total

    return lambda: loop(labels, inputs, candidates)


def loss_and_gradients(loss, weights, biases, labels, inputs, candidates, nce):
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        value = tf.reduce_mean(loss(weights, biases, labels, inputs, candidates, nce))
    return value, tape.gradient(value, [weights, biases, inputs])


def check_same(singles):
    """The implementations must agree before they are compared."""
    found = {}
    for side, step in singles.items():
        value, (weights, _, inputs) = step()
        indices, positions = tf.unique(tf.sort(weights.indices))
        totals = tf.math.unsorted_segment_sum(
            tf.gather(weights.values, tf.argsort(weights.indices)), positions, tf.size(indices)
        )
        found[side] = np.concatenate([[value], np.ravel(inputs), np.ravel(totals[:1000])])
    for side, result in found.items():
        np.testing.assert_allclose(result, found["ours"], rtol=1e-3, atol=1e-6, err_msg=side)


@functools.cache
def bandwidth(size):
    return harness.bandwidth(size)


def floor_seconds(case):
    _weights, _, labels, _, candidates = arguments(case, "ours")[1:-1]
    row_bytes = 4 * case["D"]
    read = case["B"] + case["candidates"]
    written = len(np.unique(np.concatenate([labels, candidates.values])))
    return (read + written) * row_bytes / bandwidth(case["V"] * row_bytes)


def measure(case, rounds):
    singles = {side: make_single(case, side) for side in LOSSES}
    check_same(singles)
    steps = {side: make_step(case, side) for side in LOSSES}
    times = harness.time_steps(steps, rounds, case["steps"])
    return {
        "seconds": times.spreads(),
        "ratios": times.ratios("composed/ours", "padded/ours"),
        "peak_bytes": {side: harness.peak_bytes(step) for side, step in singles.items()},
        "floor_seconds": floor_seconds(case),
    }


def is_main(case):
    """Whether --quick and `compare.py` run it: the large table takes long to set up."""
    return case["V"] == CASES[0]["V"]


if __name__ == "__main__":
    harness.run("ragged", __doc__, CASES, measure, is_quick=is_main)
