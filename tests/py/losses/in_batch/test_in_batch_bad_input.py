# SPDX-License-Identifier: Apache-2.0
"""Mistakes in arguments of the two-tower losses: what the errors say, in all shape modes."""

import calls
import numpy as np
import pytest
import tensorflow as tf

import tf_candsamp as tfcs

modes = pytest.mark.parametrize("mode", calls.SHAPE_MODES)


def in_batch(**changes):
    """Valid arguments of three queries."""
    return {
        "query": np.ones([3, 2], np.float32),
        "item": np.ones([3, 2], np.float32),
        "item_ids": np.array([4, 5, 6]),
        "item_probability": np.full(3, 0.5, np.float32),
        "sample_weight": np.ones(3, np.float32),
    } | changes


def mixed(**changes):
    """Valid arguments of three queries and four sampled items."""
    return {
        "query": np.ones([3, 2], np.float32),
        "item_ids": np.array([4, 5, 6]),
        "ids": np.array([1, 2, 4, 8]),
        "true_count": np.full(3, 0.5, np.float32),
        "sampled_count": np.full(4, 0.5, np.float32),
        "p": np.full(3, 0.5, np.float32),
        "p_sampled": np.full(4, 0.5, np.float32),
        "item": np.ones([3, 2], np.float32),
        "sampled_item": np.ones([4, 2], np.float32),
    } | changes


def call_mixed(arguments):
    arguments = dict(arguments)
    if "ids" in arguments:
        names = ("ids", "true_count", "sampled_count")
        arguments["sampled_values"] = [arguments.pop(name) for name in names]
    if "p" in arguments:
        arguments["item_probability"] = (arguments.pop("p"), arguments.pop("p_sampled"))
    return tfcs.mixed_softmax_loss(**arguments)


def check(mode, message, call, arguments):
    arrays = {name: x for name, x in arguments.items() if isinstance(x, np.ndarray)}
    fixed = {name: x for name, x in arguments.items() if name not in arrays}
    tensors = {name: tf.constant(x) for name, x in arrays.items()}
    calls.refused(message, calls.in_shape_mode, mode, lambda given: call(given | fixed), tensors)


@modes
@pytest.mark.parametrize(
    "message, changes",
    [
        ("query must be of a float type, got int64", {"query": np.ones([3, 2], int)}),
        ("query must have a known rank of at least 2", {"query": np.ones(3, np.float32)}),
        ("item must be of type float32, since query is float32, got float64",
         {"item": np.ones([3, 2])}),
        ("item must have", {"item": np.ones([4, 2], np.float32)}),
        ("item must have", {"item": np.ones(3, np.float32)}),
        ("item_ids must be of an integer type, got float32",
         {"item_ids": np.ones(3, np.float32)}),
        ("item_ids must be of an integer type, got string", {"item_ids": np.array(["a"] * 3)}),
        ("item_ids must have", {"item_ids": np.ones([3, 1], int)}),
        ("item_ids must have", {"item_ids": np.ones(2, int)}),
        ("item_probability must have", {"item_probability": np.ones(4, np.float32)}),
        ("item_probability must have", {"item_probability": np.ones([3, 1], np.float32)}),
        ("item_probability must be of a float or integer type, got string",
         {"item_probability": np.array(["a"] * 3)}),
        ("expected_count must be positive and finite, got 0 for class 1",
         {"item_probability": np.array([0.5, 0, 0.5], np.float32)}),
        ("expected_count must be positive and finite, got nan",
         {"item_probability": np.array([0.5, 0.5, np.nan], np.float32)}),
        ("sample_weight must have", {"sample_weight": np.ones(2, np.float32)}),
        ("mask must have", {"mask": np.ones(2, bool)}),
        ("mask must be of type bool", {"mask": np.ones(3, np.float32)}),
    ],
)  # fmt: skip
def test_in_batch(mode, message, changes):
    check(mode, message, lambda given: tfcs.in_batch_softmax_loss(**given), in_batch(**changes))


def test_vectors_of_other_lengths():
    message = "item must have the shape \\(3, 2\\), with vectors .* got shape \\(3, 5\\)"
    arguments = in_batch(item=np.ones([3, 5], np.float32))
    calls.refused(message, tfcs.in_batch_softmax_loss, **arguments)


@pytest.mark.parametrize(
    "message, changes",
    [
        ("item_ids must be given", {"item_ids": None}),
        ("item_ids must be given where ignore_id is",
         {"item_ids": None, "remove_accidental_hits": False, "ignore_id": -1}),
        ("Only one of sampler and item_probability", {"sampler": tfcs.UniformSampler(9)}),
        ("sampler must have a method probability", {"sampler": "x", "item_probability": None}),
        ("item_ids must be given",
         {"sampler": tfcs.UniformSampler(9), "item_probability": None, "item_ids": None}),
        ("update must be True or False",
         {"sampler": tfcs.LearnedUnigramSampler(9), "item_probability": None, "update": 1}),
        ("query must be a dense tensor", {"query": tf.ragged.constant([[1.0]])}),
        ("got 9", {"sampler": tfcs.UniformSampler(9), "item_probability": None,
                   "item_ids": [1, 2, 9]}),
    ],
)  # fmt: skip
def test_in_batch_options(message, changes):
    calls.refused(message, tfcs.in_batch_softmax_loss, **in_batch(**changes))


def test_an_id_that_a_learned_sampler_does_not_know_leaves_its_counts():
    sampler = tfcs.LearnedUnigramSampler(6)
    arguments = in_batch(sampler=sampler, item_probability=None)
    calls.refused("got 6", tfcs.in_batch_softmax_loss, **arguments)
    assert not sampler.counts.numpy().any()


@modes
@pytest.mark.parametrize(
    "message, changes",
    [
        ("item must have", {"item": np.ones([2, 2], np.float32)}),
        ("sampled_item must have", {"sampled_item": np.ones([3, 2], np.float32)}),
        ("sampled_item must have the shape", {"sampled_item": np.ones(4, np.float32)}),
        ("sampled_item must be of type float32", {"sampled_item": np.ones([4, 2])}),
        ("sampled_candidates must be a vector", {"ids": np.ones([4, 1], int)}),
        ("sampled_candidates must be of an integer type", {"ids": np.ones(4)}),
        ("true_expected_count must have", {"true_count": np.ones(4, np.float32)}),
        ("true_expected_count must have", {"true_count": np.ones([3, 2], np.float32)}),
        ("sampled_expected_count must have", {"sampled_count": np.ones(3, np.float32)}),
        ("sampled_expected_count must be a vector",
         {"sampled_count": np.ones([4, 1], np.float32)}),
        ("item_probability\\[0\\] must have", {"p": np.ones(4, np.float32)}),
        ("item_probability\\[1\\] must have", {"p_sampled": np.ones(3, np.float32)}),
        ("expected_count must be positive and finite",
         {"true_count": np.array([-9, 1, 1], np.float32)}),
    ],
)  # fmt: skip
def test_mixed(mode, message, changes):
    check(mode, message, call_mixed, mixed(**changes))


LEARNED = tfcs.LearnedUnigramSampler(9)


@pytest.mark.parametrize(
    "message, changes",
    [
        ("Either item and sampled_item or weights .* got item\\.", {"sampled_item": None}),
        ("got none of them", {"item": None, "sampled_item": None}),
        ("got item and sampled_item and weights", {"weights": np.ones([9, 2], np.float32)}),
        ("biases must be None", {"biases": np.ones(9, np.float32)}),
        ("sampler or item_probability must say .* got neither",
         {"item_probability": None}),
        ("item_probability must be a pair", {"item_probability": 0.5}),
        ("Only one of sampler and item_probability", {"sampler": LEARNED}),
        ("sampled_values must be a tuple", {"sampled_values": 3}),
        ("Either sampled_values or negatives must be given, got both",
         {"negatives": LEARNED, "num_sampled": 4}),
        ("Either sampled_values or negatives must be given, got neither",
         {"sampled_values": None}),
        ("num_sampled must be given with negatives", {"num_sampled": 4}),
        ("num_sampled must be given with negatives",
         {"sampled_values": None, "negatives": LEARNED}),
        ("negatives must be one of tf_candsamp's samplers",
         {"sampled_values": None, "negatives": "uniform", "num_sampled": 4}),
        ("remove_accidental_hits must be True",
         {"item": None, "sampled_item": None, "weights": np.ones([9, 2], np.float32),
          "remove_accidental_hits": False}),
        ("must hold class ids in \\[0, 5\\)",
         {"item": None, "sampled_item": None, "weights": np.ones([5, 2], np.float32)}),
    ],
)  # fmt: skip
def test_mixed_options(message, changes):
    given = mixed()
    given["sampled_values"] = [given.pop(x) for x in ("ids", "true_count", "sampled_count")]
    given["item_probability"] = (given.pop("p"), given.pop("p_sampled"))
    calls.refused(message, tfcs.mixed_softmax_loss, **given | changes)


def test_a_sample_without_counts_of_the_items_names_the_cure():
    sample = tfcs.UniformSampler(9).sample(4)
    given = mixed()
    values = {name: given[name] for name in ("query", "item_ids", "item", "sampled_item")}
    calls.refused(
        r"got None: draw with sampler.sample\(num_sampled, item_ids\[:, tf.newaxis\]\)",
        tfcs.mixed_softmax_loss,
        sampled_values=sample,
        sampler=LEARNED,
        **values,
    )
