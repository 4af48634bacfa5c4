# SPDX-License-Identifier: Apache-2.0
"""The situations in which TensorFlow tests its own sampled losses, where only the import changes.

Five classes, three rows, tables as constants or as lists of three, candidates as a Python list,
expected counts as NumPy arrays of which the labels' broadcast: the losses of tf.nn and of NumPy.
"""

import numpy as np
import pytest
import reference
import tensorflow as tf

import tf_candsamp as tfcs

CLASSES, DEPTH, ROWS = 5, 10, 3
SAMPLED = [1, 0, 2, 3]
LOSSES = ("sampled_softmax_loss", "nce_loss")


def arguments(num_true, count=0.5):
    """NumPy arguments of either loss; with `count` 1 there is no log to subtract."""
    rng = np.random.default_rng(num_true)
    return {
        "weights": rng.normal(size=[CLASSES, DEPTH]).astype(np.float32),
        "biases": rng.normal(size=[CLASSES]).astype(np.float32),
        "labels": rng.integers(CLASSES, size=[ROWS, num_true]),
        "inputs": rng.normal(size=[ROWS, DEPTH]).astype(np.float32),
        "num_sampled": len(SAMPLED),
        "num_classes": CLASSES,
        "num_true": num_true,
        "sampled_values": (
            SAMPLED,
            np.full([ROWS, 1], count, np.float32),
            np.full([len(SAMPLED)], count, np.float32),
        ),
    }


def in_numpy(loss, *, num_sampled, num_classes, num_true, sampled_values, **given):
    sampled, true_count, sampled_count = sampled_values
    values = np.array(sampled), np.broadcast_to(true_count, [ROWS, num_true]), sampled_count
    return getattr(reference, loss)(**given, sampled_values=values)


def as_tensors(given, dtype=tf.float32, label_type=tf.int64, shards=1):
    """The arguments as that test has them; floats of `dtype`."""

    def table(rows):
        parts = [tf.constant(part, dtype) for part in np.array_split(rows, shards)]
        return parts if shards > 1 else parts[0]

    sampled, *counts = given["sampled_values"]
    return given | {
        "weights": table(given["weights"]),
        "biases": table(given["biases"]),
        "labels": tf.constant(given["labels"], label_type),
        "inputs": tf.constant(given["inputs"], dtype),
        "sampled_values": (sampled, *(count.astype(dtype.as_numpy_dtype) for count in counts)),
    }


def assert_agrees(loss, given, shards=1, **options):
    got = getattr(tfcs, loss)(**as_tensors(given, shards=shards), **options)
    assert got.shape == [ROWS] and got.dtype == tf.float32
    of_tf = getattr(tf.nn, loss)(**as_tensors(given, shards=shards), **options)
    np.testing.assert_allclose(got, of_tf, rtol=1e-5)
    np.testing.assert_allclose(got, in_numpy(loss, **given, **options)[0], rtol=1e-5)
    return got


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("count", [1, 0.5])
@pytest.mark.parametrize("num_true", [1, 2, 3, 4])
@pytest.mark.parametrize("loss", LOSSES)
def test_with_hits(loss, num_true, count, shards):
    assert_agrees(loss, arguments(num_true, count), shards, remove_accidental_hits=False)


@pytest.mark.parametrize("num_true", [1, 2, 3, 4])
@pytest.mark.parametrize("loss", LOSSES)
def test_hits_removed(loss, num_true):
    given = arguments(num_true, 1)
    assert np.isin(given["labels"], SAMPLED).any(), "there is no hit to remove"
    without = assert_agrees(loss, given, remove_accidental_hits=True)
    with_hits = getattr(tfcs, loss)(**as_tensors(given), remove_accidental_hits=False)
    assert (without.numpy() < with_hits.numpy()).any()


@pytest.mark.parametrize("loss", LOSSES)
def test_defaults(loss):
    assert_agrees(loss, arguments(1))


@pytest.mark.parametrize("label_type", [tf.bfloat16, tf.int64], ids=lambda t: t.name)
@pytest.mark.parametrize("loss", LOSSES)
def test_bfloat16(loss, label_type):
    """Labels included: tf.nn casts them, whatever they are."""
    given = arguments(1)
    tensors = as_tensors(given, tf.bfloat16, label_type)
    got = getattr(tfcs, loss)(**tensors, remove_accidental_hits=False)
    of_tf = getattr(tf.nn, loss)(**tensors, remove_accidental_hits=False)
    want = in_numpy(loss, **given, remove_accidental_hits=False)[0]
    np.testing.assert_allclose(tf.cast(got, tf.float32), tf.cast(of_tf, tf.float32), rtol=0.05)
    np.testing.assert_allclose(tf.cast(got, tf.float32), want, rtol=0.02)


@pytest.mark.parametrize(
    "dtype", [tf.float32, tf.float64, tf.int32, tf.uint8], ids=lambda t: t.name
)
@pytest.mark.parametrize("loss", LOSSES)
def test_labels_of_other_types(loss, dtype):
    given = arguments(2)
    got = getattr(tfcs, loss)(**as_tensors(given, label_type=dtype))
    np.testing.assert_array_equal(got, getattr(tfcs, loss)(**as_tensors(given)))
    np.testing.assert_allclose(
        got, getattr(tf.nn, loss)(**as_tensors(given, label_type=dtype)), rtol=1e-5
    )
