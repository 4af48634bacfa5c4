# SPDX-License-Identifier: Apache-2.0
"""Options with wrong values: errors that name them, in Python and in the ops."""

import loss_cases as lc
import numpy as np
import pytest
import sampled_cases as sc
import tensorflow as tf
from internals import ops

import tf_candsamp as tfcs

both = pytest.mark.parametrize("kind", lc.LOSSES)
NOT_POSITIVE = [0, -1.5, np.nan, np.inf, -np.inf, 1e-40, 1e39, np.float32(0)]
NO_NUMBERS = ["1", True, [1.0], 1j, tf.constant(1.0), np.array([1.0])]


def loss(kind, **options):
    options = {"num_true": 1} | options
    labels = np.ones([2, options["num_true"]], np.int64)
    return sc.FUNCTIONS[kind](tf.ones([5, 2]), None, labels, tf.ones([2, 2]), 3, 5, **options)


@pytest.mark.parametrize("name", ["temperature", "logit_softcap"])
@both
def test_numbers_that_are_not_positive(kind, name):
    for bad in NOT_POSITIVE:
        with pytest.raises(ValueError, match=f"{name} must be positive and finite, got"):
            loss(kind, **{name: bad})
    for bad in [*NO_NUMBERS, *([None] if name == "temperature" else [])]:
        with pytest.raises(TypeError, match=f"{name} must be a number, got"):
            loss(kind, **{name: bad})


def test_positive_weight():
    for bad in NOT_POSITIVE:
        with pytest.raises(ValueError, match="positive_weight must be positive and finite, got"):
            loss("nce", positive_weight=bad)
    for bad in NO_NUMBERS:
        with pytest.raises(TypeError, match="positive_weight must be a number, got"):
            loss("nce", positive_weight=bad)


@both
def test_normalize(kind):
    for bad in (1, "yes", None, 0.5):
        with pytest.raises(TypeError, match="normalize must be True or False, got"):
            loss(kind, normalize=bad)


@both
def test_correction(kind):
    for bad in ("logq", None, True, "LOG_Q"):
        with pytest.raises(ValueError, match="correction must be 'log_q' or"):
            loss(kind, correction=bad)


def test_corrected_log_q_is_for_softmax_with_one_label_and_without_hits():
    with pytest.raises(ValueError, match="must be 'log_q' or 'none', got 'corrected_log_q'"):
        loss("nce", correction="corrected_log_q")
    with pytest.raises(ValueError, match="num_true must be 1 where correction is .*, got 2"):
        loss("softmax", correction="corrected_log_q", num_true=2)
    with pytest.raises(ValueError, match="remove_accidental_hits must be True where"):
        loss("softmax", correction="corrected_log_q", remove_accidental_hits=False)


def test_corrected_log_q_with_impossible_counts():
    values = ([0, 2, 3], [[1.0], [3.5]], [1.0, 1.0, 1.0])
    message = "true_expected_count must be at most the number of candidates, 3, got 3.5.* row 1"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        loss("softmax", correction="corrected_log_q", sampled_values=values)


def test_gbce_positive_weight():
    for bad in (-0.1, 1.5, np.nan):
        with pytest.raises(ValueError, match=r"t must be in \[0, 1\], got"):
            tfcs.gbce_positive_weight(5, 10, bad)
    for bad in ("1", None, True):
        with pytest.raises(TypeError, match="t must be a number"):
            tfcs.gbce_positive_weight(5, 10, bad)
    with pytest.raises(ValueError, match="num_sampled must be at most num_classes - 1 = 9, got 10"):
        tfcs.gbce_positive_weight(10, 10, 0.5)
    for bad in (0, -1):
        with pytest.raises(ValueError, match="num_sampled must be positive"):
            tfcs.gbce_positive_weight(bad, 10, 0.5)


RAW = {
    "weights": [np.ones([5, 2], np.float32)],
    "biases": [],
    "inputs": np.ones([1, 2], np.float32),
    "labels": np.array([[1]]),
    "sampled_candidates": np.array([2, 3]),
    "true_expected_count": np.ones([1, 1], np.float32),
    "sampled_expected_count": np.ones([2], np.float32),
    "hit_labels": [],
    "hit_candidates": [],
    "num_true": 1,
    "W": tf.float32,
}


@pytest.mark.parametrize(
    "name, bad",
    [("temperature", bad) for bad in (0.0, -1.0, np.nan, np.inf)]
    + [("logit_softcap", bad) for bad in (-1.0, np.nan, np.inf)],
)
def test_attributes_of_the_ops(name, bad):
    for function in (ops.candsamp_sampled_softmax_loss, ops.candsamp_nce_loss):
        assert np.isfinite(function(**RAW).loss).all()
        with pytest.raises(tf.errors.InvalidArgumentError, match=f"{name} must be positive"):
            function(**RAW, **{name: bad})


def test_attributes_of_one_loss():
    for bad in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(tf.errors.InvalidArgumentError, match="positive_weight must be"):
            ops.candsamp_nce_loss(**RAW, positive_weight=bad)
    with pytest.raises(tf.errors.InvalidArgumentError, match="corrected_log_q needs num_true = 1"):
        ops.candsamp_sampled_softmax_loss(**RAW, corrected_log_q=True, remove_accidental_hits=False)
