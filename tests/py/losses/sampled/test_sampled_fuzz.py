# SPDX-License-Identifier: Apache-2.0
"""Random arguments, right and wrong, in one process: results are right, mistakes are errors."""

import dataclasses

import loss_cases as lc
import numpy as np
import pytest
import sampled_cases as sc
import tensorflow as tf
from calls import ERRORS
from fuzz import right, seed_of, with_bad_id
from tiling import COLUMN_BLOCK, row_block

CASES_PER_SEED = 30


def draw_case(rng):
    num_sampled = int(rng.choice([0, 1, 3, 20, COLUMN_BLOCK + 1, 4 * COLUMN_BLOCK + 1]))
    classes = int(rng.choice([1, 2, 5, 300, 20_000]))
    return sc.random_case(
        seed_of(rng),
        rows=int(rng.choice([0, 1, 3, 7, row_block(1) + 1])),
        classes=classes,
        depth=int(rng.choice([0, 1, 2, 7, 16, 33])),
        num_true=int(rng.choice([1, 2, 8])),
        num_sampled=num_sampled,
        unique=bool(rng.integers(2)) and classes >= num_sampled,
        biases=bool(rng.integers(2)),
        scale=float(rng.choice([0.1, 1.0])),
        remove_accidental_hits=bool(rng.integers(2)),
        recompute=bool(rng.integers(2)),
    )


def deal(rng, table, strategy):
    """The table in one piece or shards, each a variable or a tensor."""
    count = int(rng.integers(1, 5))
    cuts = np.sort(rng.integers(0, len(table) + 1, count - 1))
    parts = np.split(table, cuts) if strategy == "div" else [table[k::count] for k in range(count)]
    return [tf.Variable(part) if rng.integers(2) else tf.constant(part) for part in parts]


@pytest.mark.parametrize("seed", range(4))
def test_right_arguments(seed):
    rng = np.random.default_rng(seed)
    for _ in range(CASES_PER_SEED):
        kind, case, (input_type, weight_type), got, *_ = right(rng, lc.LOSSES, draw_case)
        strategy = str(rng.choice(["div", "mod"]))
        weights, biases = (
            None if x is None else deal(rng, x.astype(weight_type.as_numpy_dtype), strategy)
            for x in (case.weights, case.biases)
        )
        sharded = dataclasses.replace(case, partition_strategy=strategy)
        value = sharded.apply(kind, weights, biases, tf.constant(case.inputs, input_type))
        np.testing.assert_array_equal(lc.as_float64(value), got.value)


def good_case(rng):
    return sc.random_case(
        seed_of(rng),
        rows=int(rng.integers(1, 7)),
        classes=int(rng.integers(5, 30)),
        num_sampled=int(rng.integers(1, 6)),
        depth=3,
        biases=True,
    )


def break_id(rng, case):
    name = rng.choice(["labels", "sampled"])
    return {name: with_bad_id(rng, getattr(case, name), len(case.weights))}


def break_count(rng, case):
    name = rng.choice(["true_expected_count", "sampled_expected_count"])
    counts = getattr(case, name).copy()
    counts.flat[rng.integers(counts.size)] = rng.choice([0, -1, np.nan, np.inf, -np.inf])
    return {name: counts}


def break_size(rng, case):
    name = rng.choice(["biases", "inputs", "labels", "true_expected_count"])
    value = getattr(case, name)
    if name == "biases":  # there may be more of them than classes
        return {name: value[:-1]}
    axis = rng.integers(value.ndim)
    return {name: np.concatenate([value, *[value.take([0], axis)] * 6], axis)}


def break_rank(rng, case):
    name = rng.choice(["weights", "biases", "inputs", "labels", "sampled"])
    return {name: getattr(case, name)[..., None, None]}


@pytest.mark.parametrize(
    "change", [break_id, break_count, break_size, break_rank], ids=lambda change: change.__name__
)
def test_wrong_arguments(change):
    rng = np.random.default_rng(0)
    for _ in range(CASES_PER_SEED):
        kind = rng.choice(lc.LOSSES)
        case = good_case(rng)

        def loss(case, kind=kind):
            variable = tf.Variable(case.weights, dtype=tf.float32)
            inputs = tf.constant(case.inputs, tf.float32)
            return case.apply(kind, variable, tf.constant(case.biases, tf.float32), inputs)

        assert np.isfinite(loss(case)).all()
        with pytest.raises(ERRORS):
            loss(dataclasses.replace(case, **change(rng, case)))
