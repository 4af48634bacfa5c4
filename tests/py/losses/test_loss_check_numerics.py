# SPDX-License-Identifier: Apache-2.0
"""Under tf.debugging.enable_check_numerics() the losses raise no alarm, as tf.nn's raise none.

Whatever their ops output is finite, what is kept for the gradient, too: beside classes that are
masked by a bias of minus infinity, dropped hits and repeated candidates. And it is right.
"""

import dataclasses

import loss_cases as lc
import numpy as np
import pytest
import ragged_cases as rc
import sampled_cases as sc
import tensorflow as tf
import tiling
from internals import ops

CLASSES = 700
NUM_SAMPLED = 500
# Candidates that fill a block, though some come twice.
BLOCK = 2 * tiling.column_block(NUM_SAMPLED)


@pytest.fixture
def check_numerics():
    tf.debugging.enable_check_numerics()
    yield
    tf.debugging.disable_check_numerics()


def test_check_numerics_is_on(check_numerics):
    with pytest.raises(tf.errors.InvalidArgumentError, match="Infinity or NaN"):
        tf.math.log(tf.zeros([1]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="Infinity or NaN"):
        tf.function(tf.math.log)(tf.zeros([1]))


def sampled_case(pattern, **options):
    """Seven rows with labels from 690 on, which are no candidates but in the patterns of hits."""
    case = sc.random_case(1, classes=CLASSES, num_sampled=NUM_SAMPLED, scale=0.5, **options)
    case.sampled %= 690
    if options.get("unique", True):
        case.sampled = np.random.default_rng(1).choice(690, NUM_SAMPLED, replace=False)
    case.labels[:] = 690 + case.labels % 10
    if pattern == "some_masked":
        case.biases[np.arange(0, 690, 3)] = -np.inf
    if pattern == "block_masked":
        case.biases[case.sampled[:BLOCK]] = -np.inf
    if pattern == "all_masked":
        case.biases[:690] = -np.inf
    if pattern == "all_hits":
        case.labels[:, 0] = case.sampled[:] = 3
    if pattern in ("block_of_hits", "hits_and_masks"):
        hits = np.unique(case.sampled[:BLOCK])
        case.labels = np.tile(hits, [7, 1])
        case.true_expected_count = np.full(case.labels.shape, 0.25)
        others = np.setdiff1d(case.sampled, hits)
        case.biases[others if pattern == "hits_and_masks" else others[::2]] = -np.inf
    return case


SAMPLED_PATTERNS = (
    "plain",
    "some_masked",
    "block_masked",
    "all_masked",
    "all_hits",
    "block_of_hits",
    "hits_and_masks",
)


def ragged_case(pattern, size):
    """Four rows of labels below 10 and of `size` candidates or some more from there on."""
    case = rc.random_case(1, rows=4, classes=CLASSES, candidates=(size, size + 9), scale=0.5)
    case.labels = [labels % 10 for labels in case.labels]
    case.candidates = [10 + candidates % 690 for candidates in case.candidates]
    if pattern == "some_masked":
        case.biases[np.arange(10, CLASSES, 3)] = -np.inf
    if pattern == "all_masked":
        case.biases[10:] = -np.inf
    if pattern in ("all_hits", "hits_and_masks"):
        case.candidates = [
            np.resize(labels, len(row))
            for labels, row in zip(case.labels, case.candidates, strict=True)
        ]
    if pattern == "hits_and_masks":
        for row in case.candidates:
            row[::2] = 10
        case.biases[10] = -np.inf
    return case


RAGGED_PATTERNS = ("plain", "some_masked", "all_masked", "all_hits", "hits_and_masks")

for_kinds = pytest.mark.parametrize("kind", lc.LOSSES)
# (inputs, weights): every type of inputs, and half tables, too.
PAIRS = [
    (tf.float32, tf.float32),
    (tf.float64, tf.float64),
    (tf.float16, tf.float16),
    (tf.bfloat16, tf.float32),
]
for_pairs = pytest.mark.parametrize(
    "pair", PAIRS, ids=lambda pair: "-".join(dtype.name for dtype in pair)
)

# Of a part's largest value or 1; products of bfloat16 round what enters them.
TOLERANCE = {tf.float32: 1e-5, tf.float64: 1e-13, tf.float16: 2.0**-10, tf.bfloat16: 2.0**-6}


def assert_as_expected(kind, case, pair, result):
    tolerance = max(TOLERANCE[dtype] for dtype in pair)
    lc.assert_result(result, lc.expected(kind, case), tolerance, floor=1)


def check(kind, case, pair):
    case = case.rounded(*pair)
    result = lc.evaluate(kind, case, *pair)
    assert_as_expected(kind, case, pair, result)
    return result


@pytest.mark.parametrize("pattern", SAMPLED_PATTERNS)
@for_pairs
@for_kinds
def test_sampled_losses(kind, pair, pattern, check_numerics):
    for unique in (True, False):
        case = sampled_case(pattern, unique=unique).rounded(*pair)
        kept = check(kind, case, pair)
        recomputed = lc.evaluate(kind, dataclasses.replace(case, recompute=True), *pair)
        for (name, got), (_, want) in zip(lc.parts(recomputed), lc.parts(kept), strict=True):
            np.testing.assert_array_equal(got, want, err_msg=name)


@pytest.mark.parametrize("pattern", RAGGED_PATTERNS)
@for_pairs
@for_kinds
def test_ragged_losses(kind, pair, pattern, check_numerics):
    for size in (5, 1300):
        check(kind, ragged_case(pattern, size), pair)


@for_pairs
def test_ragged_logits(pair, check_numerics):
    """Those of a masked class are minus infinity, as they should be; so none is masked here."""
    check("logits", ragged_case("plain", 30), pair)


@pytest.mark.parametrize(
    "case",
    [
        sampled_case("some_masked"),
        sampled_case("hits_and_masks", recompute=True),
        ragged_case("some_masked", 5),
        ragged_case("hits_and_masks", 1300),
    ],
    ids=["sampled", "recompute", "ragged", "long_rows"],
)
@for_kinds
def test_in_a_function(kind, case, check_numerics):
    pair = (tf.float32, tf.float32)
    case = case.rounded(*pair)
    tables = [tf.Variable(x, dtype=tf.float32) for x in (case.weights, case.biases)]

    @tf.function
    def step(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = case.apply(kind, *tables, inputs)
        grad = tf.constant(case.grad(kind), tf.float32)
        return loss, tape.gradient(loss, [*tables, inputs], grad)

    loss, gradients = step(tf.constant(case.inputs, tf.float32))
    gradients = lc.reference.Gradients(*map(lc.as_dense, gradients))
    assert_as_expected(kind, case, pair, lc.Result(lc.as_float64(loss), gradients))


# A masked label has an infinite loss, but all else is finite.


def forward_outputs(kind, case, pair):
    """The outputs of the forward op by name."""
    input_type, weight_type = pair
    sum_type = lc.value_type(kind, input_type)
    arguments = {
        "weights": [tf.constant(case.weights, weight_type)],
        "biases": [tf.constant(case.biases, weight_type)],
        "inputs": tf.constant(case.inputs, input_type),
        "W": weight_type,
        "remove_accidental_hits": case.remove_accidental_hits,
    }
    if isinstance(case, sc.Case):
        op = {"softmax": "sampled_softmax_loss", "nce": "nce_loss"}[kind]
        sampled, true_count, sampled_count = case.sampled_values(sum_type)
        arguments |= {
            "labels": tf.constant(case.labels),
            "sampled_candidates": sampled,
            "true_expected_count": true_count,
            "sampled_expected_count": sampled_count,
            "hit_labels": [],
            "hit_candidates": [],
            "num_true": case.labels.shape[1],
            "recompute": case.recompute,
        }
    else:
        op = {"softmax": "ragged_sampled_softmax_loss", "nce": "ragged_nce_loss"}[kind]
        labels, candidates = rc.ragged(case.labels), rc.ragged(case.candidates)
        arguments |= {
            "A": sum_type,
            "labels": labels.values,
            "label_splits": labels.row_splits,
            "label_log_q": [],
            "label_log_q_splits": [],
            "candidates": candidates.values,
            "candidate_splits": candidates.row_splits,
            "candidate_log_q": [],
            "candidate_log_q_splits": [],
        }
    return getattr(ops, f"candsamp_{op}")(**arguments)._asdict()


@pytest.mark.parametrize("others", ["plain", "some_masked", "all_masked", "all_hits"])
@pytest.mark.parametrize("family", ["sampled", "recompute", "ragged", "long_rows"])
@for_kinds
def test_masked_labels(kind, family, others):
    for pair in PAIRS:
        if family in ("sampled", "recompute"):
            case = sampled_case(others, recompute=family == "recompute")
            case.biases[case.labels] = -np.inf
        else:
            case = ragged_case(others, 1300 if family == "long_rows" else 5)
            case.biases[np.concatenate(case.labels)] = -np.inf
        case = case.rounded(*pair)
        outputs = forward_outputs(kind, case, pair)
        np.testing.assert_array_equal(lc.as_float64(outputs.pop("loss")), np.inf)
        floats = {k: lc.as_float64(v) for k, v in outputs.items() if v.dtype.is_floating}
        assert len(floats) >= 3
        for name, values in floats.items():
            assert np.isfinite(values).all(), name
        result = lc.evaluate(kind, case, *pair)
        np.testing.assert_array_equal(result.value, np.inf)
        for name, values in lc.parts(result)[1:]:
            assert np.isfinite(values).all(), name
        if others in ("plain", "some_masked"):
            assert_as_expected(kind, case, pair, result)
