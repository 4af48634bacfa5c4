# SPDX-License-Identifier: Apache-2.0
"""Class ids of every numeric type that tf.nn's users have: as int64, and labels of floats as well.

Whatever the type, results have the bits of the call with int64.
"""

import warnings

import loss_cases as lc
import ml_dtypes
import numpy as np
import pytest
import ragged_cases as rc
import sampled_cases as sc
import sampler_cases as spc
import tensorflow as tf
from calls import MODES, in_mode, refused

import tf_candsamp as tfcs

INTEGERS = ("int8", "int16", "int32", "uint8", "uint16", "uint32", "uint64")
FLOATS = ("float16", "bfloat16", "float32", "float64")
DENSE = sc.random_case(1).rounded(tf.float32)
RAGGED = rc.random_case(1).rounded(tf.float32)
CORE = {"softmax": tf.nn.sampled_softmax_loss, "nce": tf.nn.nce_loss}
V = 10

types = pytest.mark.parametrize("dtype", INTEGERS + FLOATS)
integers = pytest.mark.parametrize("dtype", INTEGERS)
modes = pytest.mark.parametrize("mode", MODES)
losses = pytest.mark.parametrize("kind", lc.LOSSES)


def array(values, dtype):
    return np.asarray(values).astype(tf.as_dtype(dtype).as_numpy_dtype)


def with_gradients(loss_of, weights, inputs):
    """The loss and its gradients for tables and inputs that are constants."""
    weights, inputs = tf.constant(weights, tf.float32), tf.constant(inputs, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch([weights, inputs])
        loss = loss_of(weights, inputs)
    by_weights, by_inputs = tape.gradient(loss, [weights, inputs])
    return loss, by_weights.indices, by_weights.values, by_inputs


def dense_loss(kind, labels, sampled=DENSE.sampled, **options):
    values = (sampled, DENSE.true_expected_count, DENSE.sampled_expected_count)
    return with_gradients(
        lambda weights, inputs: sc.FUNCTIONS[kind](
            weights, None, labels, inputs, **DENSE.sizes(), sampled_values=values, **options
        ),
        DENSE.weights,
        DENSE.inputs,
    )


def ragged_loss(kind, labels, candidates):
    return with_gradients(
        lambda weights, inputs: rc.FUNCTIONS[kind](weights, None, labels, inputs, candidates),
        RAGGED.weights,
        RAGGED.inputs,
    )


def assert_same(results, others):
    for got, want in zip(results, others, strict=True):
        np.testing.assert_array_equal(got, want)


# Labels of the losses.


@modes
@types
def test_labels_of_dense_losses(dtype, mode):
    labels = tf.constant(array(DENSE.labels, dtype))
    for kind in lc.LOSSES:
        want = dense_loss(kind, DENSE.labels)
        assert_same(in_mode(mode, lambda ids, kind=kind: dense_loss(kind, ids), labels), want)
        assert_same(dense_loss(kind, labels.numpy()), want)


@types
@losses
def test_labels_are_cast_as_tf_nn_casts_them(kind, dtype):
    """Fractions are cut off."""
    labels = array(DENSE.labels, dtype)
    if dtype in FLOATS:
        labels = labels + array(0.75, dtype)
    arguments = (
        tf.constant(DENSE.weights, tf.float32),
        tf.constant(DENSE.biases, tf.float32),
        tf.constant(labels),
        tf.constant(DENSE.inputs, tf.float32),
    )
    options = DENSE.sizes() | {"sampled_values": DENSE.sampled_values()}
    got = sc.FUNCTIONS[kind](*arguments, **options)
    lc.assert_close(got, CORE[kind](*arguments, **options), 1e-5)


@modes
@types
@pytest.mark.parametrize("form", ["vector", "matrix", "ragged", "rows"])
def test_labels_of_ragged_losses(form, dtype, mode):
    kind = "nce" if form == "matrix" else "softmax"
    ids = [row[:1] for row in RAGGED.labels] if form in ("vector", "matrix") else RAGGED.labels
    candidates = rc.ragged(RAGGED.candidates)
    want = ragged_loss(kind, rc.ragged(ids), candidates)
    if form == "rows":
        labels = [array(row, dtype) for row in ids]
        got = in_mode(mode, lambda: ragged_loss(kind, labels, candidates))
    else:
        labels = rc.ragged(ids, tf.as_dtype(dtype))
        if form != "ragged":
            labels = labels.to_tensor()
        if form == "vector":
            labels = labels[:, 0]
        got = in_mode(mode, lambda ids: ragged_loss(kind, ids, candidates), labels)
    assert_same(got, want)


@types
@losses
def test_samplers_of_losses_get_labels_that_are_cast(kind, dtype):
    sampler, given = tfcs.LearnedUnigramSampler(50, seed=1), tfcs.LearnedUnigramSampler(50, seed=1)

    def loss(labels, **options):
        tables = (tf.constant(DENSE.weights, tf.float32), None)
        inputs = tf.constant(DENSE.inputs, tf.float32)
        return sc.FUNCTIONS[kind](*tables, labels, inputs, **DENSE.sizes(), **options)

    labels = tf.constant(array(DENSE.labels, dtype))
    for _ in range(2):  # the second one draws by what was counted
        assert_same([loss(labels, sampler=sampler)], [loss(DENSE.labels, sampler=given)])
    np.testing.assert_array_equal(sampler.counts, given.counts)
    tf.random.set_seed(1)
    got = loss(labels, seed=2)
    tf.random.set_seed(1)
    assert_same([got], [loss(DENSE.labels, seed=2)])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@losses
def test_labels_that_are_no_numbers(kind, dtype):
    labels = array(DENSE.labels, dtype)
    labels[3, 1] = np.nan
    for function, argument in ((dense_loss, labels), (ragged_loss, list(labels))):
        others = () if function is dense_loss else (rc.ragged(RAGGED.candidates),)
        with pytest.raises(tf.errors.InvalidArgumentError, match="labels must hold class ids in"):
            function(kind, argument, *others)


@pytest.mark.parametrize("bad", [True, "1", 1j], ids=str)
@losses
def test_labels_that_stay_refused(kind, bad):
    message = r"labels(\[0\])? must be of an integer or float type, got (bool|string|complex)"
    others = tf.constant([[1]]), [[2]]
    for labels in ([[bad]], np.array([[bad]]), tf.constant([[bad]])):
        with pytest.raises(TypeError, match=message):
            sc.FUNCTIONS[kind](tf.ones([9, 1]), None, labels, tf.ones([1, 1]), 2, 9)
        for ids in (labels, labels[0], tf.ragged.constant([[bad]])):
            with pytest.raises(TypeError, match=message):
                rc.FUNCTIONS[kind](tf.ones([9, 1]), None, ids, tf.ones([1, 1]), others[0])


# Candidates.


@modes
@integers
def test_sampled_candidates(dtype, mode):
    want = dense_loss("softmax", DENSE.labels)
    sampled = tf.constant(array(DENSE.sampled, dtype))
    got = in_mode(mode, lambda ids: dense_loss("softmax", DENSE.labels, ids), sampled)
    assert_same(got, want)


@modes
@integers
def test_ragged_candidates(dtype, mode):
    labels = rc.ragged(RAGGED.labels)
    want = ragged_loss("nce", labels, rc.ragged(RAGGED.candidates))
    candidates = rc.ragged(RAGGED.candidates, tf.as_dtype(dtype))
    assert_same(in_mode(mode, lambda ids: ragged_loss("nce", labels, ids), candidates), want)
    rows = [array(row, dtype) for row in RAGGED.candidates]
    assert_same(in_mode(mode, lambda: ragged_loss("nce", labels, rows)), want)


def test_rows_of_one_list_may_have_different_types():
    """NumPy makes float64 of uint64 and int64 together, which loses ids above 2^53."""
    rows = [np.array([1, 2], np.uint64), np.array([3]), np.array([4], np.uint8), [5], np.zeros(0)]
    inputs = tf.ones([5, 1])
    logits = tfcs.ragged_candidate_logits(tf.range(9.0)[:, None], None, inputs, rows)
    assert logits.to_list() == [[1, 2], [3], [4], [5], []]
    bad = [np.array([2**53 + 1], np.uint64), [3], [], [], []]
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"got {2**53 + 1} in row 0"):
        tfcs.ragged_candidate_logits(tf.ones([9, 1]), None, inputs, bad)


@pytest.mark.parametrize("dtype", FLOATS)
def test_floats_are_refused_where_ids_are_no_labels(dtype):
    ids, sampler = array([[1]], dtype), tfcs.LearnedUnigramSampler(V)
    weights, inputs = tf.ones([9, 1]), tf.ones([1, 1])
    counts = ([[1.0]], [1.0])
    calls = {
        "candidates": lambda: tfcs.ragged_candidate_logits(weights, None, inputs, ids),
        "sampled_candidates": lambda: tfcs.nce_loss(
            weights, None, [[1]], inputs, 1, 9, sampled_values=(ids[0], *counts)
        ),
        "true_classes": lambda: sampler.sample(1, ids),
        "true_classes ": lambda: sampler.sample_ragged([1], ids),
        "num_sampled": lambda: sampler.sample_ragged(ids[0]),
        "classes": lambda: sampler.update(ids),
        "ids": lambda: sampler.probability(ids),
        "seed": lambda: tfcs.stateless_uniform_candidate_sampler(
            [[1]], 1, 1, True, V, array([1, 2], dtype)
        ),
    }
    for name, function in calls.items():
        refused(f"^{name.strip()} must be of an integer type, got {dtype}", function)


# Samplers.


@modes
@integers
@pytest.mark.parametrize("kind", spc.KINDS)
def test_functional_samplers(kind, dtype, mode):
    labels = tf.constant(array([[1], [7], [1]], dtype))
    options = {"unigrams": [1.0 + k for k in range(V)]} if kind == "fixed_unigram" else {}
    ours, stateless = spc.KINDS[kind].ours, spc.KINDS[kind].stateless

    def draw(labels, num, seed):
        tf.random.set_seed(3)
        return ours(labels, num(1), num(4), True, num(V), **options, seed=seed[0])

    plain = draw([[1], [7], [1]], int, [5])
    narrow = array([5, 6], dtype)
    spc.assert_same(draw(labels, lambda n: array(n, dtype), narrow), plain)

    def draw_again(labels, size, seed):
        return stateless(labels, 1, size, True, V, **options, seed=seed)

    arguments = labels, tf.constant(array(4, dtype)), tf.constant(narrow)
    want = draw_again([[1], [7], [1]], 4, [5, 6])
    spc.assert_same(in_mode(mode, draw_again, *arguments), want)


@modes
@integers
@pytest.mark.parametrize("kind", spc.OBJECTS)
def test_sampler_objects(kind, dtype, mode):
    ids = tf.constant(array([[1], [7], [1]], dtype))
    sizes = tf.constant(array([2, 0, 4], dtype))
    results = []
    for as_type in (lambda x: x, lambda x: tf.cast(x, tf.int64)):
        sampler = spc.sampler(kind, V, seed=1)

        def draw(ids, sizes, sampler=sampler):
            samples = [sampler.sample(sizes[2], ids), sampler.sample_ragged(sizes, ids, True)]
            if kind == "learned_unigram":
                sampler.update(ids)
            return [*samples, sampler.probability(ids)]

        drawn = in_mode(mode, draw, as_type(ids), as_type(sizes))
        results.append(tf.nest.flatten(drawn, expand_composites=True))
    assert_same(*results)


@integers
def test_learned_function_and_hits(dtype):
    ids = array([[1], [2]], dtype)
    sampler = tfcs.LearnedUnigramSampler(V)
    sample = tfcs.learned_unigram_candidate_sampler(ids, 1, 3, True, V, sampler=sampler)
    assert sample.sampled_candidates.shape == [3]
    np.testing.assert_array_equal(sampler.counts, [0, 1, 1] + [0] * 7)
    assert tfcs.all_candidate_sampler(ids, 1, 3, True).sampled_candidates.shape == [3]
    hits = tfcs.compute_accidental_hits(ids, array([2, 5, 2], dtype), 1)
    assert_same(hits[:2], [[1, 1], [0, 2]])


# No ids at all: lists and float arrays without a number are of no class, not of a wrong type.


NOTHING = {
    "no rows": [[], []],
    "tuple": ((), ()),
    "float ragged": tf.ragged.constant([[], []]),
    "float matrix": np.zeros([2, 0]),
    "float tensor": tf.zeros([2, 0]),
    "float arrays": [np.zeros(0), np.zeros(0, ml_dtypes.bfloat16)],
    "object array": np.array([[], []], object),
}


@pytest.mark.parametrize("name", NOTHING)
def test_no_candidates(name):
    weights, inputs = tf.ones([5, 2]), tf.ones([2, 2])
    logits = tfcs.ragged_candidate_logits(weights, None, inputs, NOTHING[name])
    assert logits.to_list() == [[], []]
    loss = tfcs.ragged_sampled_softmax_loss(weights, None, [1, 2], inputs, NOTHING[name])
    np.testing.assert_array_equal(loss, [0, 0])
    loss = tfcs.ragged_nce_loss(
        weights,
        None,
        NOTHING[name],
        inputs,
        NOTHING[name],
        label_log_q=NOTHING[name],
        candidate_log_q=NOTHING[name],
    )
    np.testing.assert_array_equal(loss, [0, 0])
    sampler = tfcs.UniformSampler(V)
    rows = sampler.sample_ragged([1, 0], NOTHING[name], exclude_true=True)
    assert rows.candidates.row_lengths().numpy().tolist() == [1, 0]


@pytest.mark.parametrize(
    "nothing", [[], (), tf.ragged.constant([]), np.zeros(0), np.zeros([0, 3])], ids=str
)
def test_no_rows_of_candidates(nothing):
    inputs = tf.ones([0, 2])
    assert tfcs.ragged_candidate_logits(tf.ones([5, 2]), None, inputs, nothing).shape[0] == 0
    loss = tfcs.ragged_nce_loss(tf.ones([5, 2]), None, nothing, inputs, nothing)
    assert loss.shape == [0]
    assert tfcs.UniformSampler(V).sample_ragged([], nothing).candidates.shape[0] == 0


def test_no_ids_of_samplers():
    sampler = tfcs.LearnedUnigramSampler(V)
    sampler.update([])
    assert sampler.probability([]).shape == [0]
    assert sampler.sample(2, np.zeros([0, 1])).true_expected_count.shape == [0, 1]
    assert [part.shape for part in tfcs.compute_accidental_hits([[1]], [], 1)] == [[0]] * 3


def test_nothing_of_another_type_is_refused():
    for bad in (tf.zeros([2, 0], tf.bool), tf.zeros([2, 0], tf.string)):
        for name, function in (
            ("candidates", lambda x: tfcs.ragged_candidate_logits(tf.ones([5, 2]), None, [], x)),
            ("ids", tfcs.UniformSampler(V).probability),
        ):
            refused(f"{name} must be of an integer type, got {bad.dtype.name}", function, bad)


@pytest.mark.parametrize("dtype, exact", [("bfloat16", 2**8), ("float16", 2**11)])
@pytest.mark.parametrize("loss", ["dense", "ragged"])
def test_labels_that_cannot_name_all_classes_are_warned_of(loss, dtype, exact):
    def call(classes, labels):
        weights, inputs = tf.ones([classes, 2]), tf.ones([1, 2])
        if loss == "dense":
            return tfcs.sampled_softmax_loss(weights, None, labels, inputs, 3, classes, seed=1)
        return tfcs.ragged_sampled_softmax_loss(weights, None, labels, inputs, [[1, 2]])

    labels = tf.cast([[5]], dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        call(exact, labels)
        call(exact + 1, tf.cast([[5]], "int8"))
    message = f"labels are of type {dtype}.* {exact + 1} classes"
    with pytest.warns(UserWarning, match=message) as warned:
        call(exact + 1, labels)
    assert warned[0].filename == __file__
