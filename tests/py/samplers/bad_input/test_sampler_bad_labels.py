# SPDX-License-Identifier: Apache-2.0
"""Samplers: a mistake in class ids is an error that names argument, value and need.

Mistakes in tensors are made in eager mode, in a function that knows no shapes (so that the kernel
finds them), and in one that knows all shapes (so that building the graph may find them).
"""

import numpy as np
import pytest
import sampler_cases as spc
import tensorflow as tf
from calls import SHAPE_MODES, refused
from sampler_arguments import FUNCTIONS, LABELS, V, call, in_rank_mode

import tf_candsamp as tfcs


def samplers_of_labels():
    """(name, function of labels) of everything that takes them as a matrix."""
    found = {kind: lambda labels, kind=kind: call(kind, labels) for kind in FUNCTIONS}
    for kind in spc.OBJECTS:
        sampler = spc.sampler(kind, V)
        found[f"object_{kind}"] = lambda labels, sampler=sampler: sampler.sample(4, labels)
    found["all"] = lambda labels: tfcs.all_candidate_sampler(labels, 1, V, True)
    found["hits"] = lambda labels: tfcs.compute_accidental_hits(labels, [1, 2], 1)
    return found


BY_LABELS = samplers_of_labels()
CHECK_RANGE = [name for name in BY_LABELS if name != "hits"]
CHECK_COLUMNS = [name for name in BY_LABELS if "object" not in name]


@pytest.mark.parametrize("mode", SHAPE_MODES)
@pytest.mark.parametrize("bad", [V, -1])
@pytest.mark.parametrize("name", CHECK_RANGE)
def test_class_ids(name, bad, mode):
    labels = tf.constant([[0], [bad]], tf.int64)
    message = rf"true_classes must hold class ids in \[0, {V}\), .*, got {bad} in row 1"
    refused(message, in_rank_mode, mode, BY_LABELS[name], labels)


@pytest.mark.parametrize("bad", [V + 1, 2**31, 2**32, 2**63 - 1, -(2**31), -(2**63)])
@pytest.mark.parametrize("name", CHECK_RANGE)
def test_class_ids_far_out(name, bad):
    message = rf"true_classes must hold class ids in \[0, {V}\), .*, got {bad} in row 1"
    refused(message, BY_LABELS[name], [[0], [bad]])


@pytest.mark.parametrize("mode", SHAPE_MODES)
@pytest.mark.parametrize("shape", [[], [2], [2, 1, 1]], ids=str)
@pytest.mark.parametrize("name", BY_LABELS)
def test_rank_of_labels(name, shape, mode):
    message = r"true_classes must (be a matrix|have shape \[batch_size, num_true).* got shape"
    refused(message, in_rank_mode, mode, BY_LABELS[name], tf.zeros(shape, tf.int64))


@pytest.mark.parametrize("mode", SHAPE_MODES)
@pytest.mark.parametrize("columns", [0, 2])
@pytest.mark.parametrize("name", CHECK_COLUMNS)
def test_columns_of_labels(name, columns, mode):
    message = rf"true_classes must .*num_true.* 1\b.*got (shape .*)?{columns}"
    refused(message, in_rank_mode, mode, BY_LABELS[name], tf.zeros([3, columns], tf.int64))


@pytest.mark.parametrize("mode", SHAPE_MODES)
@pytest.mark.parametrize("dtype", [tf.float32, tf.string, tf.bool], ids=lambda t: t.name)
@pytest.mark.parametrize("name", BY_LABELS)
def test_type_of_labels(name, dtype, mode):
    labels = tf.constant([["1"]]) if dtype == tf.string else tf.ones([1, 1], dtype)
    message = f"true_classes must be of an integer type, got {dtype.name}"
    refused(message, in_rank_mode, mode, BY_LABELS[name], labels, errors=TypeError)


@pytest.mark.parametrize("labels", [[[1.0]], [["1"]], [[True]], np.ones([1, 1])], ids=str)
@pytest.mark.parametrize("name", BY_LABELS)
def test_type_of_lists_of_labels(name, labels):
    refused("true_classes must be of an integer type", BY_LABELS[name], labels, errors=TypeError)


@pytest.mark.parametrize("mode", SHAPE_MODES)
@pytest.mark.parametrize("name", BY_LABELS)
def test_no_example_is_fine(name, mode):
    sample = in_rank_mode(mode, BY_LABELS[name], tf.zeros([0, 1], tf.int64))
    if name == "hits":
        assert [part.shape for part in sample] == [[0]] * 3
    else:
        size = V if name == "all" else 4
        assert [part.shape for part in sample] == [[size], [0, 1], [size]]
        assert np.isfinite(sample.sampled_expected_count).all()


def test_shape_of_sampled_candidates():
    for bad in (1, [[1]]):
        message = "sampled_candidates must be a vector, got shape"
        refused(message, tfcs.compute_accidental_hits, LABELS, bad, 1)
    message = "sampled_candidates must be of an integer type, got float64"
    refused(message, tfcs.compute_accidental_hits, LABELS, [1.0], 1, errors=TypeError)


@pytest.mark.parametrize("bad", [V, -1, 2**40, -(2**63)])
@pytest.mark.parametrize("kind", spc.OBJECTS)
def test_probability(kind, bad):
    sampler = spc.sampler(kind, V)
    message = rf"ids must hold class ids in \[0, {V}\), .*, got {bad} in row 0"
    refused(message, sampler.probability, [[0, bad]])
    refused("ids must be of an integer type, got float64", sampler.probability, [1.0])
    assert sampler.probability(tf.zeros([0, 3], tf.int32)).shape == [0, 3]
