# SPDX-License-Identifier: Apache-2.0
"""ragged_batches: every row once in an epoch, with what belongs to it, in reproducible orders."""

import numpy as np
import pytest
import tensorflow as tf

import tf_candsamp as tfcs

ROWS = 23
LENGTHS = np.random.default_rng(0).integers(0, 6, ROWS)
SPLITS = np.cumsum([0, *LENGTHS])
# What is in row i tells i: its values are 100 i, 100 i + 1, ...
VALUES = np.concatenate([100 * i + np.arange(n) for i, n in enumerate(LENGTHS)]).astype(np.int32)
FEATURES = np.arange(2.0 * ROWS, dtype=np.float32).reshape(ROWS, 2)
LABELS = np.arange(ROWS)
COLUMNS = {
    "features": FEATURES,
    "moves": tfcs.data.RaggedRows(VALUES, SPLITS),
    "nested": (LABELS, tf.RaggedTensor.from_row_splits(VALUES.astype(np.int64), SPLITS)),
}


def orders(batches, iterations=1):
    """The order of labels in each iteration; checks that what is in a row belongs together."""
    found = []
    for _ in range(iterations):
        order = []
        for batch in batches:
            labels, same_moves = batch["nested"]
            np.testing.assert_array_equal(batch["features"], FEATURES[labels.numpy()])
            want = [VALUES[SPLITS[i] : SPLITS[i + 1]].tolist() for i in labels.numpy()]
            assert batch["moves"].to_list() == same_moves.to_list() == want
            order.extend(labels.numpy().tolist())
        found.append(order)
    return found


@pytest.mark.parametrize("size", [1, 4, 23, 40])
def test_an_epoch_has_every_row_once(size):
    batches = tfcs.data.ragged_batches(COLUMNS, size, seed=1)
    (order,) = orders(batches)
    assert sorted(order) == list(range(ROWS))
    assert [len(b["features"]) for b in batches] == [size] * (ROWS // size) + (
        [ROWS % size] if ROWS % size else []
    )
    assert batches.cardinality() == -(-ROWS // size)


def test_types_and_shapes():
    spec = tfcs.data.ragged_batches(COLUMNS, 4).element_spec
    assert spec["features"] == tf.TensorSpec([None, 2], tf.float32)
    assert (spec["moves"].dtype, spec["moves"].shape.as_list()) == (tf.int32, [None, None])
    assert spec["nested"][1].dtype == tf.int64
    spec = tfcs.data.ragged_batches(COLUMNS, 4, drop_remainder=True, shuffle=False).element_spec
    assert spec["features"] == tf.TensorSpec([4, 2], tf.float32)


def test_without_shuffle_rows_come_in_order():
    batches = tfcs.data.ragged_batches(COLUMNS, 4, shuffle=False)
    assert orders(batches, 2) == [list(range(ROWS))] * 2


def test_drop_remainder():
    batches = tfcs.data.ragged_batches(COLUMNS, 4, seed=1, drop_remainder=True)
    first, second = orders(batches, 2)
    assert len(first) == len(set(first)) == 20
    assert set(first) != set(second)  # by chance in one of 8,855 seeds; this one is fixed
    assert batches.cardinality() == 5


def test_a_seed_gives_the_same_orders_each_time_and_others_each_epoch():
    want = orders(tfcs.data.ragged_batches(COLUMNS, 4, seed=1), 3)
    assert orders(tfcs.data.ragged_batches(COLUMNS, 4, seed=1), 3) == want
    assert len({tuple(order) for order in want}) == 3
    assert orders(tfcs.data.ragged_batches(COLUMNS, 4, seed=2)) != want[:1]
    # They depend on the seed, not on the batch size.
    assert orders(tfcs.data.ragged_batches(COLUMNS, 7, seed=1), 3) == want


@pytest.mark.parametrize("seed", [None, -3, 2**63 - 1])
def test_one_order_for_all_epochs(seed):
    batches = tfcs.data.ragged_batches(COLUMNS, 4, seed=seed, reshuffle_each_iteration=False)
    first, second = orders(batches, 2)
    assert first == second != list(range(ROWS))
    assert sorted(first) == list(range(ROWS))


def test_without_a_seed_datasets_differ():
    first, second = (tfcs.data.ragged_batches(COLUMNS, 4) for _ in range(2))
    assert orders(first) != orders(second)  # equal in one of 23! cases


def test_orders_are_uniform():
    """Each of the 24 orders of 4 rows: chi-square, 23 degrees of freedom, fails 1 time in 10^6.

    The seed is fixed, so it fails always or never.
    """
    batches = tfcs.data.ragged_batches(np.arange(4), 4, seed=3).repeat(1200)
    counts = {}
    for (order,) in zip(batches, strict=True):
        key = tuple(order.numpy())
        counts[key] = counts.get(key, 0) + 1
    assert len(counts) == 24
    assert sum((count - 50) ** 2 / 50 for count in counts.values()) < 73.6


def test_repeat_reshuffles():
    batches = tfcs.data.ragged_batches(LABELS, ROWS, seed=1).repeat(2)
    first, second = (batch.numpy().tolist() for batch in batches)
    assert first != second and sorted(first) == sorted(second)


@pytest.mark.parametrize(
    "columns, options, error, message",
    [
        ({}, {}, ValueError, "columns must hold at least one column"),
        ({"a": LABELS, "b": FEATURES[:3]}, {}, ValueError, r"columns\['a'\] 23, columns\['b'\] 3"),
        (np.zeros([0, 3]), {}, ValueError, "at least one row"),
        (np.float32(3), {}, ValueError, "a row for each example, got a scalar"),
        ((LABELS, object()), {}, TypeError, r"columns\[1\] must be a tensor"),
        (
            {"m": tfcs.data.RaggedRows(VALUES, SPLITS[:-1])},
            {},
            ValueError,
            r"columns\['m'\].row_splits must ascend from 0 to the number of values",
        ),
        (
            tfcs.data.RaggedRows(VALUES, SPLITS.astype(np.float32)),
            {},
            ValueError,
            "integer row_splits",
        ),
        (LABELS, {"batch_size": 0}, ValueError, "batch_size must be positive, got 0"),
        (LABELS, {"batch_size": 2.5}, TypeError, "batch_size must be an integer, got 2.5"),
        (LABELS, {"batch_size": 24, "drop_remainder": True}, ValueError, "leaves no batch"),
        (LABELS, {"seed": "a"}, TypeError, "seed must be an integer"),
        (LABELS, {"prefetch": 0.5}, TypeError, "prefetch must be an integer"),
    ],
)
def test_bad_input(columns, options, error, message):
    with pytest.raises(error, match=message):
        tfcs.data.ragged_batches(columns, **({"batch_size": 4} | options))
