# SPDX-License-Identifier: Apache-2.0
"""Ragged losses: every mistake in the arguments is an error that names argument, value and need.

Each mistake is made in eager mode, in a function that knows no shapes (so that the kernel finds
it), and in one that knows all shapes (so that building the graph may find it), unless the mistake
is not one of shapes.
"""

import re

import loss_cases as lc
import numpy as np
import pytest
import ragged_cases as rc
import tensorflow as tf
from calls import ERRORS, MODES, SHAPE_MODES
from internals import ops
from ragged_arguments import arguments, call, check, run

BIG = 2**31


def rows_of(values, splits, dtype=tf.int64):
    """A ragged tensor whose splits nobody checked."""
    return tf.RaggedTensor.from_row_splits(
        tf.constant(values, dtype), tf.constant(splits, tf.int64), validate=False
    )


def pairs(kinds_of_name):
    """(kind, argument): each function with each of its ragged arguments."""
    return [(kind, name) for kind, names in kinds_of_name.items() for name in names]


RAGGED_IDS = {
    "softmax": ("labels", "candidates"),
    "nce": ("labels", "candidates"),
    "logits": ("candidates",),
}


def test_arguments_without_mistake_are_fine():
    for kind in rc.KINDS:
        values = [run(kind, mode, arguments()).numpy() for mode in SHAPE_MODES]
        assert np.isfinite(values[0]).all()
        np.testing.assert_array_equal(values[0], values[1])
        np.testing.assert_array_equal(values[0], values[2])


@pytest.mark.parametrize("mode", SHAPE_MODES[:2])
@pytest.mark.parametrize(
    "splits, message",
    [
        ([1, 2, 3, 4], "must start at 0, got 1"),
        ([-1, 2, 3, 4], "must start at 0, got -1"),
        ([0, 3, 2, 4], "must not decrease, got 3 then 2 at position 2"),
        ([0, 5, 5, 4], "must not decrease, got 5 then 4 at position 3"),
        ([0, 2, 3, 5], "must end at the number of values, 4, got 5"),
        ([0, 2, 3, 3], "must end at the number of values, 4, got 3"),
        ([0, 2, 3, BIG], f"must end at the number of values, 4, got {BIG}"),
        ([0, 2, BIG * 2, 4], f"must not decrease, got {BIG * 2} then 4 at position 3"),
        ([0, -(2**62), 3, 4], f"must not decrease, got 0 then -{2**62} at position 1"),
        ([0, 2**63 - 1, -(2**63), 4], f"got {2**63 - 1} then -{2**63} at position 2"),
    ],
    ids=lambda x: str(x).replace(" ", "") if isinstance(x, list) else "",
)
@pytest.mark.parametrize("kind, name", pairs(RAGGED_IDS))
def test_row_splits(kind, name, splits, message, mode):
    changes = {name: rows_of([1, 2, 3, 4], splits)}
    check(kind, mode, f"{name}: row splits .*{message}", **changes)


@pytest.mark.parametrize("mode", SHAPE_MODES[:2])
@pytest.mark.parametrize("kind, name", pairs(RAGGED_IDS))
def test_row_splits_of_no_value(kind, name, mode):
    """Not even [0]: TensorFlow's own ragged tensors can be made to hold that."""
    bad = rows_of([], [])
    check(kind, mode, f"{name}: row splits must hold at least one value, got none", **{name: bad})


@pytest.mark.parametrize("mode", SHAPE_MODES)
@pytest.mark.parametrize("ids", [[[1], [2]], [[1], [2], [3], [4]], []], ids=len)
@pytest.mark.parametrize("kind, name", pairs(RAGGED_IDS))
def test_other_number_of_rows_than_inputs(kind, name, ids, mode):
    message = f"{name} must have as many rows as inputs, 3, got {len(ids)}"
    check(kind, mode, message, **{name: rc.ragged(ids), "label_log_q": None} | no_log_q(name))


def no_log_q(name):
    return {"label_log_q": None} if name == "labels" else {"candidate_log_q": None}


@pytest.mark.parametrize("mode", SHAPE_MODES)
@pytest.mark.parametrize("shape", [[2, 2], [4, 2], [0, 2]], ids=str)
@pytest.mark.parametrize("kind", rc.KINDS)
def test_other_number_of_inputs(kind, shape, mode):
    message = f"must have as many rows as inputs, {shape[0]}, got 3"
    check(kind, mode, message, inputs=np.ones(shape, np.float32))


@pytest.mark.parametrize("mode", SHAPE_MODES)
@pytest.mark.parametrize("labels", [[0, 1], [[0], [1]], [[0, 1]] * 4], ids=str)
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_other_number_of_dense_labels(kind, labels, mode):
    message = f"labels must have as many rows as inputs, 3, got {len(labels)}"
    check(kind, mode, message, labels=np.array(labels), label_log_q=None)


@pytest.mark.parametrize("mode", SHAPE_MODES[:2])
@pytest.mark.parametrize("bad", [-1, 5, 6, BIG - 1, BIG, BIG * 2, 2**63 - 1, -BIG, -(2**63)])
@pytest.mark.parametrize("kind, name", pairs(RAGGED_IDS))
def test_class_ids(kind, name, bad, mode):
    message = rf"{name} must hold class ids in \[0, 5\), the rows of weights, got {bad} in row 2"
    ids = rows_of([0, 1, 4, 2, bad], [0, 2, 3, 5])
    changes = {name: ids, "label_log_q": None, "candidate_log_q": None}
    check(kind, mode, message, **changes)


@pytest.mark.parametrize("mode", SHAPE_MODES)
@pytest.mark.parametrize("kind, name", pairs(RAGGED_IDS))
def test_dense_batch_padded_with_minus_one(kind, name, mode):
    """The error says how to pass it; passed like that it is right."""
    padded = np.array([[1, 2], [3, -1], [0, -1]])
    others = {"label_log_q": None, "candidate_log_q": None}
    cure = f"got -1 in row 1: .* pass tf.RaggedTensor.from_tensor({name}, padding=-1)"
    check(kind, mode, re.escape(cure).replace(r"\.\*", ".*"), **{name: padded}, **others)
    ragged = tf.RaggedTensor.from_tensor(padded, padding=-1)
    assert ragged.row_lengths().numpy().tolist() == [2, 1, 1]
    run(kind, mode, arguments(**{name: ragged}, **others))


@pytest.mark.parametrize("kind, name", pairs(RAGGED_IDS))
def test_other_negative_ids_are_no_padding(kind, name):
    with pytest.raises(tf.errors.InvalidArgumentError, match="got -2 in row 0(?!:)"):
        call(
            kind,
            arguments(**{name: rc.ragged([[-2], [1], [2]]), "label_log_q": None} | no_log_q(name)),
        )


@pytest.mark.parametrize("mode", SHAPE_MODES)
@pytest.mark.parametrize("kind, name", pairs(RAGGED_IDS))
def test_first_bad_class_id_is_named_past_empty_rows(kind, name, mode):
    ids = rows_of([7, 0, 9], [0, 0, 0, 3])
    check(
        "nce" if kind == "softmax" else kind,
        mode,
        f"{name} .* got 7 in row 2",
        **{name: ids, "label_log_q": None, "candidate_log_q": None},
    )


@pytest.mark.parametrize("mode", SHAPE_MODES)
@pytest.mark.parametrize("dtype", [tf.int32, tf.int64], ids=lambda t: t.name)
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_dense_class_ids(kind, dtype, mode):
    labels = tf.constant([[0, 1], [2, 5], [3, 4]], dtype)
    message = r"labels must hold class ids in \[0, 5\), the rows of weights, got 5 in row 1"
    check(kind, mode, message, labels=labels, label_log_q=None)


@pytest.mark.parametrize("mode", SHAPE_MODES)
@pytest.mark.parametrize("kind", rc.KINDS)
def test_class_ids_of_shards(kind, mode):
    """The number of rows is that of all shards together."""
    shards = [tf.ones([3, 2]), tf.ones([0, 2]), tf.ones([1, 2])]
    message = r"candidates must hold class ids in \[0, 4\), the rows of weights, got 4 in row 0"
    candidates = rc.ragged([[1, 4], [], [0]])
    check(kind, mode, message, weights=shards, biases=None, candidates=candidates)


@pytest.mark.parametrize("mode", SHAPE_MODES)
@pytest.mark.parametrize("kind", rc.KINDS)
def test_ids_of_a_table_without_rows(kind, mode):
    check(
        kind,
        mode,
        r"must hold class ids in \[0, 0\)",
        weights=np.ones([0, 2], np.float32),
        biases=None,
    )


@pytest.mark.parametrize("mode", SHAPE_MODES)
def test_softmax_row_without_label(mode):
    message = "labels must hold at least one class in every row, got none in row 1"
    check("softmax", mode, message, labels=rc.ragged([[0], [], [1, 3]]), label_log_q=None)
    check(
        "softmax",
        mode,
        message.replace("row 1", "row 0"),
        labels=np.zeros([3, 0], np.int64),
        label_log_q=None,
    )


@pytest.mark.parametrize("mode", SHAPE_MODES)
def test_nce_row_without_label_is_fine(mode):
    values = arguments(labels=rc.ragged([[0], [], [1, 3]]), label_log_q=None)
    loss = run("nce", mode, values)
    assert np.isfinite(loss).all() and float(loss[1]) == 0  # no candidates either


@pytest.mark.parametrize("mode", SHAPE_MODES)
@pytest.mark.parametrize("depth", [0, 1, 3])
@pytest.mark.parametrize("kind", rc.KINDS)
def test_other_depth(kind, depth, mode):
    message = rf"inputs must have the depth of weights, 2, got shape \[3,{depth}\]"
    check(kind, mode, message, inputs=np.ones([3, depth], np.float32))


@pytest.mark.parametrize("mode", SHAPE_MODES)
@pytest.mark.parametrize("kind", rc.KINDS)
def test_other_depth_of_a_shard(kind, mode):
    message = r"weights\[1\] must have the depth of the first shard, 2, got shape \[2,3\]"
    check(kind, mode, message, weights=[tf.ones([3, 2]), tf.ones([2, 3])])


@pytest.mark.parametrize("mode", SHAPE_MODES)
@pytest.mark.parametrize(
    "shape, name, rank",
    [
        (shape, name, rank)
        for name, rank in (("inputs", 2), ("weights", 2), ("biases", 1))
        for shape in ([], [5], [3, 2], [3, 2, 1])
        if len(shape) != rank
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", rc.KINDS)
def test_rank(kind, shape, name, rank, mode):
    got = ",".join(rf"(?:{size}|\?)" for size in shape)  # "?" where the graph knows the rank only
    message = rf"{name} must have rank {rank}, got shape \[{got}\]"
    if (name, len(shape)) == ("inputs", 3) and kind != "logits":  # six rows of sequences
        message = (
            "inputs must have the depth of weights, 2, got|must have as many rows as inputs, 6"
        )
    check(kind, mode, message, **{name: np.ones(shape, np.float32)})


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name, rank", [("weights", 2), ("biases", 1)])
@pytest.mark.parametrize("kind", rc.KINDS)
def test_rank_of_a_variable(kind, name, rank, mode):
    variable = tf.Variable(tf.ones([5, 2, 1]), shape=tf.TensorShape(None))
    values = arguments()
    del values[name]

    def function(**values):
        return call(kind, values | {name: variable})

    with pytest.raises(ERRORS, match=rf"{name} must have rank {rank}, got shape \[5,2,1\]"):
        MODES[mode](function)(**values)


@pytest.mark.parametrize("mode", SHAPE_MODES)
@pytest.mark.parametrize("count", [0, 1, 4, 6])
@pytest.mark.parametrize("kind", rc.KINDS)
def test_number_of_biases(kind, count, mode):
    message = f"biases must have as many values as weights has rows, 5, got {count}"
    check(kind, mode, message, biases=np.ones([count], np.float32))


FLOATS = (tf.float32, tf.float64, tf.bfloat16, tf.float16)


@pytest.mark.parametrize("mode", SHAPE_MODES)
@pytest.mark.parametrize(
    "types",
    [(x, w) for x in FLOATS for w in FLOATS if (x, w) not in lc.TYPE_PAIRS],
    ids=lc.type_names,
)
@pytest.mark.parametrize("kind", rc.KINDS)
def test_types_of_weights_and_inputs(kind, types, mode):
    inputs, weights = types
    either = " or float32" if inputs in (tf.bfloat16, tf.float16) else ""
    message = (
        f"weights must be of type {inputs.name}{either} for inputs of type {inputs.name}, "
        f"got {weights.name}"
    )
    check(
        kind,
        mode,
        message,
        inputs=tf.ones([3, 2], inputs),
        weights=tf.ones([5, 2], weights),
        biases=tf.ones([5], weights),
    )


@pytest.mark.parametrize("mode", SHAPE_MODES)
@pytest.mark.parametrize("dtype", [tf.int32, tf.int64, tf.bool, tf.complex64], ids=lambda t: t.name)
@pytest.mark.parametrize("kind", rc.KINDS)
def test_type_of_inputs(kind, dtype, mode):
    message = f"inputs must be float32, float64, bfloat16 or float16, got {dtype.name}"
    check(kind, mode, message, inputs=tf.cast(tf.ones([3, 2]), dtype))


@pytest.mark.parametrize("mode", SHAPE_MODES)
@pytest.mark.parametrize("dtype", [tf.float64, tf.bfloat16, tf.int32], ids=lambda t: t.name)
@pytest.mark.parametrize("kind", rc.KINDS)
def test_type_of_biases(kind, dtype, mode):
    message = f"biases must be of type float32.*got {dtype.name}"
    check(kind, mode, message, biases=tf.ones([5], dtype))


@pytest.mark.parametrize("mode", SHAPE_MODES)
@pytest.mark.parametrize("kind", rc.KINDS)
def test_type_of_a_shard(kind, mode):
    shards = [tf.ones([3, 2]), tf.ones([2, 2], tf.float64)]
    check(kind, mode, r"weights\[1\] must be of type float32.*got float64", weights=shards)


@pytest.mark.parametrize("mode", SHAPE_MODES)
@pytest.mark.parametrize(
    "dtype", [tf.float32, tf.bool, tf.complex64, tf.string], ids=lambda t: t.name
)
@pytest.mark.parametrize("kind, name", pairs(RAGGED_IDS))
def test_type_of_ids(kind, name, dtype, mode):
    if name == "labels" and dtype.is_floating:
        return  # which are cast, as tf.nn casts them
    value = tf.as_string if dtype == tf.string else lambda x: tf.cast(x, dtype)
    types = "an integer or float type" if name == "labels" else "an integer type"
    message = f"{name} must be of {types}, got {dtype.name}"
    check(kind, mode, message, **{name: value(rc.ragged([[0], [1], [2]]))})
    check(kind, mode, message, **{name: value(tf.constant([[0], [1], [2]]))})


@pytest.mark.parametrize("mode", SHAPE_MODES)
@pytest.mark.parametrize("dtype", [tf.int32, tf.bool, tf.string], ids=lambda t: t.name)
@pytest.mark.parametrize("name", ["label_log_q", "candidate_log_q"])
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_type_of_log_q(kind, name, dtype, mode):
    value = tf.as_string if dtype == tf.string else lambda x: tf.cast(x, dtype)
    message = f"{name} must be a float type, got {dtype.name}"
    check(kind, mode, message, **{name: value(rc.ragged([[0], [1], [2]]))})


LOG_Q = {"label_log_q": ("labels", [0, 1, 3, 4]), "candidate_log_q": ("candidates", [0, 2, 2, 3])}


@pytest.mark.parametrize("mode", SHAPE_MODES)
@pytest.mark.parametrize("name", LOG_Q)
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_log_q_of_other_splits(kind, name, mode):
    ids, splits = LOG_Q[name]
    count = splits[-1]
    fewer = rows_of([0] * count, [*splits[:-2], count], tf.float32)
    message = f"{name} must have as many rows as {ids}, 3, got 2"
    check(kind, mode, message, **{name: fewer})
    other = rows_of([0] * count, [0, 0, *splits[2:]], tf.float32)
    message = f"{name} must have the row splits of {ids}, expected {splits[1]} at position 1, got 0"
    check(kind, mode, message, **{name: other})
    longer = rows_of([0] * (count + 1), [*splits[:-1], count + 1], tf.float32)
    message = f"{name} must have the row splits of {ids}, expected {count} at position 3"
    check(kind, mode, message + f", got {count + 1}", **{name: longer})
    lying = rows_of([0] * (count + 1), splits, tf.float32)
    message = f"{name} must have one value for each of {ids}, {count}, got {count + 1}"
    check(kind, mode, message, **{name: lying})
    missing = rows_of([0] * (count - 1), splits, tf.float32)
    message = f"{name} must have one value for each of {ids}, {count}, got {count - 1}"
    check(kind, mode, message, **{name: missing})


@pytest.mark.parametrize("mode", SHAPE_MODES)
@pytest.mark.parametrize("shape", [[2], [4], [3, 2], [3, 1]], ids=str)
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_dense_log_q_of_other_shape(kind, shape, mode):
    unknown_dims = mode == "unknown_shapes"
    if unknown_dims and len(shape) == 1:
        message = f"label_log_q must have as many rows as labels, 3, got {shape[0]}"
    else:
        labels, got = (r"\(None,\)", "") if unknown_dims else (r"\(3,\)", f", got .*{shape[0]},")
        message = f"label_log_q must have the shape of the ids it goes with, {labels}{got}"
    check(kind, mode, message, labels=np.array([1, 2, 3]), label_log_q=np.zeros(shape, np.float32))


@pytest.mark.parametrize("mode", SHAPE_MODES)
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_dense_candidate_log_q_of_other_shape(kind, mode):
    check(
        kind,
        mode,
        "candidate_log_q must have the .* candidates|candidate_log_q must have the shape",
        candidates=np.array([[0, 1], [2, 3], [3, 4]]),
        candidate_log_q=np.zeros([3, 1], np.float32),
    )


@pytest.mark.parametrize("mode", SHAPE_MODES)
@pytest.mark.parametrize("kind, name", pairs(RAGGED_IDS))
def test_rank_of_ids(kind, name, mode):
    expected = re.escape(
        "[B], [B, n] or ragged [B, None]" if name == "labels" else "ragged [B, None] or [B, n]"
    )
    check(
        kind,
        mode,
        f"{name} must have shape {expected}, got ",
        **{name: np.zeros([3, 1, 1], np.int64)},
    )
    check(kind, mode, f"{name} must have shape {expected}, got ", **{name: np.zeros([], np.int64)})


@pytest.mark.parametrize("kind, name", pairs(RAGGED_IDS))
def test_more_than_one_ragged_dimension(kind, name):
    message = rf"{name} must have one ragged dimension, shape \[B, None\], got \(3, None, None\)"
    for ids in (
        tf.ragged.constant([[[0]], [[1]], [[2]]], ragged_rank=2),
        tf.RaggedTensor.from_row_splits([[0], [1], [2]], [0, 1, 2, 3]),
    ):
        with pytest.raises(ValueError, match=message.replace(r"None, None\)", "None")):
            call(kind, arguments(**{name: ids}))


@pytest.mark.parametrize("kind", rc.KINDS)
def test_candidates_of_rank_1(kind):
    with pytest.raises(ValueError, match="candidates must have shape ragged .*got"):
        call(kind, arguments(candidates=[0, 1, 2], candidate_log_q=None))


@pytest.mark.parametrize("kind", rc.KINDS)
@pytest.mark.parametrize("name", ["weights", "biases"])
def test_no_shards(kind, name):
    with pytest.raises(ValueError, match=f"{name} must hold at least one shard, got an empty list"):
        call(kind, arguments(**{name: []}))


@pytest.mark.parametrize("kind", rc.KINDS)
def test_weights_missing(kind):
    with pytest.raises((ValueError, TypeError), match="weights"):
        call(kind, arguments(weights=None))


@pytest.mark.parametrize("name", ["weights", "biases"])
@pytest.mark.parametrize("kind", rc.KINDS)
def test_variable_that_is_not_initialized(kind, name):
    variable = tf.ones([5, 2]) if name == "weights" else tf.ones([5])
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        value = call(kind, arguments(**{name: tf.Variable(variable.numpy())}))
        errors = (tf.errors.FailedPreconditionError, tf.errors.NotFoundError)
        with pytest.raises(errors, match=f"{name} is a variable that is not initialized"):
            session.run(value)


@pytest.mark.parametrize("kind", lc.LOSSES)
def test_remove_accidental_hits_is_a_python_bool(kind):
    with pytest.raises((TypeError, ValueError), match="remove_accidental_hits"):
        call(kind, arguments(remove_accidental_hits="no"))
    np.testing.assert_array_equal(
        call(kind, arguments(remove_accidental_hits=np.False_)),
        call(kind, arguments(remove_accidental_hits=False)),
    )


@pytest.mark.parametrize("mode", SHAPE_MODES)
@pytest.mark.parametrize("kind", rc.KINDS)
def test_no_rows_at_all(kind, mode):
    values = arguments(
        inputs=np.ones([0, 2], np.float32),
        labels=rows_of([], [0]),
        candidates=rows_of([], [0]),
        label_log_q=None,
        candidate_log_q=None,
    )
    assert run(kind, mode, values).shape == [0]


@pytest.mark.parametrize("mode", SHAPE_MODES)
@pytest.mark.parametrize("kind", rc.KINDS)
def test_nan_in_inputs_propagates(kind, mode):
    inputs = np.ones([3, 2], np.float32)
    inputs[0, 1] = np.nan
    value = run(kind, mode, arguments(inputs=inputs)).numpy()
    wanted = [True, True, False] if kind == "logits" else [True, False, False]
    np.testing.assert_array_equal(np.isnan(value), wanted)


@pytest.mark.parametrize("kind", rc.KINDS)
def test_an_error_leaves_variables_usable(kind):
    """The locks are released on every way out."""
    weights = tf.Variable(tf.ones([5, 2]))
    bad = arguments(weights=weights, candidates=rc.ragged([[9], [], [0]]), candidate_log_q=None)
    for _ in range(3):
        with pytest.raises(tf.errors.InvalidArgumentError):
            call(kind, bad)
        weights.assign_add(tf.ones([5, 2]))
    assert float(weights[0, 0]) == 4


@pytest.mark.parametrize("kind", rc.KINDS)
def test_values_given_as_a_list_are_taken_as_shards(kind):
    with pytest.raises(ValueError, match="biases is a list, so its shards must have rank 1, got"):
        call(kind, arguments(biases=[0.0, 0.0, 0.0, 0.0, 0.0]))


@pytest.mark.parametrize("short", ["weight_rows", "bias_rows"])
def test_gradient_op_needs_a_row_of_both_tables_for_each_class(short):
    """A graph can hand the op tables that differ: no gradient may get lost."""
    ones = np.ones([2, 2], np.float32)
    rows = {"weight_rows": [5], "bias_rows": [5]}
    arguments = {
        "grad": ones[0],
        "inputs": ones,
        "labels": [0, 1],
        "label_splits": [0, 1, 2],
        "candidates": [2, 3],
        "candidate_splits": [0, 1, 2],
        "label_logit_grad": ones[0],
        "candidate_logit_grad": ones[0],
        "unscaled_inputs_grad": ones,
        "rows": np.zeros([0, 2], np.float32),
        "num_weights": 1,
        "num_biases": 1,
        "Tshape": tf.int32,
    }
    gradient = ops.candsamp_ragged_loss_grad
    assert gradient(**arguments, **rows).bias_indices[0].numpy().tolist() == [0, 1, 2, 3]
    message = r"candidates must hold class ids in \[0, 3\), the rows of weights, got 3 in row 1"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        gradient(**arguments, **(rows | {short: [3]}))


def test_gradient_ops_need_the_rows_that_were_normalized():
    """Four distinct classes, or a table of all up to the largest."""
    ones = np.ones([2, 2], np.float32)
    common = {
        "inputs": ones,
        "candidates": [2, 3],
        "candidate_splits": [0, 1, 2],
        "weight_rows": [5],
        "bias_rows": [5],
        "num_weights": 1,
        "num_biases": 1,
        "Tshape": tf.int32,
        "normalize": True,
    }
    of_loss = {
        "grad": ones[0],
        "labels": [0, 1],
        "label_splits": [0, 1, 2],
        "label_logit_grad": ones[0],
        "candidate_logit_grad": ones[0],
        "unscaled_inputs_grad": ones,
    }
    gradient = ops.candsamp_ragged_loss_grad
    result = gradient(rows=np.ones([4, 2], np.float32), **of_loss, **common)
    assert result.weight_values[0].shape == [4, 2]
    for count in (0, 1, 3):
        with pytest.raises(tf.errors.InvalidArgumentError, match="rows must hold the rows of 4"):
            gradient(rows=np.ones([count, 2], np.float32), **of_loss, **common)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"rows must have shape \[\?, 2\]"):
        gradient(rows=np.ones([4, 3], np.float32), **of_loss, **common)

    of_logits = {"grad": ones[0], "slopes": ones[0], "logit_softcap": 2.0}
    gradient = ops.candsamp_ragged_candidate_logits_grad
    kept = {"rows": [ones], "row_ids": [0, 1]}
    assert gradient(**kept, **of_logits, **common).weight_values[0].shape == [2, 2]
    with pytest.raises(tf.errors.InvalidArgumentError, match="rows must hold the rows of 2"):
        gradient(rows=[ones[:1]], row_ids=[0, 0], **of_logits, **common)
    with pytest.raises(tf.errors.InvalidArgumentError, match="slopes must have shape"):
        gradient(**kept, **(of_logits | {"slopes": ones[0, :1]}), **common)
