# SPDX-License-Identifier: Apache-2.0
"""Candidates of rows: a mistake in num_sampled or true_classes is an error that names it."""

import numpy as np
import pytest
import sampler_cases as spc
import tensorflow as tf
from calls import SHAPE_MODES, refused
from sampler_arguments import V, in_rank_mode, state_of

import tf_candsamp as tfcs


@pytest.mark.parametrize("kind", spc.OBJECTS)
@pytest.mark.parametrize(
    "num_sampled, labels, exclude, message",
    [
        ([2], None, True, "exclude_true needs true_classes, got None"),
        ([2, 1], [[1]], True, "true_classes must have a row for each .*num_sampled, 2, got 1"),
        ([2], [[1], [2]], False, "true_classes must have a row for each .*num_sampled, 1, got 2"),
        ([2, 1], [1, 2, 3], True, "true_classes must have a row for each .*num_sampled, 2, got 3"),
        ([2, -1], None, False, r"num_sampled\[1\] must not be negative.*, got -1"),
        ([-(2**63)], None, False, rf"num_sampled\[0\] must not be negative.*, got -{2**63}"),
        ([2**40, 2**40, 3], None, False, rf"num_sampled\[1\] .*sum at most .*, got {2**40}"),
        ([2**63 - 1], None, False, rf"num_sampled\[0\] .*sum at most .*, got {2**63 - 1}"),
        ([1, V + 1], None, False, rf"num_sampled\[1\] must be at most {V}, .*, got {V + 1}"),
        (
            [1, 8],
            [[1, 1], [2, 2, 3, 3, 4]],
            True,
            r"num_sampled\[1\] must be at most 7, .*true classes, got 8",
        ),
        ([1], [list(range(V))], True, r"num_sampled\[0\] must be at most 0, .*, got 1"),
        ([1], [[V]], False, rf"true_classes must hold .* in \[0, {V}\), .*, got {V} at position 0"),
        ([1], [[-1]], True, rf"true_classes must hold .* in \[0, {V}\), .*, got -1 at position 0"),
        ([1.0], None, False, "num_sampled must be of an integer type, got float64"),
        (["1"], None, False, "num_sampled must be of an integer type, got string"),
        (np.array([True]), None, False, "num_sampled must be of an integer type, got bool"),
        (3, None, False, r"num_sampled must be a vector \[B\], got shape \(\)"),
        ([[3]], None, False, r"num_sampled must be a vector \[B\], got shape \(1, 1\)"),
        ([1], np.array([[1.5]]), False, "true_classes must be of an integer type, got float64"),
        ([1], [[1.5]], False, r"true_classes\[0\] must be of an integer type, got float64"),
        ([1], 1, False, "true_classes must have shape .*, got"),
        ([1], [[[1]]], False, r"true_classes\[0\] must have .*, got"),
    ],
    ids=lambda x: str(x)[:30],
)
def test_rows(kind, num_sampled, labels, exclude, message):
    sampler = spc.sampler(kind, V)
    if isinstance(labels, list) and labels and isinstance(labels[0], list) and len(labels) > 1:
        labels = tf.ragged.constant(labels, dtype=tf.int64)
    counts = state_of(sampler)[1:]
    refused(message, sampler.sample_ragged, num_sampled, labels, exclude)
    for got, want in zip(state_of(sampler)[1:], counts, strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("kind", spc.OBJECTS)
def test_all_classes_excluded_without_unique(kind):
    sampler = spc.sampler(kind, V, unique=False)
    labels = tf.ragged.constant([[0], list(range(V))])
    message = r"num_sampled\[1\] must be at most 0, .*classes.*, got 1"
    refused(message, sampler.sample_ragged, [5, 1], labels, True)
    assert sampler.sample_ragged([5, 0], labels, True).candidates.row_lengths().numpy().max() == 5


def test_excluded_classes_with_all_weight():
    sampler = tfcs.FixedUnigramSampler([0.0, 1.0, 0.0, 2.0])
    refused("must be at most 0, .*got 1", sampler.sample_ragged, [1], [[1, 3]], True)
    refused("must be at most 1, .*got 2", sampler.sample_ragged, [2], [[0, 2, 3]], True)
    assert sampler.sample_ragged([1], [[0, 2, 3]], True).candidates.to_list() == [[1]]


@pytest.mark.parametrize("mode", SHAPE_MODES)
@pytest.mark.parametrize("kind", spc.OBJECTS)
def test_num_sampled_of_rows_is_no_vector(kind, mode):
    sampler = spc.sampler(kind, V)
    for bad in (3, [[3]]):
        message = "num_sampled must be a vector.*, got shape"
        refused(message, in_rank_mode, mode, sampler.sample_ragged, tf.constant(bad, tf.int64))


@pytest.mark.parametrize("splits", [[], [1, 2], [0, 3], [0, 1], [0, 3, 2], [0, -1, 2]], ids=str)
@pytest.mark.parametrize("kind", spc.OBJECTS)
def test_row_splits(kind, splits):
    labels = tf.RaggedTensor.from_row_splits(
        tf.constant([1, 2]), tf.constant(splits, tf.int64), validate=False
    )
    sampler = spc.sampler(kind, V)
    message = "true_classes: row splits must"
    refused(message, sampler.sample_ragged, [1] * (len(splits) - 1), labels, True)
