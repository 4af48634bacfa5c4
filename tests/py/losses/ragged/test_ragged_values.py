# SPDX-License-Identifier: Apache-2.0
"""Ragged losses and logits: values and gradients against NumPy, and against TensorFlow ops."""

import itertools

import loss_cases as lc
import numpy as np
import pytest
import ragged_cases as rc
import tensorflow as tf

import tf_candsamp as tfcs

# For each shape what makes it, and the largest error of each part in machine epsilons, relative
# to the part's largest value: about twice what was measured in float32 and float64, seeds 0 .. 5.
# Logits of standard deviation sqrt(depth) and sums of thousands of terms cost what they must.
SHAPES = {
    "small": ({}, 8),
    "one_row": ({"rows": 1, "candidates": (5, 5)}, 8),
    "depth_1": ({"depth": 1}, 8),
    "odd_depth": ({"depth": 37}, 8),
    "deep": ({"rows": 30, "depth": 256, "candidates": (0, 300)}, 25),
    "many_labels": ({"rows": 4, "labels": (9, 40)}, 8),
    "long_rows": ({"rows": 3, "candidates": (600, 3000), "depth": 16, "classes": 5000}, 16),
    "thousands_of_labels": (
        {"rows": 3, "labels": (2000, 4000), "candidates": (3000, 4000), "depth": 8}
        | {"classes": 100_000},
        60,
    ),
    "hot_class": ({"rows": 1000, "classes": 3}, 70),
}
EPSILON = {dtype: np.finfo(dtype.as_numpy_dtype).eps for dtype in (tf.float32, tf.float64)}


def check(kind, case, factor=8, dtype=tf.float64, table=tf.Variable):
    case = case.rounded(dtype)
    actual = lc.evaluate(kind, case, dtype, table=table)
    lc.assert_result(actual, lc.expected(kind, case), factor * EPSILON[dtype])
    return actual


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64], ids=lambda t: t.name)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", rc.KINDS)
def test_agrees_with_reference(kind, shape, dtype):
    options, factor = SHAPES[shape]
    check(kind, rc.random_case(1, **options), factor, dtype)


@pytest.mark.parametrize(
    "biases, log_q, remove", itertools.product([False, True], [False, True], [False, True])
)
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_options(kind, biases, log_q, remove):
    # Ten classes: most rows hold hits.
    case = rc.random_case(2, classes=10, biases=biases, log_q=log_q, remove_accidental_hits=remove)
    check(kind, case)


@pytest.mark.parametrize("which", ["label_log_q", "candidate_log_q"])
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_one_log_q_alone(kind, which):
    case = rc.random_case(3)
    setattr(case, which, None)
    check(kind, case)


def composed(kind, case, weights, biases, inputs):
    """The same function made of TensorFlow's gather and segment ops."""
    labels, candidates = rc.ragged(case.labels), rc.ragged(case.candidates)
    if kind == "logits":
        return composed_logits(weights, biases, inputs, candidates)
    rows = len(case.inputs)
    true = composed_logits(weights, biases, inputs, labels) - np.concatenate(case.label_log_q)
    negative = composed_logits(weights, biases, inputs, candidates)
    negative -= np.concatenate(case.candidate_log_q)
    true_rows, negative_rows = labels.value_rowids(), candidates.value_rowids()
    if case.remove_accidental_hits:
        same_row = negative_rows[:, None] == true_rows[None, :]
        same_id = candidates.flat_values[:, None] == labels.flat_values[None, :]
        kept = ~tf.reduce_any(same_row & same_id, axis=1)
        negative, negative_rows = negative[kept], negative_rows[kept]
    z = tf.concat([true, negative], 0)
    row = tf.concat([true_rows, negative_rows], 0)
    target = tf.math.unsorted_segment_mean(true, true_rows, rows)
    if kind == "nce":
        return tf.math.unsorted_segment_sum(tf.nn.softplus(z), row, rows) - target
    largest = tf.stop_gradient(tf.math.unsorted_segment_max(z, row, rows))
    exponentials = tf.exp(z - tf.gather(largest, row))
    return largest + tf.math.log(tf.math.unsorted_segment_sum(exponentials, row, rows)) - target


def composed_logits(weights, biases, inputs, ids):
    rows = tf.gather(inputs, ids.value_rowids())
    products = tf.reduce_sum(tf.gather(weights, ids.flat_values) * rows, axis=1)
    return products + tf.gather(biases, ids.flat_values)


@pytest.mark.parametrize("remove", [False, True])
@pytest.mark.parametrize("kind", rc.KINDS)
def test_agrees_with_tensorflow_ops(kind, remove):
    case = rc.random_case(4, classes=12, labels=(0 if kind == "nce" else 1, 3))
    case.remove_accidental_hits = remove
    case = case.rounded(tf.float64)
    weights, biases = tf.Variable(case.weights), tf.Variable(case.biases)
    inputs = tf.constant(case.inputs)
    results = []
    for function in (lc.apply, composed):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            value = function(kind, case, weights, biases, inputs)
        gradients = tape.gradient(value, [weights, biases, inputs], case.grad(kind))
        gradients = [tf.convert_to_tensor(gradient).numpy() for gradient in gradients]
        results.append(lc.Result(value.numpy(), rc.reference.Gradients(*gradients)))
    lc.assert_result(*results, 8 * EPSILON[tf.float64])


@pytest.mark.parametrize("kind", rc.KINDS)
def test_numeric_gradients(kind):
    case = rc.random_case(5, rows=3, classes=6, depth=3, candidates=(0, 5)).rounded(tf.float64)

    def function(weights, biases, inputs):
        return lc.apply(kind, case, weights, biases, inputs)

    analytic, numeric = tf.test.compute_gradient(
        function, [tf.constant(x) for x in (case.weights, case.biases, case.inputs)], delta=1e-5
    )
    for got, want in zip(analytic, numeric, strict=True):
        assert np.abs(want).max() > 0.01
        np.testing.assert_allclose(got, want, rtol=0, atol=3e-10)


def losses(labels, candidates, rows=3, **options):
    """Both losses, in float64, for whatever form the ids have."""
    case = rc.random_case(6, rows=rows, classes=9, depth=4).rounded(tf.float64)
    return [
        rc.FUNCTIONS[kind](
            tf.constant(case.weights), case.biases, labels, case.inputs, candidates, **options
        ).numpy()
        for kind in lc.LOSSES
    ]


LABELS = [[1, 2], [3, 3], [8, 0]]
CANDIDATES = [[4, 5], [6, 7], [8, 4]]


@pytest.mark.parametrize(
    "form",
    {
        "list": lambda rows: rows,
        "tuple": lambda rows: tuple(map(tuple, rows)),
        "numpy": np.array,
        "numpy_int32": lambda rows: np.array(rows, np.int32),
        "int32": lambda rows: tf.constant(rows, tf.int32),
        "int64": lambda rows: tf.constant(rows, tf.int64),
        "variable": lambda rows: tf.Variable(rows, dtype=tf.int64),
        "ragged": rc.ragged,
        "ragged_int32": lambda rows: rc.ragged(rows, tf.int32),
        "ragged_splits_int32": lambda rows: rc.ragged(rows, tf.int64, tf.int32),
        "ragged_all_int32": lambda rows: rc.ragged(rows, tf.int32, tf.int32),
        "ragged_of_dense": tf.RaggedTensor.from_tensor,
        "ragged_uniform": lambda rows: tf.RaggedTensor.from_uniform_row_length(
            tf.reshape(tf.constant(rows), [-1]), 2
        ),
    }.items(),
    ids=lambda form: form[0],
)
def test_forms_of_ids(form):
    want = losses(rc.ragged(LABELS), rc.ragged(CANDIDATES))
    np.testing.assert_array_equal(losses(form[1](LABELS), rc.ragged(CANDIDATES)), want)
    np.testing.assert_array_equal(losses(rc.ragged(LABELS), form[1](CANDIDATES)), want)


@pytest.mark.parametrize(
    "labels",
    [
        [1, 3, 8],
        (1, 3, 8),
        [np.int32(1), np.int32(3), np.int32(8)],
        np.array([1, 3, 8]),
        tf.constant([1, 3, 8]),
        tf.constant([1, 3, 8], tf.int64),
        [[1], [3], [8]],
        tf.constant([[1], [3], [8]]),
    ],
    ids=["list", "tuple", "scalars", "numpy", "int32", "int64", "column_list", "column"],
)
def test_one_label_a_row(labels):
    want = losses(rc.ragged([[1], [3], [8]]), rc.ragged(CANDIDATES))
    np.testing.assert_array_equal(losses(labels, rc.ragged(CANDIDATES)), want)


def test_nested_lists_of_different_lengths():
    labels, candidates = [[1], [2, 3, 3]], [[], [5, 6]]
    log_q = {"label_log_q": [[-1.0], [0.5, 2.0, 1.0]], "candidate_log_q": [[], [3.0, 1.0]]}
    tensors = {name: rc.ragged(rows, tf.float32) for name, rows in log_q.items()}
    want = losses(rc.ragged(labels), rc.ragged(candidates), rows=2, **tensors)
    np.testing.assert_array_equal(losses(labels, candidates, rows=2, **log_q), want)


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16, tf.float32, tf.float64], ids=str)
@pytest.mark.parametrize(
    "form", [lambda x: x, np.array, tf.constant, tf.RaggedTensor.from_tensor], ids=range(4)
)
def test_forms_of_log_q(form, dtype):
    log_q = [[-1.0, 0.5], [2.0, 1.0], [0.0, -3.0]]
    tensor = rc.ragged(log_q, tf.float32)
    want = losses(LABELS, CANDIDATES, label_log_q=tensor, candidate_log_q=tensor)
    assert not np.array_equal(want, losses(LABELS, CANDIDATES))
    value = form(log_q)
    if tf.is_tensor(value):
        value = tf.cast(value, dtype)
    got = losses(LABELS, CANDIDATES, label_log_q=value, candidate_log_q=value)
    np.testing.assert_array_equal(got, want)


def test_log_q_of_one_label_a_row():
    log_q = rc.ragged([[0.5], [1.0], [2.0]], tf.float32)
    want = losses(rc.ragged([[1], [3], [8]]), CANDIDATES, label_log_q=log_q)
    got = losses([1, 3, 8], CANDIDATES, label_log_q=[0.5, 1.0, 2.0])
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("splits_type", [tf.int32, tf.int64], ids=lambda t: t.name)
def test_logits_have_the_splits_of_candidates(splits_type):
    candidates = rc.ragged([[1], [], [2, 0]], tf.int32, splits_type)
    logits = tfcs.ragged_candidate_logits(tf.eye(3), [[0.0, 1, 2]], tf.eye(3), candidates)
    assert isinstance(logits, tf.RaggedTensor)
    assert logits.row_splits.dtype == splits_type
    assert logits.to_list() == [[1], [], [3, 0]]


@pytest.mark.parametrize("candidates", [[[1], [], [2, 0]], [[0, 1], [1, 2], [2, 2]]])
def test_logits_of_lists(candidates):
    logits = tfcs.ragged_candidate_logits(tf.eye(3), None, tf.eye(3), candidates)
    want = [[float(c == i) for c in row] for i, row in enumerate(candidates)]
    assert isinstance(logits, tf.RaggedTensor)
    assert logits.to_list() == want


def test_softmax_by_hand():
    # Logits 1 and 2 of the labels, 0 of the candidates; the hits, both of them, are dropped.
    weights = tf.constant([[0.0], [1.0], [2.0]])
    loss = tfcs.ragged_sampled_softmax_loss(
        weights, None, [[1, 2]], [[1.0]], [[0, 1, 0, 1]], candidate_log_q=[[0.0, 9, 0, 9]]
    )
    np.testing.assert_allclose(loss, [np.log(2 + np.e + np.e**2) - 1.5], rtol=2e-7)


def test_nce_by_hand():
    weights = tf.constant([[0.0], [1.0], [2.0]])
    loss = tfcs.ragged_nce_loss(weights, None, [[2]], [[1.0]], [[0, 1, 2]], label_log_q=[[1.0]])
    np.testing.assert_allclose(loss, [np.log(2) + 2 * np.log(1 + np.e) - 1], rtol=2e-7)


@pytest.mark.parametrize("num_labels", [1, 8, 9, 600])
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_every_duplicate_of_a_hit_is_dropped(kind, num_labels):
    case = rc.random_case(7, rows=3, classes=2000, labels=(num_labels,) * 2, candidates=(40, 40))
    for labels, candidates in zip(case.labels, case.candidates, strict=True):
        candidates[::2] = np.random.default_rng(0).choice(labels, 20)
    with_hits = check(kind, case, factor=16)
    for i, labels in enumerate(case.labels):
        kept = ~np.isin(case.candidates[i], labels)
        assert kept.sum() <= 20
        case.candidates[i] = case.candidates[i][kept]
        case.candidate_log_q[i] = case.candidate_log_q[i][kept]
    case.remove_accidental_hits = False
    without_hits = check(kind, case, factor=16)
    np.testing.assert_allclose(with_hits.value, without_hits.value, rtol=1e-13)


@pytest.mark.parametrize("kind", lc.LOSSES)
def test_duplicates_count_each_time(kind):
    case = rc.random_case(8, rows=2, classes=30, log_q=False)
    case.labels = [np.array([3, 3, 3, 4]), np.array([5, 5])]
    case.candidates = [np.array([7, 7, 9]), np.array([7, 7, 7, 7])]
    twice = check(kind, case)
    case.candidates = [np.unique(row) for row in case.candidates]
    assert not np.allclose(twice.value, check(kind, case).value)


@pytest.mark.parametrize("kind", lc.LOSSES)
def test_all_candidates_dropped(kind):
    case = rc.random_case(9, rows=2, classes=30, log_q=False)
    case.candidates = [np.repeat(labels, 700) for labels in case.labels]
    check(kind, case)


@pytest.mark.parametrize("kind", rc.KINDS)
def test_rows_without_candidates(kind):
    check(kind, rc.random_case(10, candidates=(0, 0)))
    check(kind, rc.random_case(11, candidates=(0, 1)))


def test_one_label_and_no_candidate_cost_nothing():
    actual = check("softmax", rc.random_case(12, labels=(1, 1), candidates=(0, 0)))
    np.testing.assert_array_equal(actual.value, np.zeros(7))
    np.testing.assert_array_equal(actual.gradients.weights, np.zeros([50, 5]))


@pytest.mark.parametrize("candidates", [(0, 0), (0, 9), (600, 1200)])
def test_nce_rows_without_labels(candidates):
    case = rc.random_case(13, labels=(0, 1), candidates=candidates)
    assert min(map(len, case.labels)) == 0
    check("nce", case, factor=16)


@pytest.mark.parametrize("depth", [0, 3])
@pytest.mark.parametrize("kind", rc.KINDS)
def test_no_rows(kind, depth):
    actual = check(kind, rc.random_case(14, rows=0, depth=depth))
    assert actual.value.shape == (0,)
    assert actual.gradients.inputs.shape == (0, depth)


@pytest.mark.parametrize("kind", lc.LOSSES)
def test_no_rows_of_dense_ids(kind):
    for labels in ([], np.zeros([0, 3], np.int64)):
        loss = rc.FUNCTIONS[kind](
            tf.ones([3, 2]), None, labels, tf.zeros([0, 2]), np.zeros([0, 4], np.int32)
        )
        assert loss.shape == (0,)


@pytest.mark.parametrize("kind", rc.KINDS)
def test_depth_0(kind):
    check(kind, rc.random_case(15, depth=0, candidates=(0, 1500)), factor=16)


def test_no_classes_at_all():
    weights = tf.Variable(tf.zeros([0, 3]))
    with tf.GradientTape() as tape:
        loss = tfcs.ragged_nce_loss(weights, None, rc.ragged([[]]), tf.ones([1, 3]), [[]])
    assert loss.numpy().tolist() == [0]
    assert tape.gradient(loss, weights).dense_shape.numpy().tolist() == [0, 3]


@pytest.mark.parametrize("kind", rc.KINDS)
def test_a_million_candidates_in_one_row(kind):
    case = rc.random_case(
        16, rows=3, classes=1000, depth=4, candidates=(0, 3), remove_accidental_hits=False
    )
    rng = np.random.default_rng(0)
    case.candidates[1] = rng.integers(0, 1000, 1_000_000)
    case.candidate_log_q[1] = rng.normal(0, 1, 1_000_000)
    check(kind, case, factor=120)


@pytest.mark.parametrize("masked", ["candidates", "all_but_one_segment", "some_labels"])
@pytest.mark.parametrize("size", [20, 3000])
@pytest.mark.parametrize("kind", rc.KINDS)
def test_minus_infinity_masks_a_class(kind, size, masked):
    case = rc.random_case(17, rows=3, classes=5000, candidates=(size, size), log_q=False)
    case.labels = [np.array([1, 2]), np.array([3]), np.array([4, 4, 5])]
    if masked == "candidates":
        case.biases[6:] = -np.inf
    elif masked == "all_but_one_segment":
        # The only finite logit comes last, and the largest first, or the other way round.
        case.biases[6:] = -np.inf
        for row in case.candidates:
            row[-1], row[0] = 0, 7
        case.biases[0] = 5
    else:
        case.biases[5] = -np.inf
    actual = check(kind, case, factor=16)
    assert not any(np.isnan(part).any() for _, part in lc.parts(actual))
    if masked == "some_labels" and kind != "logits":
        assert actual.value[2] == np.inf


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64], ids=lambda t: t.name)
@pytest.mark.parametrize("size", [20, 3000])
@pytest.mark.parametrize("kind", rc.KINDS)
def test_extreme_logits_do_not_overflow(kind, size, dtype):
    case = rc.random_case(19, classes=5000, candidates=(size, size), log_q=False)
    case.biases = np.random.default_rng(0).choice([-1e4, -100.0, 0.0, 100.0, 1e4], 5000)
    # exp and softplus of logits of 1e4 amplify the logits' own rounding errors.
    check(kind, case, factor=1300, dtype=dtype)


@pytest.mark.parametrize("where", [0, 5, 700])
@pytest.mark.parametrize("kind", rc.KINDS)
def test_nan_stays_in_its_row(kind, where):
    case = rc.random_case(20, rows=3, classes=2000, candidates=(where + 1, where + 9))
    case.inputs[1, 2] = np.nan
    want = lc.expected(kind, case)
    actual = check(kind, case, factor=16)
    assert np.isnan(want.value).any() and np.isfinite(want.value).any()
    assert np.isnan(actual.gradients.weights).any()
    assert np.isfinite(actual.gradients.inputs[[0, 2]]).all()


@pytest.mark.parametrize("size", [5, 1500])
@pytest.mark.parametrize("kind", rc.KINDS)
def test_nan_in_one_class_row(kind, size):
    case = rc.random_case(21, rows=3, classes=9000, candidates=(size, size))
    case.weights[case.candidates[1][size - 1]] = np.nan
    check(kind, case, factor=16)


@pytest.mark.parametrize("count", [511, 512, 513, 1024, 1025])
@pytest.mark.parametrize("labels", [1, 2, 511, 512, 513])
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_rows_about_as_long_as_segments(kind, labels, count):
    candidates = count - labels if count > labels else 1
    case = rc.random_case(
        22, rows=2, classes=9000, depth=3, labels=(labels,) * 2, candidates=(candidates,) * 2
    )
    check(kind, case, factor=30)


@pytest.mark.parametrize("kind", rc.KINDS)
def test_gradient_of_zero_rows_is_zero(kind):
    """A row that the total ignores contributes nothing."""
    case = rc.random_case(23, rows=2).rounded(tf.float64)
    weights = tf.Variable(case.weights)
    inputs = tf.constant(case.inputs)
    first = len(case.candidates[0]) if kind == "logits" else 1
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        total = tf.reduce_sum(lc.apply(kind, case, weights, case.biases, inputs)[:first])
    by_weights, by_inputs = tape.gradient(total, [weights, inputs])
    assert np.abs(by_inputs[0]).max() > 0
    np.testing.assert_array_equal(by_inputs[1], np.zeros(5))
    only_second = np.setdiff1d(
        np.concatenate([case.labels[1], case.candidates[1]]),
        np.concatenate([case.labels[0], case.candidates[0]]),
    )
    np.testing.assert_array_equal(lc.as_dense(by_weights)[only_second], 0)


def test_a_confident_label_costs_nothing_in_nce():
    # softplus(1e4) - 1e4 must not swallow the candidate's log 2.
    loss = tfcs.ragged_nce_loss([[[0.0], [1e4]]], None, [1], [[1.0]], [[0]])
    np.testing.assert_allclose(loss, [np.log(2)], rtol=2e-7)


def test_candidates_as_a_list_of_arrays():
    rows = [np.array([1, 2]), np.array([], np.int64), np.array([0])]
    logits = tfcs.ragged_candidate_logits(tf.eye(3), None, tf.eye(3), rows)
    assert logits.to_list() == [[0, 0], [], [0]]


def test_candidates_as_an_empty_list():
    logits = tfcs.ragged_candidate_logits(tf.eye(3), None, tf.zeros([0, 3]), [])
    assert logits.to_list() == []
