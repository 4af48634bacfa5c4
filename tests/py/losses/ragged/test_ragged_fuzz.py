# SPDX-License-Identifier: Apache-2.0
"""Random arguments, right and wrong, in one process: results are right, mistakes are errors."""

import loss_cases as lc
import numpy as np
import pytest
import ragged_cases as rc
import tensorflow as tf
from calls import ERRORS
from fuzz import right, seed_of, with_bad_id

CASES_PER_SEED = 40


def draw_case(rng):
    most = int(rng.choice([0, 1, 3, 20, 700]))
    return rc.random_case(
        seed_of(rng),
        rows=int(rng.integers(0, 7)),
        classes=int(rng.choice([1, 2, 5, 300, 100_000])),
        depth=int(rng.choice([0, 1, 2, 7, 16, 33])),
        labels=(1, int(rng.choice([1, 2, 8, 9, 600]))),
        candidates=(0, most),
        biases=bool(rng.integers(2)),
        log_q=bool(rng.integers(2)),
        remove_accidental_hits=bool(rng.integers(2)),
        scale=float(rng.choice([0.1, 1.0])),
    )


def draw_shards(rng, table):
    cuts = np.sort(rng.integers(0, table.shape[0] + 1, rng.integers(0, 4)))
    shards = tf.split(table, np.diff([0, *cuts, table.shape[0]]))
    return [tf.Variable(shard) if rng.integers(2) else shard for shard in shards]


@pytest.mark.parametrize("seed", range(4))
def test_right_arguments(seed):
    rng = np.random.default_rng(seed)
    for _ in range(CASES_PER_SEED):
        kind, case, (input_type, weight_type), _, want, tolerance = right(rng, rc.KINDS, draw_case)
        weights = draw_shards(rng, tf.constant(case.weights, weight_type))
        biases = case.biases
        if biases is not None:
            biases = draw_shards(rng, tf.constant(biases, weight_type))
        value = lc.apply(kind, case, weights, biases, tf.constant(case.inputs, input_type))
        scale = max(np.abs(want.value).max(initial=0), 1)
        lc.assert_close(lc.as_float64(value), want.value, tolerance, scale)


def good_arguments(rng):
    """Arguments of the loss functions as tensors: at least one row, class, label and candidate."""
    rows, classes = int(rng.integers(1, 7)), int(rng.integers(1, 30))
    case = rc.random_case(seed_of(rng), rows=rows, classes=classes, candidates=(1, 600), depth=3)
    return {
        "weights": tf.Variable(case.weights, dtype=tf.float32),
        "biases": tf.constant(case.biases, tf.float32),
        "labels": rc.ragged(case.labels),
        "inputs": tf.constant(case.inputs, tf.float32),
        "candidates": rc.ragged(case.candidates),
        "label_log_q": rc.ragged(case.label_log_q, tf.float32),
        "candidate_log_q": rc.ragged(case.candidate_log_q, tf.float32),
    }


RAGGED = ("labels", "candidates", "label_log_q", "candidate_log_q")


def unchecked(values, splits):
    return tf.RaggedTensor.from_row_splits(values, splits, validate=False)


def break_splits(rng, arguments):
    name = rng.choice(RAGGED)
    splits = arguments[name].row_splits.numpy()
    at = rng.integers(len(splits))
    splits[at] += rng.choice([-(2**62), -(2**40), -1000, -1, 1, 1000, 2**31, 2**40, 2**62])
    return {name: unchecked(arguments[name].flat_values, splits)}


def cut_splits(rng, arguments):
    name = rng.choice(RAGGED)
    splits = arguments[name].row_splits[:-1]
    return {name: unchecked(arguments[name].flat_values, splits)}


def break_id(rng, arguments):
    name = rng.choice(RAGGED[:2])
    ids = with_bad_id(rng, arguments[name].flat_values, arguments["weights"].shape[0])
    return {name: arguments[name].with_flat_values(tf.constant(ids))}


def break_size(rng, arguments):
    name = rng.choice(["weights", "biases", "inputs"])
    shape = arguments[name].shape.as_list()
    shape[rng.integers(len(shape))] += int(rng.choice([-1, 1]))
    return {name: tf.zeros(shape)}


def break_values(rng, arguments):
    """Fewer or more values than the splits say."""
    name = rng.choice(RAGGED)
    values = arguments[name].flat_values
    values = values[:-1] if rng.integers(2) else tf.concat([values, values[:1]], 0)
    return {name: unchecked(values, arguments[name].row_splits)}


def drop_labels(rng, arguments):
    rows = arguments["labels"].to_list()
    rows[rng.integers(len(rows))] = []
    return {"labels": rc.ragged(rows), "label_log_q": None}


def break_rank(rng, arguments):
    name = rng.choice(["weights", "biases", "inputs"])
    return {name: tf.convert_to_tensor(arguments[name])[..., None]}


def break_type(rng, arguments):
    name = rng.choice(["weights", "biases", "inputs"])
    dtype = [tf.float64, tf.int32, tf.complex64][rng.integers(3)]
    return {name: tf.cast(arguments[name], dtype)}


BREAKS = [
    break_splits,
    cut_splits,
    break_id,
    break_size,
    break_values,
    drop_labels,
    break_rank,
    break_type,
]


@pytest.mark.parametrize("change", BREAKS, ids=lambda change: change.__name__)
def test_wrong_arguments(change):
    rng = np.random.default_rng(0)
    for _ in range(CASES_PER_SEED):
        kind = "softmax" if change is drop_labels else rng.choice(lc.LOSSES)
        arguments = good_arguments(rng)
        assert np.isfinite(rc.FUNCTIONS[kind](**arguments)).all()
        with pytest.raises(ERRORS):
            rc.FUNCTIONS[kind](**arguments | change(rng, arguments))
        # The variable is still free to be written.
        arguments["weights"].assign_add(tf.ones_like(arguments["weights"]))
