# SPDX-License-Identifier: Apache-2.0
"""Ragged arguments of unknown rank, as tf.py_function, tf.data and tf.io make them in graphs.

What they are is decided by their rank at run time; results have the bits of the call that knows it.
"""

import numpy as np
import pytest
import ragged_cases as rc
import tensorflow as tf
from calls import refused
from ragged_forms import CASE, INPUTS, WEIGHTS, assert_same, logits_of, loss, ragged

import tf_candsamp as tfcs

V1 = tf.compat.v1


def of_unknown_rank(value):
    """What tf.py_function returns: no shape at all."""
    result = tf.py_function(lambda: value, [], tf.as_dtype(value.dtype))
    assert result.shape.rank is None
    return result


DENSE = {
    "labels [B]": {"labels": [3, 1, 4, 1, 5]},
    "labels [B, n]": {"labels": [[3, 1], [1, 2], [4, 4], [1, 0], [5, 8]]},
    "candidates": {"candidates": [[3, 1], [1, 2], [4, 4], [1, 0], [5, 8]]},
    "label_log_q [B]": {"labels": [3, 1, 4, 1, 5], "label_log_q": [0.5, 1.0, -1.0, 0.0, 2.0]},
    "no candidates": {"candidates": np.zeros([5, 0], np.int64)},
}


def log_qs(**arguments):
    """Without the optional arguments that do not go with the others."""
    absent = {"labels": "label_log_q", "candidates": "candidate_log_q"}
    return {absent[name]: None for name in arguments if name in absent} | arguments


@pytest.mark.parametrize("name", DENSE)
def test_unknown_rank_in_a_function(name):
    arguments = log_qs(**DENSE[name])
    want = loss(**arguments)
    given = {k: tf.constant(v) for k, v in arguments.items() if v is not None}
    absent = {k: None for k, v in arguments.items() if v is None}
    specs = {k: tf.TensorSpec(None, v.dtype) for k, v in given.items()}
    call = tf.function(lambda given: loss(**given | absent), input_signature=[specs])
    assert_same(call(given), want)

    arrays_of = {k: v.numpy() for k, v in given.items()}

    @tf.function
    def from_python():
        return loss(**{k: of_unknown_rank(v) for k, v in arrays_of.items()} | absent)

    assert_same(from_python(), want)


@pytest.mark.parametrize("labels", [[3, 1], [[3], [1]], [[3, 1], [1, 1]]], ids=str)
def test_unknown_rank_in_a_dataset(labels):
    """Of a generator of batches, which tells types only."""

    def batches():
        yield labels, [[1, 2], [5, 1]]

    sampler = tfcs.UniformSampler(9, seed=1)

    def of(labels, candidates):
        rows = sampler.sample_ragged([2, 3], labels)
        losses = tfcs.ragged_sampled_softmax_loss(WEIGHTS, None, labels, INPUTS[:2], candidates)
        logits = tfcs.ragged_candidate_logits(WEIGHTS, None, INPUTS[:2], candidates)
        return losses, logits, rows.candidates

    data = tf.data.Dataset.from_generator(batches, output_types=(tf.int64, tf.int64))
    assert data.element_spec[0].shape.rank is None
    ((losses, logits, rows),) = data.map(of)
    want = of(tf.constant(labels), tf.constant([[1, 2], [5, 1]]))
    assert_same([losses, logits.values, logits.row_splits], [want[0], *parts(want[1])])
    assert_same([rows.row_splits], [want[2].row_splits])


def parts(value):
    return [value.values, value.row_splits]


def test_parsed_tensors_and_ragged_features():
    """tf.io.parse_tensor knows no rank; a ragged feature has int32 splits, one of var length is
    sparse."""
    labels = tf.constant([3, 1], tf.int64)
    example = tf.train.Example()
    example.features.feature["ids"].int64_list.value.extend([4, 1, 2])
    features = {
        "ragged": tf.io.RaggedFeature(tf.int64, "ids"),
        "sparse": tf.io.VarLenFeature(tf.int64),
    }
    examples = [example.SerializeToString(), tf.train.Example().SerializeToString()]

    def of(text, examples):
        parsed = tf.io.parse_example(examples, features)
        sparse_ids = tf.io.parse_example(examples, {"ids": features["sparse"]})["ids"]
        return [
            tfcs.ragged_nce_loss(
                WEIGHTS, None, tf.io.parse_tensor(text, tf.int64), INPUTS[:2], candidates
            )
            for candidates in (parsed["ragged"], sparse_ids)
        ]

    want = tfcs.ragged_nce_loss(WEIGHTS, None, labels, INPUTS[:2], rc.ragged([[4, 1, 2], []]))
    data = tf.data.Dataset.from_tensors((tf.io.serialize_tensor(labels), examples))
    for got in next(iter(data.map(lambda *inputs: tuple(of(*inputs))))):
        assert_same([got], [want])


@pytest.mark.parametrize("value", [np.zeros([], int), np.zeros([2, 2, 2], int)], ids=np.ndim)
def test_wrong_rank_is_an_error_of_the_run(value):
    """Also for candidates that have one dimension, where two are required."""
    expected = {
        "labels": r"labels must have shape \[B\], \[B, n\] or ragged \[B, None\], got rank\] \[",
        "candidates": r"candidates must have shape ragged \[B, None\] or \[B, n\], got rank\] \[",
        "true_classes": r"true_classes must have shape \[B\], \[B, n\] or .*, got rank\] \[",
    }
    sampler = tfcs.UniformSampler(9)
    calls = {
        "labels": lambda x: loss(labels=x, label_log_q=None),
        "candidates": lambda x: loss(candidates=x, candidate_log_q=None),
        "true_classes": lambda x: sampler.sample_ragged([1], x).candidates.values,
    }
    for name, call in calls.items():
        error = tf.errors.InvalidArgumentError
        message = f"{expected[name]}{value.ndim}"
        spec = tf.TensorSpec(None, tf.int64)
        function = tf.function(call, input_signature=[spec])
        refused(message, function, tf.constant(value), errors=error)
        data = tf.data.Dataset.from_generator(lambda: iter([value]), output_types=tf.int64)
        refused(message, lambda data=data, call=call: list(data.map(call)), errors=error)
    vector = tf.constant([1, 2, 3, 4, 5])
    function = tf.function(calls["candidates"], input_signature=[tf.TensorSpec(None, tf.int32)])
    refused(expected["candidates"] + "1", function, vector)


@pytest.mark.parametrize("labels", [[3, 1], [[3], [1]], 3, [[[3]], [[1]]]], ids=str)
def test_unknown_rank_in_a_graph(labels):
    with tf.Graph().as_default(), V1.Session() as session:
        ids = V1.placeholder(tf.int64)
        classes = V1.placeholder(tf.int32)
        weights, inputs = CASE.weights, CASE.inputs[:2]
        losses = tfcs.ragged_sampled_softmax_loss(weights, None, ids, inputs, classes)
        feed = {ids: labels, classes: [[1, 2], [5, 1]]}
        if np.ndim(labels) not in (1, 2):
            error = tf.errors.InvalidArgumentError
            return refused("labels must have shape", session.run, losses, feed, errors=error)
        got = session.run(losses, feed)
        refused("candidates must have shape", session.run, losses, feed | {classes: [1, 2]})
    want = tfcs.ragged_sampled_softmax_loss(weights, None, labels, inputs, feed[classes])
    np.testing.assert_array_equal(got, want)
    return None


def test_unknown_rank_of_rows_in_a_list():
    spec = tf.TensorSpec(None, tf.int64)
    call = tf.function(lambda *rows: logits_of(list(rows)), input_signature=[spec] * 5)
    rows = [tf.constant(row, tf.int64) for row in CASE.candidates]
    assert_same(parts(call(*rows)), parts(logits_of(ragged("candidates"))))
    rows[3] = tf.constant([[1]], tf.int64)
    message = r"candidates\[3\] must have rank 1, as rows of a list, got rank\] \[2"
    refused(message, call, *rows)


def test_known_rank_costs_nothing():
    """No more ops than those of the arguments' own shapes."""
    ops = {}
    for rank, spec in (("known", [None, 2]), ("unknown", None)):
        call = tf.function(
            lambda x: loss(labels=x, label_log_q=None),
            input_signature=[tf.TensorSpec(spec, tf.int64)],
        )
        ops[rank] = [op.type for op in call.get_concrete_function().graph.get_operations()]
    assert "Assert" not in ops["known"] and "Assert" in ops["unknown"]
    assert len(ops["known"]) < len(ops["unknown"])
