# SPDX-License-Identifier: Apache-2.0
"""What `return_stats` returns, beside NumPy, and that it changes nothing else."""

import dataclasses

import loss_cases as lc
import numpy as np
import pytest
import sampled_cases as sc
import tensorflow as tf
from calls import MODES, in_mode

import tf_candsamp as tfcs

both = pytest.mark.parametrize("kind", lc.LOSSES)


def evaluate(kind, case, dtype=tf.float32):
    """Loss and stats, whose gradients are those of the loss alone."""
    asking = dataclasses.replace(case, options=case.options | {"return_stats": True})
    tables = [tf.constant(x, dtype) for x in (case.weights, case.biases, case.inputs)]
    return asking.apply(kind, *tables)


def case_of(seed=0, *, spread=1.0, options=None, **changes):
    sizes = {"rows": 60, "classes": 31, "depth": 6, "num_sampled": 60, "unique": False} | changes
    case = sc.random_case(seed, **sizes, options=options or {})
    # Labels that win in some rows and not in others.
    case.true_expected_count = case.true_expected_count * spread
    return case.rounded(tf.float32)


@pytest.mark.parametrize(
    "options, spread", [({}, 0.02), ({"logit_softcap": 2.0, "normalize": True}, 0.3)], ids=str
)
@pytest.mark.parametrize("unique", [False, True])
@pytest.mark.parametrize("hits", [False, True])
@both
def test_agrees_with_reference(kind, hits, unique, options, spread):
    """Of draws that repeat each counts, and none for more than itself."""
    sizes = {"num_sampled": 25} if unique else {}
    case = case_of(options=options, unique=unique, spread=spread, **sizes)
    case.remove_accidental_hits = hits
    loss, stats = evaluate(kind, case)
    log_sum_exp, is_top = case.stats()
    assert stats.label_is_top.dtype == tf.bool and stats.log_sum_exp.dtype == loss.dtype
    assert 5 < is_top.sum() < 55
    np.testing.assert_array_equal(stats.label_is_top, is_top)
    np.testing.assert_allclose(stats.log_sum_exp, log_sum_exp, rtol=2e-6, atol=2e-6)


@both
def test_over_several_blocks(kind):
    case = case_of(1, rows=90, classes=2000, num_sampled=1500, num_true=1, spread=1e-4)
    _, stats = evaluate(kind, case)
    log_sum_exp, is_top = case.stats()
    assert 5 < is_top.sum() < 85
    np.testing.assert_array_equal(stats.label_is_top, is_top)
    np.testing.assert_allclose(stats.log_sum_exp, log_sum_exp, rtol=2e-6)


@both
def test_asking_changes_no_bit_of_losses_and_gradients(kind):
    case = case_of()
    asking = dataclasses.replace(case)
    asking.apply = lambda *arguments: evaluate_loss(case, *arguments)
    for (_, got), (_, want) in zip(
        lc.parts(lc.evaluate(kind, asking)), lc.parts(lc.evaluate(kind, case)), strict=True
    ):
        np.testing.assert_array_equal(got, want)


def evaluate_loss(case, kind, weights, biases, inputs):
    asking = dataclasses.replace(case, options={"return_stats": True})
    return asking.apply(kind, weights, biases, inputs)[0]


@both
def test_masked_rows_and_nan(kind):
    case = case_of(num_true=1)
    case.biases[[5, 6]] = -np.inf
    case.labels[:4] = 5
    case.inputs[7] = np.nan
    _, stats = evaluate(kind, case)
    assert not stats.label_is_top.numpy()[[0, 1, 2, 3, 7]].any()
    log_sum_exp, _ = case.stats()
    np.testing.assert_allclose(stats.log_sum_exp, log_sum_exp, rtol=2e-6, atol=2e-6)
    case.biases[:] = -np.inf
    _, stats = evaluate(kind, case)
    assert not stats.label_is_top.numpy().any()
    assert (np.delete(stats.log_sum_exp, 7) == -np.inf).all()


@both
def test_ties_count_as_top(kind):
    case = case_of(num_true=1)
    case = dataclasses.replace(
        case,
        weights=case.weights * 0,
        biases=case.biases * 0,
        true_expected_count=np.ones_like(case.true_expected_count),
        sampled_expected_count=np.ones_like(case.sampled_expected_count),
    )
    assert evaluate(kind, case)[1].label_is_top.numpy().all()


@pytest.mark.parametrize("mode", MODES)
@both
def test_stats_are_constants(kind, mode):
    """Their gradient is None, and differentiating the loss beside them is no error."""
    weights, inputs = tf.Variable(tf.ones([5, 2])), tf.ones([2, 2])

    def gradients():
        with tf.GradientTape(persistent=True) as tape:
            loss, stats = sc.FUNCTIONS[kind](
                weights, None, [[1], [2]], inputs, 3, 5, return_stats=True
            )
            both_of_them = tf.reduce_sum(loss) + tf.reduce_sum(stats.log_sum_exp)
        assert tape.gradient(stats.log_sum_exp, weights) is None
        return [tf.convert_to_tensor(tape.gradient(y, weights)) for y in (loss, both_of_them)]

    of_loss, of_both = in_mode(mode, gradients)
    np.testing.assert_array_equal(of_loss, of_both)


def test_losses_minus_stats_of_the_corrected_softmax():
    """log_sum_exp less the label's score is the estimated loss of the full softmax."""
    case = case_of(2, num_true=1, classes=400, num_sampled=4000, spread=1.0)
    p = np.arange(1, 401) ** -1.0
    p /= p.sum()
    sampled = np.random.default_rng(0).choice(400, 4000, p=p)
    case = dataclasses.replace(
        case,
        sampled=sampled,
        true_expected_count=4000 * p[case.labels],
        sampled_expected_count=4000 * p[sampled],
        weights=case.weights / 4,
        options={"correction": "corrected_log_q"},
    )
    _, stats = evaluate("softmax", case)
    scores = case.inputs @ case.weights.T + case.biases
    exact = np.log(np.exp(scores).sum(axis=1))
    # The estimates' standard errors, from the sum's terms; 6 of them for each of 60 rows.
    terms = np.exp(scores)[:, sampled] / (4000 * p[sampled])
    error = np.sqrt(4000 * terms.var(axis=1)) / np.exp(exact)
    assert error.max() < 0.1
    assert (np.abs(stats.log_sum_exp - exact) < 6 * error).all()


@both
def test_sequences(kind):
    """Positions have the statistics of their rows; those that do not count have 0 and False."""
    case = case_of(3, rows=6, num_true=1, spread=0.02)
    _, of_rows = evaluate(kind, case)
    labels = case.labels.reshape(2, 3).copy()
    labels[1, 2] = -1
    arguments = {
        "weights": tf.constant(case.weights, tf.float32),
        "biases": tf.constant(case.biases, tf.float32),
        "labels": labels,
        "inputs": tf.reshape(tf.constant(case.inputs, tf.float32), [2, 3, 6]),
        "num_sampled": len(case.sampled),
        "num_classes": 31,
        "sampled_values": (
            case.sampled,
            case.true_expected_count.reshape(2, 3),
            case.sampled_expected_count,
        ),
        "remove_accidental_hits": True,
        "return_stats": True,
    }
    loss, stats = sc.FUNCTIONS[kind](**arguments, ignore_id=-1)
    for got, want in zip(stats, of_rows, strict=True):
        assert got.shape == loss.shape == [2, 3] and not got[1, 2]
        np.testing.assert_array_equal(tf.reshape(got, [-1])[:5], want[:5])


def test_result_is_a_named_tuple():
    loss, stats = tfcs.nce_loss(
        tf.ones([5, 2]), None, [[1]], tf.ones([1, 2]), 3, 5, return_stats=True
    )
    assert isinstance(stats, tfcs.LossStats) and loss.shape == [1]
    assert stats._fields == ("log_sum_exp", "label_is_top")
