# SPDX-License-Identifier: Apache-2.0
"""Accidental hits found by ids of their own, as for negatives from the batch."""

import dataclasses

import internals
import loss_cases as lc
import numpy as np
import pytest
import reference
import sampled_cases as sc
import tensorflow as tf
import tiling

both = pytest.mark.parametrize("kind", lc.LOSSES)


@dataclasses.dataclass
class Case(sc.Case):
    """A case with a hit id for each label and each candidate."""

    label_hits: np.ndarray | None = None
    candidate_hits: np.ndarray | None = None

    def apply(self, kind, weights, biases, inputs):
        return internals.loss_with_hit_ids(
            kind,
            (weights, biases),
            tf.constant(self.labels, tf.int64),
            inputs,
            self.sampled_values(),
            (self.label_hits, self.candidate_hits),
            recompute=self.recompute,
        )

    def reference(self, kind, grad):
        function = {"softmax": reference.sampled_softmax_loss, "nce": reference.nce_loss}[kind]
        return function(
            self.weights,
            self.biases,
            self.labels,
            self.inputs,
            (self.sampled, self.true_expected_count, self.sampled_expected_count),
            remove_accidental_hits=True,
            hit_ids=(self.label_hits, self.candidate_hits),
            grad=grad,
        )


def with_hit_ids(case, label_hits, hit_of_class):
    """The case, with the same hit id for candidates of one class."""
    fields = {f.name: getattr(case, f.name) for f in dataclasses.fields(sc.Case)}
    return Case(**fields, label_hits=label_hits, candidate_hits=hit_of_class[case.sampled])


def in_batch(rows, items, **options):
    """Negatives from the batch: several rows may have the same item."""
    rng = np.random.default_rng(rows)
    case = sc.random_case(rows, rows=rows, classes=rows, num_true=1, num_sampled=rows, **options)
    item = rng.integers(0, items, rows) - 5  # ids may be negative
    case = dataclasses.replace(case, labels=np.arange(rows)[:, None], sampled=np.arange(rows))
    return with_hit_ids(case, item[:, None], item)


@pytest.mark.parametrize("recompute", [False, True])
@both
def test_negatives_from_the_batch(kind, recompute):
    """Every copy of a row's item is dropped, and its label is counted once, in all blocks."""
    for rows, items in ((1, 1), (40, 9), (tiling.COLUMN_BLOCK * 3, 7)):
        case = in_batch(rows, items, depth=6, recompute=recompute).rounded(tf.float32)
        lc.assert_result(lc.evaluate(kind, case), lc.expected(kind, case), 2e-6)


@both
def test_losses_are_those_of_each_items_copies_left_out(kind):
    """By hand: a row's classes are its own position and those with another item."""
    case = in_batch(12, 4, biases=False)
    loss = lc.evaluate(kind, case, tf.float64).value
    log_q = np.log(case.sampled_expected_count.astype(np.float32).astype(np.float64))
    true_log_q = np.log(case.true_expected_count.astype(np.float32).astype(np.float64))
    for i in range(12):
        scores = case.weights @ case.inputs[i]
        others = case.candidate_hits != case.label_hits[i, 0]
        z = np.concatenate([[scores[i] - true_log_q[i, 0]], (scores - log_q)[others]])
        total = np.log(np.exp(z).sum()) if kind == "softmax" else np.log1p(np.exp(z)).sum()
        np.testing.assert_allclose(loss[i], total - z[0], rtol=1e-12)


@pytest.mark.parametrize("pair", lc.TYPE_PAIRS, ids=lc.type_names)
@both
def test_types(kind, pair):
    case = in_batch(50, 11, scale=0.5).rounded(*pair)
    lc.assert_types(kind, case, pair, tf.constant)


@pytest.mark.parametrize("recompute", [False, True])
@both
def test_repeated_candidates_and_several_labels(kind, recompute):
    case = sc.random_case(
        3, rows=20, classes=30, num_true=3, num_sampled=90, unique=False, recompute=recompute
    )
    rng = np.random.default_rng(4)
    hits = rng.integers(0, 8, 30)
    case = with_hit_ids(case, rng.integers(0, 10, [20, 3]), hits).rounded(tf.float32)
    lc.assert_result(lc.evaluate(kind, case), lc.expected(kind, case), 2e-6)


@both
def test_hit_ids_that_are_the_classes_change_nothing(kind):
    """The same bits as without hit ids."""
    case = sc.random_case(5, unique=False, num_sampled=60)
    by_class = lc.evaluate(kind, case)
    by_id = lc.evaluate(kind, with_hit_ids(case, case.labels, np.arange(50)))
    for (_, got), (_, want) in zip(lc.parts(by_id), lc.parts(by_class), strict=True):
        np.testing.assert_array_equal(got, want)


@both
def test_wrong_hit_ids(kind):
    case = sc.random_case(6, rows=4, num_true=2, num_sampled=5)
    good = with_hit_ids(case, case.labels, np.arange(50))

    def loss(**changes):
        changed = dataclasses.replace(good, **changes)
        return changed.apply(kind, case.weights, case.biases, case.inputs)

    errors = (ValueError, tf.errors.InvalidArgumentError)
    for name, bad in (
        ("hit_labels", case.labels[:3]),
        ("hit_labels", case.labels[:, :1]),
        ("hit_labels", case.labels[0]),
    ):
        with pytest.raises(errors, match=name):
            loss(label_hits=bad)
    for bad in (case.sampled[:4], case.sampled[:, None]):
        with pytest.raises(errors, match="hit_candidates"):
            loss(candidate_hits=bad)
    with pytest.raises(TypeError, match="hit_candidates"):
        loss(candidate_hits=case.sampled.astype(np.float32))
    with pytest.raises(errors, match="hit_candidates must be equal for equal candidates, got 0"):
        loss(sampled=np.full(5, 7), candidate_hits=np.arange(5))
