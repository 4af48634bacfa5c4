# SPDX-License-Identifier: Apache-2.0
"""The losses of tf.nn, called as ours are, and their errors as the measure of ours."""

import loss_cases as lc
import numpy as np
import tensorflow as tf
from calls import MODES

TF = {"softmax": tf.nn.sampled_softmax_loss, "nce": tf.nn.nce_loss}
TF_V1 = {"softmax": tf.compat.v1.nn.sampled_softmax_loss, "nce": tf.compat.v1.nn.nce_loss}


def pieces(table, count, strategy):
    """The table in `count` variables as tf.nn expects them; 1 stands for no list."""
    if count == 1:
        return tf.Variable(table)
    if strategy == "mod":
        return [tf.Variable(table[k::count]) for k in range(count)]
    larger = len(table) % count
    sizes = [len(table) // count + (k < larger) for k in range(count)]
    return list(map(tf.Variable, tf.split(table, sizes)))


def whole(gradients, count, strategy):
    """The dense gradient of a table from those of its pieces."""
    # tf.nn's slices may repeat.
    dense = [tf.convert_to_tensor(gradient).numpy() for gradient in gradients]
    if strategy == "div" or count == 1:
        return np.concatenate(dense)
    table = np.zeros([sum(map(len, dense)), *dense[0].shape[1:]], dense[0].dtype)
    for k, part in enumerate(dense):
        table[k::count] = part
    return table


def result_of(function, kind, case, dtype, shards=1, strategy="div", mode="eager", **options):
    """The `Result` of a function with the arguments of tf.nn's; `options` replace the case's."""
    weights = pieces(tf.constant(case.weights, dtype), shards, strategy)
    biases = pieces(tf.constant(case.biases, dtype), shards, strategy)
    inputs = tf.constant(case.inputs, dtype)
    labels = tf.constant(case.labels, tf.int64)
    tables = tf.nest.flatten([weights, biases])
    options = {
        "sampled_values": case.sampled_values(dtype),
        "remove_accidental_hits": case.remove_accidental_hits,
    } | options

    def step():
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = function(weights, biases, labels, inputs, **case.sizes(), **options)
        grad = tf.constant(case.grad(kind), dtype)
        return loss, tape.gradient(loss, [*tables, inputs], grad)

    loss, (*by_tables, by_inputs) = MODES[mode](step)()
    assert loss.dtype == dtype
    return lc.Result(
        loss.numpy(),
        lc.reference.Gradients(
            whole(by_tables[:shards], shards, strategy),
            whole(by_tables[shards:], shards, strategy),
            by_inputs.numpy(),
        ),
    )


def errors(actual, exact):
    """Of each part, relative to the part's largest value; the value's is at least 1."""
    found = {}
    for (name, got), (_, want) in zip(lc.parts(actual), lc.parts(exact), strict=True):
        largest = np.abs(want).max(initial=1 if name == "value" else 0)
        found[name] = np.abs(got - want).max(initial=0) / max(largest, 1e-300)
    return found


def assert_as_exact_as_tf(ours, tf_result, exact, dtype, factor=2, floor=4):
    """Our errors are at most `factor` times tf.nn's, or `floor` epsilons."""
    of_tf, of_ours = errors(tf_result, exact), errors(ours, exact)
    for name, error in of_ours.items():
        assert of_tf[name] <= 40 * lc.EPSILON[dtype], f"tf.nn computes another {name}"
        allowed = max(factor * of_tf[name], floor * lc.EPSILON[dtype])
        assert error <= allowed, f"{name}: error {error}, tf.nn's {of_tf[name]}"
