# SPDX-License-Identifier: Apache-2.0
"""Losses with shared candidates: values and gradients against tf.nn, NumPy and differences.

tf.nn's float32 errors are the measure: ours may be a little larger than what tf.nn's is beside the
exact result, never much.
"""

import dataclasses
import functools

import loss_cases as lc
import numpy as np
import pytest
import sampled_cases as sc
import tensorflow as tf
import tiling
from calls import MODES
from tf_nn import TF, TF_V1, assert_as_exact_as_tf, result_of
from tiling import COLUMN_BLOCK

import tf_candsamp as tfcs

TYPES = [tf.float32, tf.float64]


def hits_case(num_true, unique, dtype):
    """Ten in twenty-three classes are candidates: nearly every row has a hit."""
    return sc.random_case(
        num_true, rows=6, classes=23, depth=4, num_true=num_true, num_sampled=10, unique=unique
    ).rounded(dtype)


@functools.cache
def of_tf_nn(kind, dtype, num_true, hits, unique, shards, strategy):
    """The case, tf.nn's result for it, and what is exact. Tests do not change them."""
    case = hits_case(num_true, unique, dtype)
    case.remove_accidental_hits = hits
    options = {"partition_strategy": strategy} if strategy == "mod" else {}
    function = (TF_V1 if strategy == "mod" else TF)[kind]
    result = result_of(function, kind, case, dtype, shards, strategy, **options)
    return case, result, lc.expected(kind, case)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shards, strategy", [(1, "div"), (2, "div"), (3, "div"), (3, "mod")])
@pytest.mark.parametrize("hits, unique", [(False, True), (False, False), (True, True)])
@pytest.mark.parametrize("num_true", [1, 2, 3])
@pytest.mark.parametrize("dtype", TYPES, ids=lambda t: t.name)
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_agrees_with_tf_nn(kind, dtype, num_true, hits, unique, shards, strategy, mode):
    """hits: whether they are removed. tf.nn cannot do that where a candidate repeats."""
    case, result, exact = of_tf_nn(kind, dtype, num_true, hits, unique, shards, strategy)
    options = {"partition_strategy": strategy} if strategy == "mod" else {}
    ours = result_of(sc.FUNCTIONS[kind], kind, case, dtype, shards, strategy, mode, **options)
    assert_as_exact_as_tf(ours, result, exact, dtype)


SHAPES = {
    "deep": {"rows": 30, "depth": 256, "num_sampled": 300, "classes": 1000, "scale": 0.2},
    "wide": {"rows": 70, "depth": 20, "num_sampled": 900, "classes": 3000, "num_true": 4},
    "tall": {"rows": 700, "depth": 7, "num_sampled": 9, "classes": 20},
    "repeats": {"rows": 40, "num_sampled": 500, "classes": 30, "unique": False},
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", TYPES, ids=lambda t: t.name)
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_as_exact_as_tf_nn(kind, dtype, shape):
    case = sc.random_case(2, **SHAPES[shape], remove_accidental_hits=False).rounded(dtype)
    assert_as_exact_as_tf(
        result_of(sc.FUNCTIONS[kind], kind, case, dtype),
        result_of(TF[kind], kind, case, dtype),
        lc.expected(kind, case),
        dtype,
        # A bias sums the rows of a block one after the other before it goes on in double.
        floor=12 if shape == "tall" else 4,
    )


@pytest.mark.parametrize("remove", [False, True])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_default_candidates_are_those_of_tensorflow(kind, mode, remove):
    """The same ids, from the same seeds; core rounds the expected counts in another way."""
    case = hits_case(2, True, tf.float32)
    labels = tf.constant(case.labels)
    losses = []
    for sampler in (
        None,
        tfcs.log_uniform_candidate_sampler,
        tf.random.log_uniform_candidate_sampler,
    ):
        tf.random.set_seed(7)

        def step(sampler=sampler):
            values = None if sampler is None else sampler(labels, 2, 10, True, 23, seed=3)
            return sc.FUNCTIONS[kind](
                tf.constant(case.weights, tf.float32),
                tf.constant(case.biases, tf.float32),
                labels,
                tf.constant(case.inputs, tf.float32),
                **case.sizes(),
                sampled_values=values,
                remove_accidental_hits=remove,
                seed=3 if sampler is None else None,
            )

        draw = MODES[mode](step)
        losses.append([draw().numpy() for _ in range(3)])
    np.testing.assert_array_equal(*losses[:2])
    np.testing.assert_allclose(losses[0], losses[2], rtol=2e-6)
    assert not np.array_equal(losses[0][0], losses[0][1])


@pytest.mark.parametrize("mode", MODES)
def test_default_sampler_is_that_of_tf_nn(mode):
    case = hits_case(2, True, tf.float32)
    results = []
    for function in (tfcs.sampled_softmax_loss, tf.nn.sampled_softmax_loss):
        tf.random.set_seed(7)
        results.append(
            result_of(function, "softmax", case, tf.float32, mode=mode, sampled_values=None, seed=3)
        )
    lc.assert_result(*results, 8 * lc.EPSILON[tf.float32])


def test_default_sampler_of_nce_without_an_op_seed():
    case = hits_case(2, True, tf.float32)
    results = []
    for function in (tfcs.nce_loss, tf.nn.nce_loss):
        tf.random.set_seed(7)
        results.append(result_of(function, "nce", case, tf.float32, sampled_values=None))
    lc.assert_result(*results, 8 * lc.EPSILON[tf.float32])


def test_arguments_are_in_tf_nns_order_with_its_defaults():
    case = hits_case(1, True, tf.float32)
    tables = [tf.constant(x, tf.float32) for x in (case.weights, case.biases)]
    inputs = tf.constant(case.inputs, tf.float32)
    positional = (*tables, tf.constant(case.labels), inputs, 10, 23, 1, case.sampled_values())
    for kind in lc.LOSSES:
        want = TF[kind](*positional)
        np.testing.assert_allclose(sc.FUNCTIONS[kind](*positional), want, rtol=1e-5)
        for remove in (False, True):
            last = (remove, 5, "name") if kind == "softmax" else (remove, "name")
            np.testing.assert_allclose(
                sc.FUNCTIONS[kind](*positional, *last), TF[kind](*positional, *last), rtol=1e-5
            )


# What tf.nn refuses or gets wrong: against NumPy.


@pytest.mark.parametrize("remove", [False, True])
@pytest.mark.parametrize("unique", [False, True])
@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("num_true", [1, 2, 9])
@pytest.mark.parametrize("dtype", TYPES, ids=lambda t: t.name)
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_agrees_with_reference(kind, dtype, num_true, biases, unique, remove):
    case = sc.random_case(
        3,
        classes=25,
        num_true=num_true,
        biases=biases,
        unique=unique,
        remove_accidental_hits=remove,
    ).rounded(dtype)
    lc.assert_result(
        lc.evaluate(kind, case, dtype), lc.expected(kind, case), 12 * lc.EPSILON[dtype]
    )


@pytest.mark.parametrize("kind", lc.LOSSES)
def test_every_repeat_of_a_hit_is_dropped(kind):
    case = sc.random_case(4, rows=3, num_true=2, num_sampled=8).rounded(tf.float64)
    case.labels[:, 0], case.labels[:, 1] = [1, 2, 3], 40
    case.sampled[:] = [1, 5, 1, 3, 1, 3, 7, 1]
    lc.assert_result(
        lc.evaluate(kind, case, tf.float64),
        lc.expected(kind, case),
        8 * lc.EPSILON[tf.float64],
    )
    without = dataclasses.replace(
        case,
        sampled=case.sampled[[1, 3, 5, 6]],
        sampled_expected_count=case.sampled_expected_count[[1, 3, 5, 6]],
    )
    first = lc.evaluate(kind, case, tf.float64).value[0]
    assert first == pytest.approx(lc.evaluate(kind, without, tf.float64).value[0], rel=1e-14)


@pytest.mark.parametrize("kind", lc.LOSSES)
def test_all_candidates_dropped(kind):
    case = sc.random_case(5, num_true=1, num_sampled=30).rounded(tf.float64)
    case.labels[:], case.sampled[:] = 3, 3
    actual = lc.evaluate(kind, case, tf.float64)
    lc.assert_result(actual, lc.expected(kind, case), 8 * lc.EPSILON[tf.float64])
    if kind == "softmax":
        np.testing.assert_array_equal(actual.value, 0)
        np.testing.assert_array_equal(actual.gradients.weights, 0)


@pytest.mark.parametrize("kind", lc.LOSSES)
def test_default_sampler_in_float64(kind):
    case = hits_case(2, True, tf.float64)
    arguments = (case.weights, case.biases, case.labels, case.inputs)
    tf.random.set_seed(1)
    got = sc.FUNCTIONS[kind](*arguments, **case.sizes(), seed=2)
    tf.random.set_seed(1)
    values = tfcs.log_uniform_candidate_sampler(case.labels, 2, 10, True, 23, seed=2)
    want, _ = sc._REFERENCES[kind](*arguments, [value.numpy() for value in values])
    assert got.dtype == tf.float64
    np.testing.assert_allclose(got, want, rtol=1e-14)


FORMS = {
    "list": lambda ids: ids.tolist(),
    "tuple": lambda ids: tuple(map(tuple, ids)),
    "numpy": lambda ids: ids,
    "numpy_int32": lambda ids: ids.astype(np.int32),
    "int32": lambda ids: tf.constant(ids, tf.int32),
    "variable": tf.Variable,
}


@pytest.mark.parametrize("sampler", ["given", "default"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_forms_of_labels(kind, form, sampler):
    case = hits_case(2, True, tf.float32)
    losses = []
    for labels in (tf.constant(case.labels), FORMS[form](case.labels)):
        tf.random.set_seed(1)
        values = case.sampled_values() if sampler == "given" else None
        losses.append(
            sc.FUNCTIONS[kind](
                tf.constant(case.weights, tf.float32),
                None,
                labels,
                tf.constant(case.inputs, tf.float32),
                **case.sizes(),
                sampled_values=values,
            )
        )
    np.testing.assert_array_equal(*losses)


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16, tf.float32, tf.float64], ids=str)
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_sampled_values_in_other_types(kind, dtype):
    """int32 ids, counts of any float type, or lists of numbers."""
    case = dataclasses.replace(
        hits_case(2, True, tf.float32),
        true_expected_count=np.arange(1, 13).reshape(6, 2) / 8,
        sampled_expected_count=np.arange(1, 11) / 16,
    )
    tables = [tf.constant(x, tf.float32) for x in (case.weights, case.biases)]
    inputs = tf.constant(case.inputs, tf.float32)
    counts = (case.true_expected_count, case.sampled_expected_count)
    want = case.apply(kind, *tables, inputs)
    for sampled_values in (
        (tf.constant(case.sampled, tf.int32), *(tf.constant(c, dtype) for c in counts)),
        [case.sampled.tolist(), *(c.tolist() for c in counts)],
        tfcs.CandidateSample(case.sampled, *counts),
    ):
        loss = sc.FUNCTIONS[kind](
            *tables,
            case.labels,
            inputs,
            **case.sizes(),
            sampled_values=sampled_values,
            remove_accidental_hits=True,
        )
        np.testing.assert_array_equal(loss, want)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "true_shape, sampled_shape", [([6, 1], [10]), ([1, 2], [10]), ([2], [1]), ([], []), ([1], [])]
)
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_expected_counts_broadcast(kind, true_shape, sampled_shape, mode):
    case = hits_case(2, True, tf.float64)
    rng = np.random.default_rng(0)
    true, sampled = (np.exp(rng.normal(size=shape)) for shape in (true_shape, sampled_shape))
    values = (case.sampled, tf.constant(true), tf.constant(sampled))
    actual = result_of(sc.FUNCTIONS[kind], kind, case, tf.float64, mode=mode, sampled_values=values)
    full = dataclasses.replace(
        case,
        true_expected_count=np.broadcast_to(true, [6, 2]),
        sampled_expected_count=np.broadcast_to(sampled, [10]),
    )
    lc.assert_result(actual, lc.expected(kind, full), 8 * lc.EPSILON[tf.float64])


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("remove", [False, True])
@pytest.mark.parametrize("unique", [False, True])
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_numeric_gradients(kind, unique, remove, recompute):
    case = sc.random_case(
        6,
        rows=3,
        classes=6,
        depth=3,
        num_sampled=5,
        unique=unique,
        remove_accidental_hits=remove,
        recompute=recompute,
    ).rounded(tf.float64)
    analytic, numeric = tf.test.compute_gradient(
        lambda *tables: case.apply(kind, *tables),
        [tf.constant(x) for x in (case.weights, case.biases, case.inputs)],
        delta=1e-5,
    )
    for got, want in zip(analytic, numeric, strict=True):
        assert np.abs(want).max() > 0.01
        np.testing.assert_allclose(got, want, rtol=0, atol=3e-10)


_SMALL_ROWS = tiling.row_block(1)
_DEEP = tiling.DEPTH_OF_LARGE_PANELS + 1
# B, S and D around the sizes of blocks and panels. Where classes are 300, a block has repeats.
BLOCK_SHAPES = [
    (1, 1, 1),
    (_SMALL_ROWS - 1, COLUMN_BLOCK - 1, 3),
    (_SMALL_ROWS, COLUMN_BLOCK, 16),
    (_SMALL_ROWS + 1, COLUMN_BLOCK + 1, 17),
    (tiling.LARGE_BATCH - 1, 2 * COLUMN_BLOCK - 1, 5),
    (tiling.LARGE_BATCH, 2 * COLUMN_BLOCK, 2),
    (tiling.LARGE_BATCH + 1, 2 * COLUMN_BLOCK + 1, 65),
    (5, tiling.panel_columns(_DEEP), _DEEP),
    (66, tiling.panel_columns(_DEEP) + 1, _DEEP),
    (3, tiling.panel_columns(_DEEP) + 1, _DEEP - 1),
    (66, tiling.panel_columns(7) - 1, 7),
    (2, tiling.panel_columns(8), 8),
    (130, tiling.panel_columns(33) + 1, 33),
]


@functools.cache
def case_of_blocks(kind, shape, classes):
    """A case of the shape, and what is exact. Tests do not change them."""
    rows, num_sampled, depth = shape
    case = sc.random_case(
        7,
        rows=rows,
        classes=classes,
        depth=depth,
        num_sampled=num_sampled,
        unique=classes > num_sampled,
        scale=depth**-0.5,
    ).rounded(tf.float64)
    return case, lc.expected(kind, case)


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("classes", [300, 5000])
@pytest.mark.parametrize("shape", BLOCK_SHAPES, ids=str)
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_sizes_about_as_large_as_blocks(kind, shape, classes, recompute):
    case, exact = case_of_blocks(kind, shape, classes)
    case = dataclasses.replace(case, recompute=recompute)
    lc.assert_result(lc.evaluate(kind, case, tf.float64), exact, 32 * lc.EPSILON[tf.float64])


@pytest.mark.parametrize("unique", [False, True])
@pytest.mark.parametrize("types", lc.TYPE_PAIRS, ids=lc.type_names)
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_recompute_gives_the_same_bits(kind, types, unique):
    case = sc.random_case(8, rows=70, classes=900, depth=37, num_sampled=800, unique=unique)
    case = case.rounded(*types)
    stored = lc.evaluate(kind, case, *types)
    again = lc.evaluate(kind, dataclasses.replace(case, recompute=True), *types)
    for (name, got), (_, want) in zip(lc.parts(again), lc.parts(stored), strict=True):
        np.testing.assert_array_equal(got, want, err_msg=name)


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_gradient_of_rows_that_the_total_ignores_is_zero(kind, recompute):
    case = sc.random_case(9, rows=3, num_true=1, recompute=recompute).rounded(tf.float64)
    case.labels[:, 0] = [47, 48, 49]
    case.sampled[:] = np.arange(20)
    weights, inputs = tf.Variable(case.weights), tf.constant(case.inputs)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        total = case.apply(kind, weights, case.biases, inputs)[1]
    by_weights, by_inputs = map(lc.as_dense, tape.gradient(total, [weights, inputs]))
    assert (by_weights[48] != 0).all() and (by_inputs[1] != 0).all()
    np.testing.assert_array_equal(by_weights[[47, 49]], 0)
    np.testing.assert_array_equal(by_inputs[[0, 2]], 0)


@pytest.mark.parametrize("kind", lc.LOSSES)
def test_minus_infinity_masks_a_class(kind):
    case = sc.random_case(10, num_true=1).rounded(tf.float64)
    case.labels[:] = 49
    case.sampled[:] = np.arange(20)
    case.biases[3:9] = -np.inf
    lc.assert_result(
        lc.evaluate(kind, case, tf.float64), lc.expected(kind, case), 8 * lc.EPSILON[tf.float64]
    )


@pytest.mark.parametrize("scale", [1e3, 1e30])
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_large_logits(kind, scale):
    case = sc.random_case(11, scale=scale).rounded(tf.float64)
    lc.assert_result(
        lc.evaluate(kind, case, tf.float64), lc.expected(kind, case), 32 * lc.EPSILON[tf.float64]
    )


def test_a_confident_label_costs_nothing_in_nce():
    # softplus(1e4) - 1e4 must not swallow the candidate's log 2.
    values = ([0], [[1.0]], [1.0])
    loss = tfcs.nce_loss([[[0.0], [1e4]]], None, [[1]], [[1.0]], 1, 2, sampled_values=values)
    np.testing.assert_allclose(loss, [np.log(2)], rtol=2e-7)


def test_softmax_by_hand():
    # Logits 1 and 2 of the labels, 0 of the candidates, one of them a hit.
    values = ([0, 1, 0], [[1.0]], [1.0, 1.0, np.e])
    loss = tfcs.sampled_softmax_loss(
        [[[0.0], [1.0], [2.0]]], None, [[1, 2]], [[1.0]], 3, 3, 2, sampled_values=values
    )
    want = np.log(np.e + np.e**2 + 1 + 1 / np.e) - 1.5
    np.testing.assert_allclose(loss, [want], rtol=2e-7)
