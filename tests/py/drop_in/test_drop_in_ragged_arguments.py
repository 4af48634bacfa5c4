# SPDX-License-Identifier: Apache-2.0
"""Ragged arguments in every form that Python users have ragged data in.

Whatever the form, results have the bits of the call with ragged tensors of int64 and float32.
"""

import loss_cases as lc
import numpy as np
import pytest
import ragged_cases as rc
import sampler_cases as spc
import tensorflow as tf
from calls import MODES, in_mode, refused
from ragged_forms import CASE, INPUTS, ROWS, WEIGHTS, assert_same, dtype_of, logits_of, loss, ragged

import tf_candsamp as tfcs

V1 = tf.compat.v1

modes = pytest.mark.parametrize("mode", MODES)


def objects(rows):
    """An array of objects, even of rows of one length."""
    array = np.empty(len(rows), object)
    array[:] = rows
    return array


def sparse(name, make=tf.SparseTensor):
    """Every second column is empty."""
    rows = ROWS[name]
    indices = [[i, 2 * k] for i, row in enumerate(rows) for k in range(len(row))]
    values = np.concatenate(rows).astype(dtype_of(name).as_numpy_dtype)
    return make(np.array(indices, np.int64), values, np.array([len(rows), 20], np.int64))


def arrays(name):
    return [row.astype(dtype_of(name).as_numpy_dtype) for row in ROWS[name]]


FORMS = {
    "lists": lambda name: [row.tolist() for row in arrays(name)],
    "tuples": lambda name: tuple(tuple(row.tolist()) for row in arrays(name)),
    "arrays": arrays,
    "object array of arrays": lambda name: objects(arrays(name)),
    "object array of lists": lambda name: objects([row.tolist() for row in arrays(name)]),
    "object arrays": lambda name: [row.astype(object) for row in arrays(name)],
    "tensors": lambda name: [tf.constant(row) for row in arrays(name)],
    "variables": lambda name: [tf.Variable(row) for row in arrays(name)],
    "lists of tensors": lambda name: [[tf.constant(x) for x in row] for row in arrays(name)],
    "tensors and others": lambda name: [
        form(row)
        for form, row in zip(
            [tf.constant, list, np.array, tuple, tf.constant], arrays(name), strict=True
        )
    ],
    "ragged of int32 splits": lambda name: ragged(name, tf.int32),
    "RaggedTensorValue": lambda name: V1.ragged.RaggedTensorValue(
        *[part.numpy() for part in (ragged(name).values, ragged(name).row_splits)]
    ),
    "RaggedTensorValue of int32 splits": lambda name: V1.ragged.RaggedTensorValue(
        ragged(name).values.numpy(), ragged(name, tf.int32).row_splits.numpy()
    ),
    "SparseTensor": sparse,
    "SparseTensorValue": lambda name: sparse(name, V1.SparseTensorValue),
}


@pytest.fixture(scope="module")
def wanted():
    return {kind: loss(kind) for kind in lc.LOSSES}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ROWS)
def test_forms_of_each_argument(name, form, wanted):
    assert_same(loss(**{name: FORMS[form](name)}), wanted["softmax"])


@modes
@pytest.mark.parametrize("form", FORMS)
def test_forms_of_all_arguments(form, mode, wanted):
    values = {name: FORMS[form](name) for name in ROWS}
    assert_same(in_mode(mode, lambda: loss("nce", **values)), wanted["nce"])


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_true_classes(form):
    samples = []
    for labels in (FORMS[form]("labels"), ragged("labels")):
        sampler = tfcs.UniformSampler(9, seed=1)
        samples.append(sampler.sample_ragged([3] * 5, labels, exclude_true=True))
    spc.assert_same(*samples)


@modes
def test_ranges(mode):
    rows = [range(2), range(0), range(3, 9, 2), [4], np.arange(2)]
    want = rc.ragged([list(row) for row in rows])
    logits = in_mode(mode, lambda: tfcs.ragged_candidate_logits(WEIGHTS, None, INPUTS, rows))
    expected = tfcs.ragged_candidate_logits(WEIGHTS, None, INPUTS, want)
    assert_same([logits.values, logits.row_splits], [expected.values, expected.row_splits])
    plain = {"label_log_q": None, "labels": tf.range(5)}
    assert_same(in_mode(mode, lambda: loss(**plain | {"labels": range(5)})), loss(**plain))


@pytest.mark.parametrize("composite", [False, True], ids=["parts", "whole"])
@pytest.mark.parametrize("name", ROWS)
def test_symbolic_rows_of_a_function(name, composite, wanted):
    """Rows whose lengths nobody knows, in a list, or in a sparse tensor."""
    spec = tf.TensorSpec([None], dtype_of(name))
    if composite:
        call = tf.function(lambda rows: loss(**{name: rows}))
        return assert_same(call(sparse(name)), wanted["softmax"])
    call = tf.function(lambda *rows: loss(**{name: rows}), input_signature=[spec] * 5)
    assert_same(call(*[tf.constant(row) for row in arrays(name)]), wanted["softmax"])
    return None


@modes
def test_scalars_make_a_vector(mode):
    """A list of tensors without a dimension is [B], not rows."""
    labels = tf.constant([3, 1, 4, 1, 5])

    def call(labels):
        scalars = tf.unstack(labels, 5)
        return loss(labels=scalars, label_log_q=[*map(tf.zeros_like, map(to_float, scalars))])

    want = loss(labels=labels, label_log_q=tf.zeros([5]))
    assert_same(in_mode(mode, call, labels), want)
    want = loss(labels=labels, label_log_q=None)
    scalars = [np.int8(x) for x in (3, 1, 4, 1, 5)]
    assert_same(in_mode(mode, lambda: loss(labels=scalars, label_log_q=None)), want)
    assert_same(in_mode(mode, lambda: loss(labels=objects(scalars), label_log_q=None)), want)


def to_float(x):
    return tf.cast(x, tf.float32)


def test_whole_numbers_are_log_q_if_python_has_them():
    for zeros in (
        [[0] * len(row) for row in CASE.candidates],
        tf.zeros_like(ragged("label_log_q")),
    ):
        name = "candidate_log_q" if isinstance(zeros, list) else "label_log_q"
        assert_same(loss(**{name: zeros}), loss(**{name: None}))


@pytest.mark.parametrize("labels", [tf.int32, tf.int64], ids=lambda t: t.name)
@pytest.mark.parametrize("candidates", [tf.int32, tf.int64], ids=lambda t: t.name)
def test_types_of_row_splits_may_differ(labels, candidates, wanted):
    arguments = {
        "labels": ragged("labels", labels),
        "label_log_q": ragged("label_log_q", candidates),
        "candidates": ragged("candidates", candidates),
        "candidate_log_q": ragged("candidate_log_q", labels),
    }
    for mode in MODES:
        function = lambda **arguments: loss(**arguments)  # noqa: E731
        function = MODES[mode](function)
        assert_same(function(**arguments), wanted["softmax"])
        logits = in_mode(mode, logits_of, arguments["candidates"])
        assert logits.row_splits.dtype == candidates
        assert_same([logits.values], [logits_of(ragged("candidates")).values])
    assert logits_of(arguments["candidates"]).row_splits is arguments["candidates"].row_splits


@pytest.mark.parametrize("form", FORMS)
def test_logits_have_the_rows_of_the_candidates(form):
    value, want = FORMS[form]("candidates"), logits_of(ragged("candidates"))
    got = logits_of(value)
    assert_same([got.values, got.row_splits], [want.values, want.row_splits])
    narrow = "int32" in form
    assert got.row_splits.dtype == (tf.int32 if narrow else tf.int64)


def test_values_of_a_session():
    """What TensorFlow 1 feeds and fetches."""
    labels = FORMS["SparseTensorValue"]("labels")
    candidates = FORMS["RaggedTensorValue"]("candidates")
    weights, inputs = CASE.weights, CASE.inputs
    with tf.Graph().as_default(), V1.Session() as session:
        fed = V1.sparse_placeholder(tf.int64), V1.ragged.placeholder(tf.int64, 1)
        losses = tfcs.ragged_nce_loss(weights, None, fed[0], inputs, fed[1])
        fetched = session.run(losses, dict(zip(fed, (labels, candidates), strict=True)))
        again = tfcs.ragged_nce_loss(weights, None, labels, inputs, candidates)
        np.testing.assert_array_equal(session.run(again), fetched)
    want = tfcs.ragged_nce_loss(weights, None, ragged("labels"), inputs, ragged("candidates"))
    np.testing.assert_array_equal(fetched, want)


# Sparse tensors.


UNORDERED = {
    "rows": ([[0, 0], [2, 0], [1, 0], [3, 0]], [5, 4]),
    "negative row": ([[-1, 0], [1, 0], [2, 0], [3, 0]], [5, 4]),
    "row beyond the last": ([[0, 0], [1, 0], [2, 0], [5, 0]], [5, 4]),
    "no rows": ([[0, 0], [0, 1], [0, 2], [0, 3]], [0, 4]),
}


@modes
@pytest.mark.parametrize("name", UNORDERED)
def test_unordered_sparse_tensors(name, mode):
    indices, shape = UNORDERED[name]
    value = tf.SparseTensor(indices, tf.constant([1, 2, 3, 4]), shape)
    message = "candidates is sparse: its indices must be in order of rows.*tf.sparse.reorder"
    if name == "no rows":
        message = "candidates: row splits must"
    refused(message, in_mode, mode, logits_of, value, errors=tf.errors.InvalidArgumentError)


def test_reordering_is_the_cure():
    value = tf.SparseTensor([[0, 1], [4, 0], [0, 0]], tf.constant([1, 2, 3]), [5, 2])
    logits = logits_of(tf.sparse.reorder(value))
    assert_same([logits.values], [logits_of(rc.ragged([[3, 1], [], [], [], [2]])).values])


@modes
def test_rank_of_sparse_tensors(mode):
    for shape in ([5], [5, 1, 1]):
        value = tf.SparseTensor([[0] * len(shape)], tf.constant([1]), shape)
        message = r"candidates must have shape \[B, n\] if it is sparse, got"
        refused(message, in_mode, mode, logits_of, value)
        if mode == "function":
            spec = [tf.SparseTensorSpec(None, tf.int32)]
            refused(message + " rank", tf.function(logits_of, input_signature=spec), value)


def test_sparse_tensors_of_unknown_shape(wanted):
    call = tf.function(
        lambda labels: loss(labels=labels), input_signature=[tf.SparseTensorSpec(None, tf.int64)]
    )
    assert_same(call(sparse("labels")), wanted["softmax"])


# What has no meaning.


@pytest.mark.parametrize("name", ROWS)
def test_more_than_one_ragged_dimension(name):
    value = tf.ragged.constant([[[0]], [[1]], [[2]]], dtype_of(name), ragged_rank=2)
    inner = tf.RaggedTensor.from_row_splits([[0], [1], [2]], [0, 1, 2, 3])
    numbers = V1.ragged.constant_value([[[0]], [[1]], [[2]]])
    for bad in (value, inner, numbers):
        message = rf"{name} must have one ragged dimension, shape \[B, None\], got \(3, None, "
        refused(message, lambda bad=bad: loss(**{name: bad}), errors=ValueError)


BAD_LISTS = {
    "a row within a row": ([[1], [[2]], [3]], r"\[1\] must have rank 1.* got shape \(1, 1\)"),
    "a matrix": ([[1], tf.constant([[2]]), [3]], r"\[1\] must have rank 1.* got shape \(1, 1\)"),
    "a number among rows": ([1, [2], [3]], r"\[0\] must have rank 1.* got shape \(\)"),
    "uneven rows within a row": ([[[1], [2, 3]], [1]], r"\[0\] must be a tensor or convertible"),
    "None": (None, " must be a tensor or convertible to one: .*None"),
    "None in a row": ([[1], [None]], r"\[1\] must be a tensor or convertible to one: .*None"),
    "bools": ([[1], [True]], r"\[1\] must be .* type, got bool"),
    "strings": ([["1"], ["2"]], r"\[0\] must be .* type, got string"),
    "dates": (
        [np.array(["2020-01-01"], "datetime64[D]")],
        r"\[0\] must be a tensor or convertible",
    ),
    "integers of 65 bits": ([[2**64]], r"\[0\] must be .*range"),
    "ragged rows": ([tf.ragged.constant([[1]])], r"\[0\] must be a dense tensor, got a Ragged"),
    "sparse rows": ([tf.sparse.from_dense([1])], r"\[0\] must be a dense tensor, got a SparseT"),
}


@pytest.mark.parametrize("what", BAD_LISTS)
@pytest.mark.parametrize("name", ["labels", "candidates"])
def test_lists_that_are_no_rows(name, what):
    value, message = BAD_LISTS[what]
    errors = (TypeError, ValueError)
    refused(name + message, lambda: loss(**{name: value}), errors=errors)


@pytest.mark.parametrize("name", ["label_log_q", "candidate_log_q"])
def test_types_of_lists_of_log_q(name):
    for row, dtype in ((np.array([1]), "int64"), (["1"], "string"), ([True], "bool")):
        message = rf"{name}\[0\] must be a float type, got {dtype}"
        refused(message, lambda row=row: loss(**{name: [row]}), errors=TypeError)


@pytest.mark.parametrize(
    "inputs, cure",
    [
        (tf.ragged.constant([[[1.0, 1.0, 1.0]]], ragged_rank=1), r"inputs\.flat_values"),
        (tf.sparse.from_dense([[1.0, 1.0, 1.0]]), r"tf\.sparse\.to_dense\(inputs\)"),
    ],
    ids=["ragged", "sparse"],
)
@modes
def test_inputs_that_are_not_dense(inputs, cure, mode):
    message = f"inputs must be a dense tensor, got a {type(inputs).__name__}: use .*{cure}"
    for kind in rc.KINDS:

        def call(inputs, kind=kind):
            options = {} if kind == "logits" else {"labels": [1]}
            value = rc.FUNCTIONS[kind](WEIGHTS, None, inputs=inputs, candidates=[[1]], **options)
            return value.flat_values if kind == "logits" else value

        refused(message, in_mode, mode, call, inputs, errors=TypeError)
