# SPDX-License-Identifier: Apache-2.0
"""Ranks of labels and the best classes: against NumPy, and consistent with each other."""

import exact_cases as ec
import loss_cases as lc
import numpy as np
import pytest
import reference
import tensorflow as tf

import tf_candsamp as tfcs

SHAPES = {
    "tiny": {"rows": 1, "classes": 1, "depth": 1},
    "small": {"rows": 7, "classes": 50, "depth": 5},
    "tails": {"rows": 131, "classes": 1000, "depth": 7},
    "panels": {"rows": 270, "classes": 1700, "depth": 4},
    "few_rows": {"rows": 3, "classes": 20_000, "depth": 3},
}
KS = (0, 1, 17, 400)


def integer_case(seed, *, rows, classes, depth, num_true=3, levels=3):
    """Logits are small integers, which every type holds exactly: there are many ties."""
    rng = np.random.default_rng(seed)
    case = ec.random_case(seed, rows=rows, classes=classes, depth=depth, num_true=num_true)
    case.weights = rng.integers(-levels, levels + 1, [classes, depth]).astype(float)
    case.biases = rng.integers(-levels, levels + 1, classes).astype(float)
    case.inputs = rng.integers(-levels, levels + 1, [rows, depth]).astype(float)
    return case


def random_excluded(case, rng, most=40):
    """Ids of each row, with repeats, some of them labels."""
    classes = len(case.weights)
    rows = []
    for labels in case.labels:
        count = rng.integers(0, min(most, classes // 2) + 1)
        ids = rng.integers(0, classes, count)
        rows.append(np.concatenate([ids, ids[:3], labels[: rng.integers(0, 2)]]).tolist())
    return rows


def expected_top(logits, k, exclude=None):
    return np.array([row[:k] for row in orders(logits, exclude)], np.int64).reshape(len(logits), k)


def orders(logits, exclude=None):
    """The classes of each row that compete, best first."""
    return [
        reference.class_order(row, () if exclude is None else exclude[i])
        for i, row in enumerate(logits)
    ]


@pytest.mark.parametrize("excluding", [False, True], ids=["all", "excluding"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("pair", lc.TYPE_PAIRS, ids=lc.type_names)
def test_ranks_and_best_classes_are_those_of_numpy(shape, pair, excluding):
    """With exact logits, so that every tie is one in NumPy as well."""
    rng = np.random.default_rng(1)
    case = integer_case(1, **shape)
    exclude = random_excluded(case, rng) if excluding else None
    weights = tf.Variable(case.weights, dtype=pair[1])
    biases = tf.Variable(case.biases, dtype=pair[1])
    inputs = tf.constant(case.inputs, pair[0])
    logits = reference.class_logits(case.weights, case.biases, case.inputs)
    rank = tfcs.label_rank(weights, biases, case.labels, inputs, exclude=exclude)
    assert rank.dtype == tf.int64
    np.testing.assert_array_equal(rank, reference.label_rank(logits, case.labels, exclude))
    ordered = orders(logits, exclude)
    fewest = min(map(len, ordered))
    for k in {min(k, fewest) for k in KS}:
        best = tfcs.top_k(weights, biases, inputs, k, exclude=exclude)
        want = np.array([row[:k] for row in ordered], np.int64).reshape(len(logits), k)
        np.testing.assert_array_equal(best.indices, want)
        np.testing.assert_array_equal(best.values, np.take_along_axis(logits, want, 1))
        assert best.values.dtype == lc.value_type("loss", pair[0])
        assert best.indices.dtype == tf.int64


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"temperature": 0.3},
        {"normalize": True},
        {"temperature": 2.0, "normalize": True},
    ],
    ids=["plain", "temperature", "normalize", "both"],
)
@pytest.mark.parametrize("pair", lc.TYPE_PAIRS, ids=lc.type_names)
def test_rank_is_below_k_exactly_where_top_k_holds_the_label(pair, options):
    """With real logits and every row of the table there several times, in distant places."""
    rng = np.random.default_rng(2)
    few = rng.normal(size=[23, 13])
    places = rng.integers(0, 23, 2000)
    weights = tf.Variable(few[places], dtype=pair[1])
    biases = tf.Variable(rng.normal(size=23)[places], dtype=pair[1])
    inputs = tf.constant(rng.normal(size=[37, 13]), pair[0])
    labels = rng.integers(0, 2000, [37, 4])
    rank = tfcs.label_rank(weights, biases, labels, inputs, **options).numpy()
    for k in (1, 5, 100, 700, 2000):
        best = tfcs.top_k(weights, biases, inputs, k, **options)
        held = (best.indices.numpy()[:, None, :] == labels[:, :, None]).any(2)
        np.testing.assert_array_equal(rank < k, held)
    # All ids, each once, sorted; and equal rows, which are equal logits, by ascending id.
    values, ids = best.values.numpy(), best.indices.numpy()
    np.testing.assert_array_equal(np.sort(ids, 1), np.tile(np.arange(2000), (37, 1)))
    assert (np.diff(values) <= 0).all()
    same = places[ids][:, 1:] == places[ids][:, :-1]
    assert same.sum() >= 37 * (2000 - 23)
    assert (np.diff(values)[same] == 0).all() and (np.diff(ids)[same] > 0).all()
    np.testing.assert_array_equal(np.take_along_axis(ids, rank, 1), labels)


def test_a_table_of_identical_rows_is_in_order_of_ids():
    weights = tf.Variable(tf.tile([[0.1, 0.7, -0.3]], [5000, 1]))
    inputs = tf.constant(np.random.default_rng(3).normal(size=[9, 3]), tf.float32)
    best = tfcs.top_k(weights, None, inputs, 300)
    np.testing.assert_array_equal(best.indices, np.tile(np.arange(300), (9, 1)))
    labels = np.arange(9) * 600
    np.testing.assert_array_equal(tfcs.label_rank(weights, None, labels, inputs), labels)


@pytest.mark.parametrize("place", [0, 7, 8, 63, 64, 100])
def test_a_row_has_one_rank_wherever_it_is_in_the_batch(place):
    rng = np.random.default_rng(4)
    weights, biases = rng.normal(size=[700, 33]), rng.normal(size=700)
    inputs = rng.normal(size=[101, 33])
    alone = tfcs.top_k(weights, biases, inputs[place : place + 1], 700)
    among = tfcs.top_k(weights, biases, inputs, 700)
    np.testing.assert_array_equal(alone.values[0], among.values[place])
    np.testing.assert_array_equal(alone.indices[0], among.indices[place])


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64], ids=lambda dtype: dtype.name)
def test_order_of_special_logits(dtype):
    """Infinity, numbers, zeros of both signs and tiny numbers, minus infinity, NaN; ties by id."""
    tiny = np.finfo(dtype.as_numpy_dtype).tiny
    kinds = [np.nan, -np.inf, -1.0, -tiny, tiny / 4, 0.0, -0.0, -tiny / 2, tiny, 1.0, np.inf]
    grade = np.array([0, 1, 2, 3, 4, 4, 4, 4, 5, 6, 7])
    places = np.random.default_rng(5).integers(0, len(kinds), 900)
    biases = tf.constant(np.array(kinds)[places], dtype)
    weights, inputs = tf.zeros([900, 2], dtype), tf.ones([2, 2], dtype)
    want = np.lexsort((np.arange(900), -grade[places]))
    for k in (1, 20, 899, 900):
        best = tfcs.top_k(weights, biases, inputs, k)
        np.testing.assert_array_equal(best.indices, [want[:k]] * 2)
    rank = tfcs.label_rank(weights, biases, [np.arange(900)] * 2, inputs)
    np.testing.assert_array_equal(rank, [np.argsort(want)] * 2)


def test_all_logits_nan():
    weights, inputs = tf.fill([500, 2], np.nan), tf.ones([3, 2])
    best = tfcs.top_k(weights, None, inputs, 250)
    np.testing.assert_array_equal(best.indices, [np.arange(250)] * 3)
    assert np.isnan(best.values).all()
    labels = [0, 100, 499]
    np.testing.assert_array_equal(tfcs.label_rank(weights, None, labels, inputs), labels)


def forms(rows):
    ragged = tf.ragged.constant(rows, tf.int64)
    return {
        "lists": rows,
        "ragged": ragged,
        "int32": tf.cast(ragged, tf.int32),
        "sparse": ragged.to_sparse(),
    }


@pytest.mark.parametrize("form", ["lists", "ragged", "int32", "sparse"])
def test_exclude_takes_every_ragged_form(form):
    case = integer_case(6, rows=5, classes=300, depth=4)
    exclude = [[7, 250, 7], [], [0], [299, 3, 100], [1, 2]]
    logits = reference.class_logits(case.weights, case.biases, case.inputs)
    arguments = case.weights, case.biases
    rank = tfcs.label_rank(*arguments, case.labels, case.inputs, exclude=forms(exclude)[form])
    np.testing.assert_array_equal(rank, reference.label_rank(logits, case.labels, exclude))
    best = tfcs.top_k(*arguments, case.inputs, 20, exclude=forms(exclude)[form])
    np.testing.assert_array_equal(best.indices, expected_top(logits, 20, exclude))


def test_dense_exclude():
    case = integer_case(7, rows=4, classes=300, depth=4)
    exclude = np.random.default_rng(7).integers(0, 300, [4, 30])
    logits = reference.class_logits(case.weights, case.biases, case.inputs)
    best = tfcs.top_k(case.weights, case.biases, case.inputs, 250, exclude=exclude)
    np.testing.assert_array_equal(best.indices, expected_top(logits, 250, exclude))


def test_the_label_always_competes():
    weights, inputs = tf.eye(4), tf.constant([[4.0, 3.0, 2.0, 1.0]])
    assert tfcs.label_rank(weights, None, [2], inputs).numpy() == [2]
    assert tfcs.label_rank(weights, None, [2], inputs, exclude=[[2]]).numpy() == [2]
    assert tfcs.label_rank(weights, None, [2], inputs, exclude=[[0, 2, 0]]).numpy() == [1]
    # Another label of the row is a class like any other.
    both = tfcs.label_rank(weights, None, [[2, 1]], inputs, exclude=[[1]]).numpy()
    assert both.tolist() == [[1, 1]]


def test_softcap_changes_values_and_not_the_order():
    """Far above the cap all logits are equal, and the order still is that of the logits."""
    case = ec.random_case(8, rows=5, classes=300, depth=4, scale=20.0)
    capped = tfcs.top_k(case.weights, case.biases, case.inputs, 50, logit_softcap=2.0)
    plain = tfcs.top_k(case.weights, case.biases, case.inputs, 50)
    np.testing.assert_array_equal(capped.indices, plain.indices)
    np.testing.assert_allclose(capped.values, 2 * np.tanh(plain.values / 2), rtol=1e-12)
    assert (capped.values.numpy()[:, :2] == 2.0).all()


@pytest.mark.parametrize("options", ec.OPTIONS.values(), ids=ec.OPTIONS)
def test_values_are_the_logits_of_the_definition(options):
    case = ec.random_case(9, rows=20, classes=700, depth=9)
    best = tfcs.top_k(case.weights, case.biases, case.inputs, 700, **options)
    logits = reference.class_logits(case.weights, case.biases, case.inputs, **options)
    lc.assert_close(best.values, np.take_along_axis(logits, best.indices.numpy(), 1), 1e-13)


@pytest.mark.parametrize("strategy", ["div", "mod"])
def test_shards_and_padded_tables(strategy):
    case = integer_case(10, rows=6, classes=600, depth=4)
    case.labels %= 500
    deal = {"div": lambda t: np.split(t, 3), "mod": lambda t: [t[k::3] for k in range(3)]}[strategy]
    weights = [tf.Variable(part, dtype=tf.float32) for part in deal(case.weights)]
    biases = [tf.Variable(part, dtype=tf.float32) for part in deal(case.biases)]
    options = {"num_classes": 500, "partition_strategy": strategy}
    logits = reference.class_logits(case.weights, case.biases, case.inputs, num_classes=500)
    rank = tfcs.label_rank(
        weights, biases, case.labels, tf.constant(case.inputs, tf.float32), **options
    )
    np.testing.assert_array_equal(rank, reference.label_rank(logits, case.labels))
    best = tfcs.top_k(weights, biases, tf.constant(case.inputs, tf.float32), 499, **options)
    np.testing.assert_array_equal(best.indices, expected_top(logits, 499))


@pytest.mark.parametrize("shape", [(0,), (0, 3)])
def test_empty_batches(shape):
    weights, inputs = tf.Variable(tf.ones([20, 3])), tf.zeros([0, 3])
    assert tfcs.label_rank(weights, None, np.zeros(shape, int), inputs).shape == shape
    best = tfcs.top_k(weights, None, inputs, 5, exclude=tf.ragged.constant([], ragged_rank=1))
    assert best.values.shape == best.indices.shape == [0, 5]


def test_k_may_be_a_tensor():
    weights, inputs = tf.eye(4), tf.constant([[4.0, 3.0, 2.0, 1.0]])

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32)])
    def best(k):
        return tfcs.top_k(weights, None, inputs, k).indices

    assert best(2).numpy().tolist() == [[0, 1]]
    assert best(0).shape == [1, 0]
    constant = tf.function(lambda: tfcs.top_k(weights, None, inputs, tf.constant(3)))
    assert constant.get_concrete_function().structured_outputs.values.shape == [1, 3]


def test_no_gradient_flows_back():
    weights, inputs = tf.Variable(tf.eye(3)), tf.Variable(tf.ones([2, 3]))
    with tf.GradientTape(persistent=True) as tape:
        best = tfcs.top_k(weights, None, inputs, 2)
        rank = tf.cast(tfcs.label_rank(weights, None, [0, 1], inputs), tf.float32)
    assert tape.gradient(best.values, [weights, inputs]) == [None, None]
    assert tape.gradient(rank, [weights, inputs]) == [None, None]
