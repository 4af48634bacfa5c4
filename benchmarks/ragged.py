"""Ragged losses, forward and backward: ours, composed of TensorFlow ops, and padded.

Run: .venv/bin/python benchmarks/ragged.py [--loss softmax|nce] [--rounds N]
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import harness
import numpy as np
import tensorflow as tf

import tf_candsamp as tfcs

# classes, batch, depth, candidates in all, candidates of the longest row
SHAPES = (
    (27_472, 256, 128, 11_499, 274),
    (27_472, 1024, 128, 41_680, 322),
    (1_000_000, 1024, 256, 208_410, 1_627),
)

# Steps in one call of a compiled function, so that the call from Python does not count, nor that
# each implementation finds the caches full of the last one's data.
STEPS = (32, 32, 3)


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


def problem(shape, seed=0):
    """Weights, biases, labels, inputs and candidates; the label is among its row's candidates."""
    classes, rows, depth, total, longest = shape
    rng = np.random.default_rng(seed)
    lengths = row_lengths(rng, rows, total, longest)
    ids = [rng.choice(classes, size, replace=False) for size in lengths]
    labels = np.array([row[rng.integers(len(row))] for row in ids])
    weights = tf.Variable(rng.normal(0, 0.1, (classes, depth)).astype(np.float32))
    biases = tf.Variable(np.zeros(classes, np.float32))
    for table in (weights, biases):  # a table that has been trained: see FACTS on copy-on-read
        table.scatter_sub(tf.IndexedSlices(tf.zeros_like(table[:1]), [0]))
    inputs = tf.constant(rng.normal(size=(rows, depth)).astype(np.float32))
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


def make_step(loss, weights, biases, labels, inputs, candidates, nce):
    """A compiled forward and backward pass that returns loss and gradients."""

    @tf.function
    def step(labels, inputs, candidates):
        return loss_and_gradients(loss, weights, biases, labels, inputs, candidates, nce)

    return lambda: step(labels, inputs, candidates)


def make_loop(count, loss, weights, biases, labels, inputs, candidates, nce):
    """A compiled function of `count` such passes, one after the other."""

    @tf.function
    def loop(labels, inputs, candidates):
        total = 0.0
        for _ in tf.range(count):
            value, (for_weights, for_biases, for_inputs) = loss_and_gradients(
                loss, weights, biases, labels, inputs + 1e-30 * total, candidates, nce
            )
            # Every result is looked at, so that none is left out.
            total = value + for_weights.values[0, 0] + for_biases.values[0] + for_inputs[0, 0]
        return total

    return lambda: loop(labels, inputs, candidates)


def loss_and_gradients(loss, weights, biases, labels, inputs, candidates, nce):
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        value = tf.reduce_mean(loss(weights, biases, labels, inputs, candidates, nce))
    return value, tape.gradient(value, [weights, biases, inputs])


def check_same(steps):
    """The implementations must agree before they are compared."""
    results = {}
    for name, step in steps.items():
        value, (weights, _, inputs) = step()
        indices, positions = tf.unique(tf.sort(weights.indices))
        totals = tf.math.unsorted_segment_sum(
            tf.gather(weights.values, tf.argsort(weights.indices)), positions, tf.size(indices)
        )
        results[name] = np.concatenate([[value], np.ravel(inputs), np.ravel(totals[:1000])])
    for name, result in results.items():
        np.testing.assert_allclose(result, results["ours"], rtol=1e-3, atol=1e-6, err_msg=name)


def floor_seconds(shape, weights, labels, candidates):
    """Bytes that any implementation moves, over the bandwidth at this table's size.

    Forward each row of each class once; backward one gradient row for each distinct class.
    """
    depth = shape[2]
    read = (len(labels) + candidates.values.shape[0]) * depth * 4
    written = len(np.unique(np.concatenate([labels, candidates.values]))) * depth * 4
    return (read + written) / harness.bandwidth(weights.shape[0] * depth * 4)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loss", choices=("softmax", "nce"), default="softmax")
    parser.add_argument("--rounds", type=int, default=harness.ROUNDS)
    args = parser.parse_args()
    losses = {"ours": our_loss, "composed": composed_loss, "padded": padded_loss}

    print(f"Ragged {args.loss}, forward + backward, float32. {harness.machine()}.")
    print(f"Medians of {args.rounds} runs, the three taking turns in one process.\n")
    print(
        "| V | B | D | candidates (longest) | ours ms | composed | padded | ours peak MB "
        "| composed | padded | floor ms | share of it |\n|" + "---|" * 12
    )
    for shape, count in zip(SHAPES, STEPS, strict=True):
        arguments = problem(shape)
        arguments += (args.loss == "nce",)
        steps = {name: make_step(loss, *arguments) for name, loss in losses.items()}
        loops = {name: make_loop(count, loss, *arguments) for name, loss in losses.items()}
        check_same(steps)
        floor = floor_seconds(shape, arguments[0], arguments[2].numpy(), arguments[4])
        seconds = harness.median_seconds(loops, args.rounds)
        seconds = {name: value / count for name, value in seconds.items()}
        peak = {name: harness.peak_bytes(step) / 1e6 for name, step in steps.items()}
        ours = seconds["ours"]
        classes, rows, depth, total, longest = shape
        print(
            f"| {classes:,} | {rows} | {depth} | {total:,} ({longest:,}) | {ours * 1e3:.2f} "
            f"| {seconds['composed'] / ours:.1f}x | {seconds['padded'] / ours:.1f}x "
            f"| {peak['ours']:.0f} | {peak['composed']:.0f} | {peak['padded']:.0f} "
            f"| {floor * 1e3:.2f} | {floor / ours:.0%} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
