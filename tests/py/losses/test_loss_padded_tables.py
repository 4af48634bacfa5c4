# SPDX-License-Identifier: Apache-2.0
"""Tables with more rows than classes, as in tf.nn: padded to a multiple of 64, or by a row.

The losses with shared candidates know the number of classes, so either table may be padded; in the
ragged ones the rows of weights are the classes.
"""

import dataclasses
import functools

import loss_cases as lc
import numpy as np
import pytest
import sampled_cases as sc
import tensorflow as tf
from calls import MODES
from internals import ops
from tf_nn import TF, TF_V1, assert_as_exact_as_tf, result_of

CLASSES, ROWS, DEPTH = 50, 64, 5


def padded_case(dtype=tf.float32, weights=ROWS, biases=ROWS, **options):
    """A case of 50 classes with tables of so many rows; `biases` may be None."""
    case = sc.random_case(1, classes=max(weights, biases or 0), depth=DEPTH, **options)
    case = dataclasses.replace(
        case,
        weights=case.weights[:weights],
        biases=None if biases is None else case.biases[:biases],
        labels=case.labels % CLASSES,
        sampled=np.random.default_rng(2).choice(CLASSES, 20, replace=False),
        num_classes=CLASSES,
    )
    case.labels[0, 0] = CLASSES - 1
    return case.rounded(dtype)


SIZES = [(ROWS, CLASSES), (ROWS, ROWS), (CLASSES, ROWS), (CLASSES + 1, CLASSES + 3)]


@functools.cache
def of_tf_nn(kind, sizes, shards, strategy):
    """A case and tf.nn's result for it. Tests do not change them."""
    case = padded_case(tf.float32, *sizes)
    options = {"partition_strategy": strategy} if strategy == "mod" else {}
    function = (TF_V1 if strategy == "mod" else TF)[kind]
    return case, result_of(function, kind, case, tf.float32, shards, strategy, **options)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shards, strategy", [(1, "div"), (3, "div"), (4, "div"), (4, "mod")])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_agrees_with_tf_nn(kind, sizes, shards, strategy, mode):
    case, result = of_tf_nn(kind, sizes, shards, strategy)
    options = {"partition_strategy": "mod"} if strategy == "mod" else {}
    ours = result_of(sc.FUNCTIONS[kind], kind, case, tf.float32, shards, strategy, mode, **options)
    assert_as_exact_as_tf(ours, result, lc.expected(kind, case), tf.float32)
    assert ours.gradients.weights.shape == (sizes[0], DEPTH)
    assert ours.gradients.biases.shape == (sizes[1],)
    np.testing.assert_array_equal(ours.gradients.weights[CLASSES:], 0)
    np.testing.assert_array_equal(ours.gradients.biases[CLASSES:], 0)


@pytest.mark.parametrize("table", [tf.Variable, tf.identity], ids=["variable", "tensor"])
@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("pair", lc.TYPE_PAIRS, ids=lc.type_names)
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_padding_changes_no_bit(kind, pair, recompute, table):
    bare = padded_case(weights=CLASSES, biases=CLASSES, recompute=recompute).rounded(*pair)
    for weights, biases in ((ROWS, CLASSES), (CLASSES, ROWS), (ROWS, ROWS)):
        case = dataclasses.replace(
            bare,
            weights=np.pad(bare.weights, [(0, weights - CLASSES), (0, 0)], constant_values=np.nan),
            biases=np.pad(bare.biases, (0, biases - CLASSES), constant_values=np.nan),
        )
        got, want = (lc.evaluate(kind, c, *pair, table=table) for c in (case, bare))
        np.testing.assert_array_equal(got.value, want.value)
        np.testing.assert_array_equal(got.gradients.inputs, want.gradients.inputs)
        for name in ("weights", "biases"):
            gradient = getattr(got.gradients, name)
            assert gradient.shape == getattr(case, name).shape
            np.testing.assert_array_equal(gradient[:CLASSES], getattr(want.gradients, name))
            np.testing.assert_array_equal(gradient[CLASSES:], 0)


# Classes 0 .. 49 dealt out in turn to three shards are 17, 17 and 16.
@pytest.mark.parametrize(
    "rows, bias_rows",
    [((64, 64, 64), (17, 17, 16)), ((17, 20, 16), (18, 17, 64)), ((17, 17, 64), None)],
    ids=str,
)
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_mod_shards_each_padded_by_itself(kind, rows, bias_rows):
    """As tf.nn takes them, too."""
    case = padded_case(weights=CLASSES, biases=bias_rows and CLASSES)

    def deal(table, sizes):
        parts = [table[k :: len(sizes)] for k in range(len(sizes))]
        return [
            tf.Variable(np.resize(part, [size, *part.shape[1:]]).astype(np.float32))
            for part, size in zip(parts, sizes, strict=True)
        ]

    weights = deal(case.weights, rows)
    biases = None if bias_rows is None else deal(case.biases, bias_rows)
    inputs = tf.constant(case.inputs, tf.float32)
    case.partition_strategy = "mod"
    with tf.GradientTape() as tape:
        loss = case.apply(kind, weights, biases, inputs)
    grad = tf.constant(case.grad(kind), tf.float32)
    gradients = tape.gradient(loss, weights, grad)
    want = lc.expected(kind, case)
    lc.assert_close(loss, want.value, 1e-6)
    for k, gradient in enumerate(gradients):
        assert gradient.dense_shape.numpy().tolist() == [rows[k], DEPTH]
        exact = want.gradients.weights[k::3]
        lc.assert_close(lc.as_dense(gradient)[: len(exact)], exact, 2e-6)
    if biases is not None:
        theirs = TF_V1[kind](
            weights,
            biases,
            case.labels,
            inputs,
            **case.sizes(),
            sampled_values=case.sampled_values(),
            remove_accidental_hits=True,
            partition_strategy="mod",
        )
        lc.assert_close(loss, theirs, 1e-5)


@pytest.mark.parametrize("sizes", [(40, 24), (1, 0, 63), (60, 4)], ids=str)
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_div_shards_hold_consecutive_rows_whatever_their_sizes(kind, sizes):
    case = padded_case(biases=CLASSES)
    weights = list(map(tf.Variable, tf.split(tf.constant(case.weights, tf.float32), sizes)))
    inputs = tf.constant(case.inputs, tf.float32)
    with tf.GradientTape() as tape:
        loss = case.apply(kind, weights, tf.constant(case.biases, tf.float32), inputs)
    gradients = tape.gradient(loss, weights, tf.constant(case.grad(kind), tf.float32))
    want = lc.expected(kind, case)
    lc.assert_close(loss, want.value, 1e-6)
    got = np.concatenate([np.zeros([0, DEPTH]), *map(lc.as_dense, gradients)])
    lc.assert_close(got, want.gradients.weights, 2e-6)


# Ids are checked against the number of classes, never against the rows.


def loss_with(kind, weights, biases, labels=(3,), sampled=(1, 2), strategy="div"):
    def table(shape):
        if isinstance(shape, list):
            return [tf.Variable(tf.ones(part)) for part in shape]
        return None if shape is None else tf.Variable(tf.ones(shape))

    return sc.FUNCTIONS[kind](
        table(weights),
        table(biases),
        [[k] for k in labels],
        tf.ones([len(labels), DEPTH]),
        len(sampled),
        CLASSES,
        sampled_values=(sampled, 0.5, 0.5),
        partition_strategy=strategy,
    )


@pytest.mark.parametrize("bad", [CLASSES, ROWS - 1, ROWS, -1])
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_ids_of_padding_are_errors(kind, bad):
    expected = rf"must hold class ids in \[0, num_classes = 50\), got {bad} "
    for error, ids in (
        (f"labels {expected}in row 1", {"labels": (3, bad)}),
        (f"sampled_candidates {expected}at position 2", {"sampled": (1, 2, bad)}),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=error):
            loss_with(kind, (ROWS, DEPTH), (ROWS,), **ids)


@pytest.mark.parametrize(
    "weights, biases, strategy, error",
    [
        ((49, DEPTH), (64,), "div", "weights must have at least num_classes = 50 rows, got 49"),
        ((64, DEPTH), (49,), "div", "biases must have at least num_classes = 50 values, got 49"),
        ([(20, DEPTH), (29, DEPTH)], None, "div", "weights must have at least .*got 49"),
        ([(64, DEPTH), (24, DEPTH)], None, "mod", r"weights\[1\] must have at least 25 rows"),
        ((64, DEPTH), [(17,), (16,), (64,)], "mod", r"num_classes = 50 .*'mod'.*got shape \[16\]"),
        ((64, DEPTH), [(17,), (64,), (15,)], "mod", r"biases\[2\] must have at least 16 rows"),
    ],
    ids=range(6),
)
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_tables_with_too_few_rows_are_errors(kind, weights, biases, strategy, error):
    with pytest.raises(tf.errors.InvalidArgumentError, match=error):
        loss_with(kind, weights, biases, strategy=strategy)


@pytest.mark.parametrize("table", ["tensor", "variable", "shards"])
@pytest.mark.parametrize("of", ["weights", "biases"])
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_too_few_rows_are_found_when_the_graph_is_built(kind, of, table):
    weights = tf.ones([49 if of == "weights" else 64, DEPTH])
    biases = tf.ones([49 if of == "biases" else 64])
    if table == "variable":
        weights, biases = tf.Variable(weights), tf.Variable(biases)
    if table == "shards":
        weights = [tf.Variable(weights[:20]), weights[20:]]
        biases = [biases[:3], tf.Variable(biases[3:])]

    @tf.function
    def loss(inputs):
        return sc.FUNCTIONS[kind](
            weights, biases, [[1]], inputs, 1, CLASSES, sampled_values=([2], 1.0, 1.0)
        )

    with pytest.raises(ValueError, match=f"{of} must have at least num_classes = 50 .*got 49"):
        loss.get_concrete_function(tf.TensorSpec([1, DEPTH]))


@pytest.mark.parametrize("kind", ["sampled_softmax", "nce"])
def test_number_of_classes_that_the_op_is_not_told(kind):
    """Then the classes are those that have a row in both tables."""

    def loss(weights, biases, label, strategy="div"):
        weights = [tf.ones([rows, DEPTH]) for rows in weights]
        biases = [tf.ones([rows]) for rows in biases]
        return getattr(ops, f"candsamp_{kind}_loss")(
            weights=weights,
            biases=biases,
            inputs=tf.ones([1, DEPTH]),
            labels=[[label]],
            sampled_candidates=[0],
            true_expected_count=[[1.0]],
            sampled_expected_count=[1.0],
            hit_labels=[],
            hit_candidates=[],
            num_true=1,
            partition_strategy=strategy,
            W=tf.float32,
        ).loss

    for *tables, classes in (
        ([64], [50], "div", 50),
        ([50], [64], "div", 50),
        ([40, 24], [], "div", 64),
        ([25, 64], [64], "mod", 50),
        ([64], [17, 17, 16], "mod", 50),
        ([64, 24], [], "mod", 49),
    ):
        weights, biases, strategy = tables
        assert np.isfinite(loss(weights, biases, classes - 1, strategy))
        error = rf"labels must hold class ids in \[0, {classes}\), the rows that weights and biases"
        with pytest.raises(tf.errors.InvalidArgumentError, match=error):
            loss(weights, biases, classes, strategy)
