# SPDX-License-Identifier: Apache-2.0
"""Log q must be finite, in every loss: an error says which class's is not, and what to do."""

import functools
import re

import loss_cases as lc
import numpy as np
import pytest
import ragged_arguments as ragged
import ragged_cases as rc
import sampled_arguments as sampled
import sampled_cases as sc
import tensorflow as tf
from calls import SHAPE_MODES

import tf_candsamp as tfcs

NEVER_DRAWN = re.escape(
    ", which the sampler can never draw (one of num_reserved_ids, or of weight 0): give the class "
    "a positive weight, or leave its rows out of the batch"
)
CURES = {
    ("label_log_q", -np.inf): NEVER_DRAWN,
    (
        "candidate_log_q",
        -np.inf,
    ): ", which no sampler can have drawn: candidates that are not drawn",
    ("candidate_log_q", np.inf): ": to mask a class leave it out of candidates, or set its bias",
}
# The values of each argument, with a place among them; the class and the row that are there.
PLACES = {"label_log_q": (2, "class 2 in row 1"), "candidate_log_q": (2, "class 0 in row 2")}

for_kinds = pytest.mark.parametrize("kind", lc.LOSSES)


@pytest.mark.parametrize("mode", SHAPE_MODES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf], ids=str)
@pytest.mark.parametrize("name", PLACES)
@for_kinds
def test_ragged_log_q(kind, name, bad, mode):
    at, place = PLACES[name]
    log_q = ragged.arguments()[name]
    values = log_q.flat_values.numpy()
    values[at] = bad
    message = f"{name} must be finite, got {bad} for {place}{CURES.get((name, bad), '')}"
    ragged.check(kind, mode, message, **{name: log_q.with_flat_values(tf.constant(values))})


@pytest.mark.parametrize("mode", SHAPE_MODES)
@for_kinds
def test_dense_label_log_q(kind, mode):
    message = "label_log_q must be finite, got -inf for class 2 in row 1" + NEVER_DRAWN
    log_q = np.array([0, -np.inf, 0], np.float32)
    ragged.check(kind, mode, message, labels=np.array([1, 2, 3]), label_log_q=log_q)


@pytest.mark.parametrize("mode", SHAPE_MODES)
@for_kinds
def test_a_dropped_candidate_is_no_exception(kind, mode):
    candidates = rc.ragged([[1, 2], [1], [0]])
    log_q = rc.ragged([[0, 0], [np.nan], [0]], tf.float32)
    ragged.check(
        kind,
        mode,
        "candidate_log_q must be finite, got nan for class 1 in row 1",
        candidates=candidates,
        candidate_log_q=log_q,
    )


@pytest.mark.parametrize("mode", SHAPE_MODES)
@for_kinds
def test_expected_count_of_a_label_that_is_never_drawn(kind, mode):
    counts = sampled.arguments()["true_count"]
    counts[2, 0] = 0
    message = "true_expected_count must be positive and finite, got 0 for class 4 in row 2"
    sampled.check(kind, mode, message + NEVER_DRAWN, true_count=counts)


@for_kinds
def test_expected_count_of_a_candidate_is_no_such_case(kind):
    counts = sampled.arguments()["sampled_count"]
    counts[1] = 0
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        sampled.call(kind, sampled.arguments(sampled_count=counts))
    assert "got 0 for class 1 at position 1" in str(caught.value)
    assert "never draw" not in str(caught.value)


@pytest.mark.parametrize("in_function", [False, True])
@pytest.mark.parametrize("count", [1e-40, 1e-45])
@for_kinds
def test_subnormal_expected_counts_are_errors(kind, count, in_function):
    """TensorFlow's threads take them for 0, whose log is no number to subtract."""
    counts = np.full([3, 2], count, np.float32)
    call = functools.partial(sampled.call, kind, sampled.arguments(true_count=counts))
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be positive and finite"):
        (tf.function(call) if in_function else call)()


def reserved_sampler():
    return tfcs.FixedUnigramSampler([1.0, 2, 3, 0, 4], num_reserved_ids=2, seed=1)


@pytest.mark.parametrize("label", [0, 1, 5])
@for_kinds
def test_labels_that_a_real_sampler_never_draws(kind, label):
    """Reserved ids 0 and 1, and the class of weight 0; by a sampler of either family."""
    weights, inputs = tf.ones([7, 3]), tf.ones([2, 3])
    labels = tf.constant([[4], [label]])
    message = f"class {label} in row 1{NEVER_DRAWN}"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        sc.FUNCTIONS[kind](weights, None, labels, inputs, 3, 7, sampler=reserved_sampler())
    drawn = reserved_sampler().sample_ragged([2, 2], labels)
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        rc.FUNCTIONS[kind](
            weights,
            None,
            labels,
            inputs,
            drawn.candidates,
            label_log_q=tf.math.log(reserved_sampler().probability(labels)),
            candidate_log_q=tf.math.log(drawn.expected_count),
        )


@for_kinds
def test_extreme_log_q_is_fine(kind):
    for value in (-87.0, 88.0, -1000.0):
        values = ragged.arguments()
        for name in PLACES:
            ones = tf.ones_like(values[name].flat_values)
            values[name] = values[name].with_flat_values(value * ones)
        assert np.isfinite(ragged.call(kind, values)).all()
