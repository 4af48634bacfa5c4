# SPDX-License-Identifier: Apache-2.0
"""The in-batch softmax loss against reference.py, in all its forms."""

import calls
import loss_cases as lc
import ml_dtypes
import numpy as np
import pytest
import reference
import tensorflow as tf
import tiling

import tf_candsamp as tfcs


def batch(rows, items, depth=6, seed=0, scale=1.0):
    """Queries, items' vectors, ids of which many come twice, and their probabilities."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, items, rows) * 977 - 10**12
    query, item = rng.normal(0, scale, [2, rows, depth]).astype(np.float32).astype(np.float64)
    return query, item, ids, rng.dirichlet(np.ones(rows)).astype(np.float32)


def grad_of(rows):
    """A gradient of the losses, in numbers that every type holds exactly."""
    return np.random.default_rng(rows).integers(-16, 17, rows) / 8


def evaluate(query, item, ids, dtype=tf.float32, item_dtype=None, **options):
    """The losses, and the gradients of queries and items, which are tensors of their types."""
    query, item = tf.constant(query, dtype), tf.constant(item, item_dtype or dtype)
    with tf.GradientTape() as tape:
        tape.watch([query, item])
        loss = tfcs.in_batch_softmax_loss(query, item, ids, **options)
    grad = tf.constant(grad_of(len(loss)), loss.dtype)
    gradients = tape.gradient(loss, [query, item], grad)
    for gradient, source in zip(gradients, [query, item], strict=True):
        assert isinstance(gradient, tf.Tensor)
        assert (gradient.dtype, gradient.shape) == (source.dtype, source.shape)
    return [lc.as_float64(x) for x in (loss, *gradients)]


def assert_near(actual, expected, tolerance):
    for got, want in zip(actual, expected, strict=True):
        lc.assert_close(got, want, tolerance, max(1, np.abs(want).max(initial=0)))


@pytest.mark.parametrize("remove", [True, False])
@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("rows, items", [(1, 1), (40, 9), (3 * tiling.COLUMN_BLOCK, 50)])
def test_values(rows, items, recompute, remove):
    """Losses and gradients; the last shape has several blocks of rows and of columns."""
    query, item, ids, p = batch(rows, items)
    weight = np.random.default_rng(1).integers(0, 9, rows) / 4
    got = evaluate(
        query,
        item,
        ids,
        item_probability=p,
        sample_weight=weight,
        remove_accidental_hits=remove,
        recompute=recompute,
    )
    want = reference.two_tower_softmax_loss(
        query,
        item,
        ids,
        p,
        sample_weight=weight,
        remove_accidental_hits=remove,
        grad=grad_of(rows),
    )
    assert_near(got, want, 2e-6)


def test_formula():
    """By hand, with matrices: the losses are the docstring's."""
    query, item, ids, p = batch(12, 5)
    z = query @ item.T - np.log(12 * p.astype(np.float64))
    negative = ids[:, None] != ids[None]
    total = np.where(negative | np.eye(12, dtype=bool), np.exp(z), 0).sum(axis=1)
    loss = tfcs.in_batch_softmax_loss(query, item, ids, item_probability=p.astype(np.float64))
    np.testing.assert_allclose(loss, np.log(total) - np.diag(z), rtol=1e-12)


def test_it_is_the_sampled_softmax_of_the_batchs_classes():
    """Where no item comes twice: the same bits as the loss over a table of all items."""
    query, item, _, p = batch(30, 30)
    order = np.random.default_rng(0).permutation(30)
    table = np.zeros([30, 6], np.float32)
    table[order] = item
    counts = 30 * p
    want = tfcs.sampled_softmax_loss(
        table,
        None,
        order[:, None],
        query.astype(np.float32),
        30,
        30,
        sampled_values=(order, counts[:, None], counts),
    )
    got = tfcs.in_batch_softmax_loss(
        query.astype(np.float32), item.astype(np.float32), order, item_probability=p
    )
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("pair", lc.TYPE_PAIRS, ids=lc.type_names)
def test_types(pair):
    query, item, ids, p = batch(50, 11, scale=0.5)
    query, item = lc.rounded(query, pair[0]), lc.rounded(item, pair[1])
    got = evaluate(query, item, ids, *pair, item_probability=p)
    want = reference.two_tower_softmax_loss(query, item, ids, p, grad=grad_of(50))
    epsilon = max(float(ml_dtypes.finfo(t.as_numpy_dtype).eps) for t in pair)
    assert_near(got, want, epsilon * (8 if pair[0] in lc.EPSILON else 1))


def test_without_probabilities_nothing_is_corrected():
    query, item, ids, _ = batch(20, 6)
    got = evaluate(query, item, ids)
    assert_near(got, evaluate(query, item, ids, item_probability=np.full(20, 0.3)), 1e-6)
    assert_near(
        got, reference.two_tower_softmax_loss(query, item, ids, np.ones(20), grad=grad_of(20)), 1e-6
    )


def test_the_scale_of_probabilities_cancels_out():
    """Counts of a data set will do."""
    query, item, ids, p = batch(20, 6)
    got = evaluate(query, item, ids, item_probability=p * 1e6)
    assert_near(got, evaluate(query, item, ids, item_probability=p), 2e-6)


def test_ids_may_be_none_where_nothing_needs_them():
    query, item, ids, p = batch(20, 6)
    options = {"item_probability": p, "remove_accidental_hits": False}
    want = evaluate(query, item, ids, **options)
    for got, expected in zip(evaluate(query, item, None, **options), want, strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint32, np.int64])
def test_types_of_ids(dtype):
    query, item, _, p = batch(8, 3)
    ids = np.array([1, 2, 3, 1, 2, 3, 1, 2])
    want = evaluate(query, item, ids, item_probability=p)
    got = evaluate(query, item, ids.astype(dtype), item_probability=p)
    np.testing.assert_array_equal(got[0], want[0])


def test_a_function_of_unknown_batch_size():
    query, item, ids, p = batch(17, 5)
    loss = calls.in_shape_mode(
        "unknown_shapes",
        lambda given: tfcs.in_batch_softmax_loss(*given[:3], item_probability=given[3]),
        [tf.constant(query), tf.constant(item), tf.constant(ids), tf.constant(p)],
    )
    want = tfcs.in_batch_softmax_loss(query, item, ids, item_probability=p)
    np.testing.assert_array_equal(loss, want)


@pytest.mark.parametrize("inside", [True, False])
def test_towers_learn_in_a_function(inside):
    """With the tape inside or outside, gradients reach both towers' variables."""
    query, item, ids, p = batch(16, 16)
    towers = [tf.Variable(np.eye(6)) for _ in range(2)]

    def loss():
        return tf.reduce_sum(
            tfcs.in_batch_softmax_loss(query @ towers[0], item @ towers[1], ids, item_probability=p)
        )

    def gradients(loss):
        with tf.GradientTape() as tape:
            value = loss()
        return tape.gradient(value, towers)

    got = tf.function(lambda: gradients(loss))() if inside else gradients(tf.function(loss))
    _, query_grad, item_grad = reference.two_tower_softmax_loss(query, item, ids, p)
    np.testing.assert_allclose(got[0], query.T @ query_grad, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(got[1], item.T @ item_grad, rtol=1e-5, atol=1e-9)


def test_an_empty_batch():
    for remove in (True, False):
        got = evaluate(
            np.zeros([0, 6]), np.zeros([0, 6]), np.zeros(0, int), remove_accidental_hits=remove
        )
        assert [x.shape for x in got] == [(0,), (0, 6), (0, 6)]


# Sequences and rows that do not count.


def masked(form):
    """Options that leave out rows 1, 4 and 5 of six, and the ids that go with them."""
    ids = np.array([7, 8, 7, 9, 8, 8])
    kept = np.array([True, False, True, True, False, False])
    if form == "mask":
        return ids, kept, {"mask": kept}
    return np.where(kept, ids, -1), kept, {"ignore_id": -1}


@pytest.mark.parametrize("form", ["mask", "ignore_id"])
@pytest.mark.parametrize("shape", [(6,), (2, 3)])
def test_rows_that_do_not_count(shape, form):
    """They have no loss and no gradient, and are no negatives: as if they were not there."""
    query, item, _, p = batch(6, 6)
    ids, kept, options = masked(form)
    weight = np.arange(1, 7)
    shaped = {name: np.reshape(value, shape) for name, value in options.items() if name == "mask"}
    loss, query_grad, item_grad = [
        x.reshape(6, -1)
        for x in _evaluate_sequences(
            query.reshape(*shape, 6),
            item.reshape(*shape, 6),
            ids.reshape(shape),
            item_probability=p.reshape(shape),
            sample_weight=weight.reshape(shape),
            **options | shaped,
        )
    ]
    want = reference.two_tower_softmax_loss(
        query[kept], item[kept], ids[kept], p[kept], sample_weight=weight[kept]
    )
    for got, expected in zip((loss[:, 0], query_grad, item_grad), want, strict=True):
        np.testing.assert_allclose(got[kept], expected, rtol=1e-5, atol=1e-9)
        np.testing.assert_array_equal(got[~kept], 0)


def _evaluate_sequences(query, item, ids, **options):
    query, item = tf.constant(query), tf.constant(item)
    with tf.GradientTape() as tape:
        tape.watch([query, item])
        loss = tfcs.in_batch_softmax_loss(query, item, ids, **options)
    assert loss.shape == query.shape[:-1]
    return [x.numpy() for x in (loss, *tape.gradient(loss, [query, item]))]


def test_all_rows_may_be_left_out():
    query, item, ids, _ = batch(4, 4)
    loss = tfcs.in_batch_softmax_loss(query, item, ids, mask=np.zeros(4, bool))
    np.testing.assert_array_equal(loss, np.zeros(4))
