# SPDX-License-Identifier: Apache-2.0
"""Full softmax, ranks and top k of sequences: those of the rows that count, put back in place."""

import numpy as np
import pytest
import tensorflow as tf
from calls import in_shape_mode, refused

import tf_candsamp as tfcs

CLASSES, DEPTH, NO_RANK = 30, 4, 2**62
RNG = np.random.default_rng(0)
TABLE = RNG.normal(0, 1, [CLASSES, DEPTH]).astype(np.float32)
LEADS = {"rows": [6], "sequences": [3, 4], "four dimensions": [2, 3, 2]}
for_leads = pytest.mark.parametrize("lead", LEADS.values(), ids=LEADS)
for_modes = pytest.mark.parametrize("mode", ["eager", "unknown_shapes"])


def batch_of(lead, num_true=1):
    rng = np.random.default_rng(1)
    inputs = rng.normal(0, 1, [*lead, DEPTH]).astype(np.float32)
    labels = rng.integers(0, CLASSES, [*lead, num_true])
    keep = rng.random(lead) < 0.6
    return inputs, labels, keep


def in_mode(mode, function, inputs, labels):
    return in_shape_mode(mode, lambda t: function(*t), (tf.constant(inputs), tf.constant(labels)))


@for_modes
@for_leads
@pytest.mark.parametrize("by", ["mask", "ignore_id", None])
def test_full_softmax(by, lead, mode):
    """The same bits of the loss and of every gradient."""
    inputs, labels, keep = batch_of(lead, num_true=2)
    keep = keep | (by is None)
    ignored = {"mask": {"mask": keep}, "ignore_id": {"ignore_id": -1}, None: {}}[by]
    padded = np.where(keep[..., None], labels, -1)
    table = tf.Variable(TABLE)

    def step(inputs, labels):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = tfcs.full_softmax_loss(table, None, labels, inputs, **ignored)
        return loss, *tape.gradient(loss, [table, inputs])

    loss, by_table, by_inputs = in_mode(mode, step, inputs, padded)
    kept = tf.constant(inputs[keep])
    with tf.GradientTape() as tape:
        tape.watch(kept)
        want = tfcs.full_softmax_loss(table, None, labels[keep], kept)
    want_by_table, want_by_inputs = tape.gradient(want, [table, kept])
    np.testing.assert_array_equal(loss.numpy()[keep], want)
    np.testing.assert_array_equal(by_table, want_by_table)
    np.testing.assert_array_equal(by_inputs.numpy()[keep], want_by_inputs)
    assert not loss.numpy()[~keep].any() and not by_inputs.numpy()[~keep].any()


@for_modes
@for_leads
@pytest.mark.parametrize("columns", [True, False])
def test_ranks(columns, lead, mode):
    """A row that does not count is no hit at any k, and has no reciprocal rank."""
    inputs, labels, keep = batch_of(lead, num_true=2 if columns else 1)
    labels = labels if columns else labels[..., 0]
    padded = np.where(keep[..., None] if columns else keep, labels, -1)

    def rank(inputs, labels):
        return tfcs.label_rank(TABLE, None, labels, inputs, ignore_id=-1)

    got = in_mode(mode, rank, inputs, padded).numpy()
    want = tfcs.label_rank(TABLE, None, labels[keep], inputs[keep])
    assert got.shape == labels.shape and got.dtype == np.int64
    np.testing.assert_array_equal(got[keep], want)
    assert (got[~keep] == NO_RANK).all()
    assert 1 / float(NO_RANK + 1) < 1e-18


@for_modes
def test_ranks_with_excluded_classes(mode):
    inputs, labels, keep = batch_of([3, 4])
    seen = [list(range(k % 5)) for k in range(12)]
    forms = {
        "flat": tf.ragged.constant(seen, tf.int64),
        "nested": tf.ragged.constant([seen[:4], seen[4:8], seen[8:]], tf.int64, ragged_rank=2),
    }
    want = tfcs.label_rank(
        TABLE,
        None,
        labels[keep],
        inputs[keep],
        exclude=[seen[k] for k in np.flatnonzero(keep)],
    )
    for name, exclude in forms.items():

        def rank(inputs, labels, exclude=exclude):
            return tfcs.label_rank(TABLE, None, labels, inputs, exclude=exclude, mask=keep)

        got = in_mode(mode, rank, inputs, labels).numpy()
        np.testing.assert_array_equal(got[keep], want, err_msg=name)


@for_modes
@for_leads
def test_top_k(lead, mode):
    inputs, labels, _ = batch_of(lead)
    best = in_mode(mode, lambda x, _: tfcs.top_k(TABLE, None, x, 3), inputs, labels)
    want = tfcs.top_k(TABLE, None, inputs.reshape([-1, DEPTH]), 3)
    for got, expected in zip(best, want, strict=True):
        assert got.shape == [*lead, 3]
        np.testing.assert_array_equal(tf.reshape(got, [-1, 3]), expected)


def test_all_ignored():
    inputs, labels, _ = batch_of([3, 4])
    mask = np.zeros([3, 4], bool)
    assert not tfcs.full_softmax_loss(TABLE, None, labels, inputs, mask=mask).numpy().any()
    assert (tfcs.label_rank(TABLE, None, labels, inputs, mask=mask).numpy() == NO_RANK).all()


@pytest.mark.parametrize("function", [tfcs.full_softmax_loss, tfcs.label_rank])
def test_refused(function):
    inputs, labels, keep = batch_of([3, 4])
    refused(r"mask must have shape \(3, 4\)", function, TABLE, None, labels, inputs, mask=keep.T)
    refused("labels must have shape", function, TABLE, None, labels.reshape([4, 3]), inputs)
    refused(r"labels must (hold|be)", function, TABLE, None, labels * 0 - 1, inputs)
