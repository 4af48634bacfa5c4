# SPDX-License-Identifier: Apache-2.0
"""Options of the losses whose rows share their candidates: values and gradients.

Against NumPy in float64, and gradients against differences of the reference's values.
"""

import dataclasses

import loss_cases as lc
import ml_dtypes
import numpy as np
import pytest
import sampled_cases as sc
import tensorflow as tf
import tiling

import tf_candsamp as tfcs

# Numbers that float32 holds, in which ops keep them.
SCORES = {
    "temperature": {"temperature": 0.25},
    "normalize": {"normalize": True, "temperature": 0.125},
    "softcap": {"logit_softcap": 1.5},
    "all": {"normalize": True, "temperature": 0.0625, "logit_softcap": 5.0},
}
OPTIONS = [
    *[(kind, options) for kind in lc.LOSSES for options in SCORES.values()],
    ("softmax", {"correction": "none"}),
    ("nce", {"correction": "none", "positive_weight": 0.375}),
    ("nce", SCORES["all"] | {"positive_weight": 2.5}),
    ("softmax", {"correction": "corrected_log_q"}),
    ("softmax", {"correction": "corrected_log_q"} | SCORES["all"]),
]
TOLERANCE = {tf.float32: 3e-6, tf.float64: 1e-14}


def name_of(option):
    if isinstance(option, dict):
        return "-".join(f"{k}={v}" for k, v in option.items())
    return str(option)


every_option = pytest.mark.parametrize("kind, options", OPTIONS, ids=name_of)


def case_of(options, *, seed=0, **changes):
    """Most rows have hits, and candidates repeat; expected counts are below their number."""
    corrected = options.get("correction") == "corrected_log_q"
    sizes = {"rows": 40, "classes": 31, "depth": 6, "num_true": 1 if corrected else 2}
    sizes |= {"num_sampled": 60, "unique": False} | changes
    case = sc.random_case(seed, **sizes, options=options)
    case.true_expected_count = np.minimum(case.true_expected_count, 50)
    return case


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda t: t.name)
@every_option
def test_agrees_with_reference(kind, options, dtype, recompute):
    case = case_of(options, recompute=recompute).rounded(dtype)
    # Errors of a logit are those of its terms, over the temperature.
    tolerance = TOLERANCE[dtype] / options.get("temperature", 1)
    lc.assert_result(lc.evaluate(kind, case, dtype), lc.expected(kind, case), tolerance)


@every_option
def test_agrees_with_reference_over_several_panels(kind, options):
    """With tables in shards, more than one block of rows, and more than one panel of columns."""
    columns = tiling.panel_columns(9) + 5
    sizes = {"rows": tiling.row_block(1) + 3, "classes": 4 * columns, "num_sampled": 2 * columns}
    case = case_of(options, depth=9, **sizes).rounded(tf.float32)

    def shards(table):
        return [tf.Variable(part) for part in tf.split(table, 2)]

    weights, biases = (
        shards(tf.constant(case.weights, tf.float32)),
        shards(tf.constant(case.biases, tf.float32)),
    )
    inputs = tf.constant(case.inputs, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        loss = case.apply(kind, weights, biases, inputs)
    grad = tf.constant(case.grad(kind), tf.float32)
    gradients = tape.gradient(loss, [*weights, *biases, inputs], grad)
    of_weights, of_biases, of_inputs = gradients[:2], gradients[2:4], gradients[4]
    dense = [np.concatenate([lc.as_dense(g) for g in part]) for part in (of_weights, of_biases)]
    actual = lc.Result(
        lc.as_float64(loss), type(lc.expected(kind, case).gradients)(*dense, of_inputs.numpy())
    )
    tolerance = TOLERANCE[tf.float32] / options.get("temperature", 1)
    lc.assert_result(actual, lc.expected(kind, case), tolerance)


@pytest.mark.parametrize("pair", lc.TYPE_PAIRS, ids=lc.type_names)
@every_option
def test_types(kind, options, pair):
    case = case_of(options, scale=0.5, depth=4).rounded(*pair)
    actual = lc.evaluate(kind, case, *pair, table=tf.Variable)  # asserts the types
    epsilon = max(float(ml_dtypes.finfo(t.as_numpy_dtype).eps) for t in pair)
    epsilon *= 30 if pair[0] in lc.EPSILON else 0.75
    if pair[0] == tf.bfloat16:  # some machines round the factors of products to it
        epsilon /= options.get("temperature", 1)
    lc.assert_result(actual, lc.expected(kind, case), epsilon)


@pytest.mark.parametrize(
    "kind, options",
    [o for o in OPTIONS if o[1].get("correction") != "corrected_log_q"],
    ids=name_of,
)
def test_gradients_are_differences_of_losses(kind, options):
    """In float64, by central differences of the op itself.

    The weight of a row is no constant in differences: test_corrected_log_q_by_hand has that loss.
    """
    case = case_of(options, rows=4, classes=7, depth=3, num_sampled=9)
    result = lc.evaluate(kind, case, tf.float64)

    def total(weights, biases, inputs):
        tables = (tf.constant(x, tf.float64) for x in (weights, biases, inputs))
        return float(tf.reduce_sum(case.apply(kind, *tables) * case.grad(kind)))

    arguments = [case.weights, case.biases, case.inputs]
    for position, gradient in enumerate(result.gradients):
        for index in np.ndindex(gradient.shape):
            ends = []
            for step in (1e-5, -1e-5):
                moved = [x.copy() for x in arguments]
                moved[position][index] += step
                ends.append(total(*moved))
            difference = (ends[0] - ends[1]) / 2e-5
            np.testing.assert_allclose(gradient[index], difference, rtol=1e-5, atol=1e-7)


def test_corrected_log_q_by_hand():
    """One row: the paper's formula in probabilities of a draw."""
    weights, x = np.array([[1.0], [-0.5], [2.0], [0.25]]), np.array([[1.5]])
    q = np.array([0.4, 0.3, 0.2, 0.1])
    sampled = np.array([1, 0, 3, 1, 2, 0])
    s = (weights @ x.T)[:, 0]
    left = sampled[sampled != 0]  # the label is class 0
    z = (np.exp(s[left]) * (1 - q[0]) / q[left]).sum()
    p = np.exp(s[0]) / (np.exp(s[0]) + z / len(left))
    counts = 6 * q
    inputs, table = tf.constant(x), tf.constant(weights)
    values = (sampled, counts[:1, None], counts[sampled])
    with tf.GradientTape() as tape:
        tape.watch(table)
        loss, stats = tfcs.sampled_softmax_loss(
            table,
            None,
            [[0]],
            inputs,
            6,
            4,
            sampled_values=values,
            correction="corrected_log_q",
            return_stats=True,
        )
    np.testing.assert_allclose(loss, [(1 - p) * (np.log(z) - s[0])], rtol=1e-12)
    np.testing.assert_allclose(
        stats.log_sum_exp, [np.log(np.exp(s[0]) + z / len(left))], rtol=1e-12
    )
    gradient = lc.as_dense(tape.gradient(loss, table))
    shares = np.bincount(left, np.exp(s[left]) / q[left], minlength=4)
    expected = (1 - p) * x[0, 0] * (shares / shares.sum() - [1, 0, 0, 0])
    np.testing.assert_allclose(gradient[:, 0], expected, rtol=1e-12)


@pytest.mark.parametrize("hits", ["all", "none drawn"])
def test_corrected_log_q_without_a_negative(hits):
    """Every candidate is the label, or there is none: the loss is 0, and so are gradients."""
    sampled = {"all": np.array([2, 2, 2]), "none drawn": np.array([], np.int64)}[hits]
    case = case_of({"correction": "corrected_log_q"}, rows=3, classes=5)
    case = dataclasses.replace(
        case,
        labels=np.full([3, 1], 2),
        sampled=sampled,
        true_expected_count=np.full([3, 1], 1.5),
        sampled_expected_count=np.full(len(sampled), 1.5),
    )
    result = lc.evaluate("softmax", case)
    for _, part in lc.parts(result):
        np.testing.assert_array_equal(part, 0)


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_infinite_biases(kind, name):
    """Minus infinity masks a class, under a softcap, too, and nothing is NaN."""
    case = case_of(SCORES[name]).rounded(tf.float32)
    case.biases[[3, 4, 17]] = -np.inf
    case.labels[case.labels == 3] = 5
    result = lc.evaluate(kind, case)
    expected = lc.expected(kind, case)
    assert np.isinf(expected.value).any() and np.isfinite(expected.value).any()
    assert all(np.isfinite(part).all() for part in result.gradients)
    lc.assert_result(result, expected, 3e-6 / SCORES[name].get("temperature", 1))


@pytest.mark.parametrize("kind", lc.LOSSES)
def test_plus_infinity_under_a_softcap_is_the_cap(kind):
    case = case_of({"logit_softcap": 3.0})
    infinite, large = dataclasses.replace(case), dataclasses.replace(case)
    infinite.biases, large.biases = case.biases.copy(), case.biases.copy()
    infinite.biases[[1, 2]], large.biases[[1, 2]] = np.inf, 1e6
    for recompute in (False, True):
        infinite.recompute = recompute
        lc.assert_result(lc.evaluate(kind, infinite), lc.evaluate(kind, large), 0)


@pytest.mark.parametrize("cap", [1e6, 1e30, 3e38])
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_large_softcap_is_none(kind, cap):
    capped, plain = case_of({"logit_softcap": cap}), case_of({})
    lc.assert_result(lc.evaluate(kind, capped), lc.evaluate(kind, plain), 2e-6)


@pytest.mark.parametrize("kind", lc.LOSSES)
def test_rows_of_zeros_and_of_extreme_norms(kind):
    """A row of zeros has cosines and gradients of 0; other norms may be near the type's limits."""
    for recompute in (False, True):
        case = case_of(SCORES["normalize"], recompute=recompute)
        case.weights[:4] = 0
        case.weights[4:8] *= 1e25
        case.weights[8:12] *= 1e-25
        case.inputs[:2] = 0
        case = case.rounded(tf.float32)
        result, expected = lc.evaluate(kind, case), lc.expected(kind, case)
        assert_like(result, expected)
        assert not result.gradients.weights[:4].any() and not result.gradients.inputs[:2].any()


def assert_like(result, expected):
    """Rows of weights by themselves, for their gradients differ by their norms."""
    lc.assert_close(result.value, expected.value, 3e-5)
    lc.assert_close(result.gradients.inputs, expected.gradients.inputs, 3e-5)
    lc.assert_close(result.gradients.biases, expected.gradients.biases, 3e-5)
    for got, want in zip(result.gradients.weights, expected.gradients.weights, strict=True):
        lc.assert_close(got, want, 1e-4)


def test_scale_of_rows_does_not_matter_with_normalize():
    case = case_of(SCORES["normalize"])
    scaled = dataclasses.replace(case, weights=case.weights * 1024, inputs=case.inputs / 64)
    a, b = (lc.evaluate("softmax", c) for c in (case, scaled))
    np.testing.assert_array_equal(a.value, b.value)
    np.testing.assert_array_equal(a.gradients.weights, b.gradients.weights * 1024)
    np.testing.assert_array_equal(a.gradients.inputs, b.gradients.inputs / 64)


@pytest.mark.parametrize("option", ["correction", "positive_weight"])
def test_defaults_change_no_bit(option):
    """Options that are given with their default are those that are not given."""
    kind = {"correction": "softmax", "positive_weight": "nce"}[option]
    given = {"correction": "log_q", "positive_weight": 1.0}[option]
    defaults = {"temperature": 1, "normalize": False, "logit_softcap": None, option: given}
    a, b = (lc.evaluate(kind, case_of(options)) for options in ({}, defaults))
    for (_, got), (_, want) in zip(lc.parts(a), lc.parts(b), strict=True):
        np.testing.assert_array_equal(got, want)


def test_one_nan_input_row_stays_in_its_row():
    for kind, options in OPTIONS:
        case = case_of(options)
        case.inputs[3] = np.nan
        result = lc.evaluate(kind, case)
        rows = np.isnan(result.value)
        assert rows[3] and not np.delete(rows, 3).any(), options
        assert not np.isnan(np.delete(result.gradients.inputs, 3, axis=0)).any()


@pytest.mark.parametrize("kind", lc.LOSSES)
def test_no_rows(kind):
    for options in SCORES.values():
        case = case_of(options | {"return_stats": True}, rows=0)
        loss, stats = case.apply(kind, *(case.weights, case.biases, case.inputs))
        assert loss.shape == stats.log_sum_exp.shape == stats.label_is_top.shape == [0]


def test_counts_may_be_none_without_correction():
    weights, inputs = tf.ones([5, 2]), tf.ones([1, 2])
    loss = tfcs.sampled_softmax_loss(
        weights, None, [[1]], inputs, 2, 5, sampled_values=([2, 3], None, None), correction="none"
    )
    np.testing.assert_allclose(loss, [np.log(3)], rtol=1e-6)


def test_gbce_positive_weight():
    """The formula of the paper, and calibration: t = 1 gives the sampling rate, t = 0 gives 1."""
    for drawn, classes, t in ((1, 2, 0.3), (256, 50_000, 0.75), (99, 100, 1.0), (5, 101, 0.0)):
        alpha = drawn / (classes - 1)
        beta = alpha * (t * (1 - 1 / alpha) + 1 / alpha)
        assert tfcs.gbce_positive_weight(drawn, classes, t) == pytest.approx(beta, rel=1e-12)
    assert tfcs.gbce_positive_weight(10, 101, 1) == pytest.approx(0.1)
    assert tfcs.gbce_positive_weight(10, 101, 0) == 1
