# SPDX-License-Identifier: Apache-2.0
"""The sampled softmax over a table of which each worker holds a part."""

import json

import cluster
import numpy as np
import processes
import pytest
import split_table as program
import tensorflow as tf
from calls import MODES, refused

import tf_candsamp as tfcs

CLASSES, ROWS, DEPTH, SAMPLED = 90, 12, 8, 7
PARTS = [(0, 20), (20, 50), (50, 90)]  # the classes of each


def case(dtype=tf.float32, seed=1, copies=False):
    rng = np.random.default_rng(seed)
    ids = [rng.integers(*part, size=SAMPLED) for part in PARTS]
    if not copies:
        ids = [rng.choice(np.arange(*part), SAMPLED, replace=False) for part in PARTS]
    labels = rng.integers(0, CLASSES, ROWS)
    labels[:3] = [drawn[0] for drawn in ids]  # accidental hits, of what stands in for labels, too
    return {
        "weights": tf.cast(rng.normal(size=[CLASSES, DEPTH]), dtype),
        "biases": tf.cast(rng.normal(size=CLASSES), dtype),
        "inputs": tf.cast(rng.normal(size=[ROWS, DEPTH]), dtype),
        "labels": tf.constant(labels),
        "label_count": tf.constant(rng.uniform(0.1, 2, ROWS), tf.float32),
        "ids": ids,
        "counts": [rng.uniform(0.1, 2, SAMPLED) for _ in PARTS],
    }


def equal_counts_of_copies(of):
    for ids, counts in zip(of["ids"], of["counts"], strict=True):
        counts[:] = counts[np.unique(ids, return_inverse=True)[1]]


def of_parts(of, weights, biases, inputs, **options):
    """The loss by way of the statistics of each part."""
    found = []
    for (begin, end), ids, counts in zip(PARTS, of["ids"], of["counts"], strict=True):
        found.append(
            tfcs.partial_sampled_softmax(
                weights[begin:end],
                None if biases is None else biases[begin:end],
                of["labels"] - begin,
                inputs,
                SAMPLED,
                end - begin,
                sampled_values=(ids - begin, of["label_count"], tf.constant(counts, tf.float32)),
                **options,
            )
        )
    return tfcs.merge_partial_softmax(
        tf.stack([part.log_sum_exp for part in found]),
        tf.stack([part.label_logit for part in found]),
    )


def of_all(of, weights, biases, inputs, **options):
    """The loss with the candidates of all parts at once."""
    values = (
        np.concatenate(of["ids"]),
        of["label_count"][:, tf.newaxis],
        tf.constant(np.concatenate(of["counts"]), tf.float32),
    )
    return tfcs.sampled_softmax_loss(
        weights,
        biases,
        of["labels"][:, tf.newaxis],
        inputs,
        len(PARTS) * SAMPLED,
        CLASSES,
        sampled_values=values,
        **options,
    )


def values_and_gradients(function, of, with_biases, **options):
    sources = [of["weights"], of["biases"], of["inputs"]]
    weighing = tf.cast(tf.linspace(-1.0, 2.0, ROWS), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(sources)
        weights, biases, inputs = sources
        losses = function(of, weights, biases if with_biases else None, inputs, **options)
        total = tf.reduce_sum(tf.cast(losses, tf.float32) * weighing)
    if not with_biases:
        del sources[1]
    gradients = [tf.convert_to_tensor(g) for g in tape.gradient(total, sources)]
    return [tf.cast(x, tf.float64).numpy() for x in [losses, *gradients]]


def assert_parts_make_the_whole(of, with_biases, tolerance=1e-4, **options):
    got, want = (values_and_gradients(f, of, with_biases, **options) for f in (of_parts, of_all))
    for one, other in zip(got, want, strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance / 10)
        assert np.any(other)


@pytest.mark.parametrize(
    "options",
    [{}, {"temperature": 0.3, "normalize": True}, {"logit_softcap": 2.0}],
    ids=["plain", "cosine", "softcap"],
)
@pytest.mark.parametrize("with_biases", [True, False])
def test_parts_make_the_loss_of_the_whole(with_biases, options):
    assert_parts_make_the_whole(case(), with_biases, **options)


def test_in_a_function_of_unknown_shapes():
    of = case()

    @tf.function(input_signature=[tf.TensorSpec([None, DEPTH]), tf.TensorSpec([None], tf.int64)])
    def losses(inputs, labels):
        return of_parts(of | {"labels": labels}, of["weights"], of["biases"], inputs)

    got = losses(of["inputs"], of["labels"])
    np.testing.assert_allclose(
        got, of_all(of, of["weights"], of["biases"], of["inputs"]), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize(
    "dtype, tolerance", [(tf.float64, 1e-6), (tf.bfloat16, 0.2), (tf.float16, 0.03)]
)
def test_types(dtype, tolerance):
    assert_parts_make_the_whole(case(dtype), True, tolerance)


def test_candidates_that_come_several_times():
    of = case(copies=True)
    of["ids"][0][:2] = of["ids"][0][0]  # the one that stands in for labels
    of["ids"][2][1:4] = of["ids"][2][1]
    equal_counts_of_copies(of)
    assert_parts_make_the_whole(of, True)


def test_a_sampler_counts_the_labels_of_its_part():
    sampler = tfcs.LearnedUnigramSampler(20, seed=1)
    table = tf.Variable(tf.random.stateless_normal([20, DEPTH], [1, 2]))
    labels = [3, -1, 19, 20, 3, 10**12]
    part = tfcs.partial_sampled_softmax(
        table, None, labels, tf.ones([6, DEPTH]), 5, 20, sampler=sampler
    )
    counts = sampler.counts.numpy()
    assert counts.sum() == 3 and counts[3] == 2 and counts[19] == 1
    assert tf.math.is_finite(part.label_logit).numpy().tolist() == [1, 0, 1, 0, 1, 0]
    assert tf.reduce_all(tf.math.is_finite(part.log_sum_exp))


def test_no_label_here():
    sampler = tfcs.UniformSampler(20, seed=1)
    table = tf.random.stateless_normal([20, DEPTH], [1, 2])
    inputs = tf.random.stateless_normal([4, DEPTH], [1, 3])
    part = tfcs.partial_sampled_softmax(
        table, None, [20] * 4, inputs, 20, 20, sampler=sampler, expected_count="exact"
    )
    # All 20 distinct candidates, each expected once.
    want = tf.reduce_logsumexp(tf.matmul(inputs, table, transpose_b=True), axis=1)
    np.testing.assert_allclose(part.log_sum_exp, want, rtol=1e-5)
    assert np.all(np.isneginf(part.label_logit))


def partial(**changed):
    arguments = {
        "weights": tf.zeros([20, DEPTH]),
        "biases": None,
        "labels": [1, 2],
        "inputs": tf.zeros([2, DEPTH]),
        "num_sampled": 5,
        "num_classes": 20,
        "sampler": tfcs.UniformSampler(20),
    }
    return tfcs.partial_sampled_softmax(**(arguments | changed))


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"labels": [[1, 2], [3, 4]]}, r"labels must have shape \[B\] or \[B, 1\], got \(2, 2\)"),
        ({"labels": [1, 2, 3]}, "labels|rows"),
        ({"sampler": None}, "One of sampler and sampled_values must be given, got neither"),
        ({"sampled_values": ([1], [1.0], [1.0])}, "sampled_values must be given, got both"),
        ({"sampler": "uniform"}, "sampler must be one of tf_candsamp's sampler objects"),
        ({"sampler": tfcs.UniformSampler(19)}, "sampler must draw from num_classes = 20.* 19"),
        ({"num_classes": 0}, "num_classes must be positive, got 0"),
        ({"num_classes": 21, "sampler": tfcs.UniformSampler(21)}, "weights"),
        ({"num_sampled": 0}, "num_sampled must be positive, got 0"),
        ({"num_sampled": 21}, "num_sampled"),
        ({"sampler": None, "sampled_values": 3}, "sampled_values must be a tuple"),
        ({"sampler": None, "sampled_values": ([1], [1.0], [1.0])}, "num_sampled = 5 cand.*got 1"),
    ],
)
def test_wrong_arguments(changed, message):
    refused(message, partial, **changed)


@pytest.mark.parametrize("logits", [[[-np.inf], [-np.inf]], [[1.0], [2.0]]])
def test_a_label_of_no_part_or_of_two(logits):
    refused("must be a class of one part", tfcs.merge_partial_softmax, [[0.0], [0.0]], logits)
    refused("must have shape", tfcs.merge_partial_softmax, [0.0], [0.0])


# Replicas


def test_one_replica():
    table = tf.Variable(tf.random.stateless_normal([20, DEPTH], [1, 2]))
    inputs = tf.random.stateless_normal([4, DEPTH], [1, 3])
    arguments = {"first_class": 100, "sampler": tfcs.UniformSampler(20, seed=5)}
    labels = tf.constant([103, 117, 100, 119])
    got = tfcs.split_sampled_softmax_loss(table, None, labels, inputs, 6, **arguments)
    want = tfcs.sampled_softmax_loss(
        table,
        None,
        labels[:, tf.newaxis] - 100,
        inputs,
        6,
        20,
        sampler=tfcs.UniformSampler(20, seed=5),
    )
    np.testing.assert_allclose(got, want, rtol=1e-5)
    refused(
        "must be a class of one part",
        tfcs.split_sampled_softmax_loss,
        table,
        None,
        [99, 1, 2, 3],
        inputs,
        6,
        **arguments,
    )


def test_outside_of_replicas():
    def merge(strategy):
        table, sampler = tf.zeros([20, DEPTH]), tfcs.UniformSampler(20)
        return tfcs.split_sampled_softmax_loss(
            table, None, [1], tf.zeros([1, DEPTH]), 6, first_class=0, sampler=sampler
        )

    with pytest.raises(RuntimeError, match="must be called in replica context"):
        tf.distribute.get_replica_context().merge_call(merge)


@pytest.mark.parametrize("mode", MODES)
def test_two_workers(mode):
    """Losses and gradients are those of one process with the candidates of both."""
    workers = cluster.addresses(program.WORKERS)
    config = [
        {"cluster": {"worker": workers}, "task": {"type": "worker", "index": k}}
        for k in range(program.WORKERS)
    ]
    started = [processes.start("split_table.py", mode, TF_CONFIG=json.dumps(c)) for c in config]
    results = [json.loads(processes.output_of(p).splitlines()[-1]) for p in started]

    table, biases, inputs, labels = program.data()
    weights, biases, inputs = tf.Variable(table), tf.Variable(biases), tf.Variable(inputs)
    ids, counts = (np.concatenate([r[key] for r in results]) for key in ("ids", "count"))
    # A sampler that has counted nothing expects each class of its part equally often.
    label_count = np.array([r["count"][0] for r in results])[labels.reshape(-1, 1) // program.HALF]
    factors = np.arange(1.0, program.ROWS + 1) * [[1], [2]]
    with tf.GradientTape() as tape:
        losses = tfcs.sampled_softmax_loss(
            weights,
            biases,
            labels.reshape(-1, 1),
            tf.reshape(inputs, [-1, program.DEPTH]),
            len(ids),
            program.CLASSES,
            sampled_values=(ids, *(tf.constant(c, tf.float32) for c in (label_count, counts))),
        )
        objective = tf.reduce_sum(losses * factors.ravel())
    gradients = tape.gradient(objective, [weights, biases, inputs])
    gradients = [tf.convert_to_tensor(g).numpy() for g in gradients]
    got = np.concatenate([r["losses"] for r in results])
    np.testing.assert_allclose(got, losses, rtol=1e-5)
    for k, want in enumerate(gradients):
        join = np.stack if k == 2 else np.concatenate
        got = join([np.array(r["gradients"][k]) for r in results])
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
    counted = np.concatenate([r["counted"] for r in results])
    np.testing.assert_array_equal(counted, np.bincount(labels.ravel(), minlength=program.CLASSES))
