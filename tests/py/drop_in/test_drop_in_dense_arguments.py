# SPDX-License-Identifier: Apache-2.0
"""Arguments of the drop-in functions: what is not dense, unknown num_classes, what samplers get."""

import inspect

import loss_cases as lc
import numpy as np
import pytest
import sampled_cases as sc
import tensorflow as tf
from calls import refused
from internals import DRAW, TRACED_MODULES

import tf_candsamp as tfcs

CLASSES = 30
CASE = sc.random_case(1, classes=CLASSES, num_sampled=8).rounded(tf.float32)
VALUES = CASE.sampled_values()
WEIGHTS, INPUTS = tf.constant(CASE.weights, tf.float32), tf.constant(CASE.inputs, tf.float32)
CORE = {"softmax": tf.nn.sampled_softmax_loss, "nce": tf.nn.nce_loss}
V1 = tf.compat.v1

losses = pytest.mark.parametrize("kind", lc.LOSSES)


def arguments(**changes):
    good = {
        "weights": WEIGHTS,
        "biases": tf.constant(CASE.biases, tf.float32),
        "labels": CASE.labels,
        "inputs": INPUTS,
        "sampled_values": VALUES,
    }
    return good | CASE.sizes() | changes


def loss(kind, **changes):
    return sc.FUNCTIONS[kind](**arguments(**changes))


def drawn(kind, **changes):
    return loss(kind, **{"sampled_values": None} | changes)


# What is not dense.

NOT_DENSE = {
    "RaggedTensor": (lambda: tf.ragged.constant([[1.0]]), r"{}\.flat_values"),
    "RaggedTensorValue": (
        lambda: V1.ragged.RaggedTensorValue(np.ones(1), np.array([0, 1])),
        r"{}\.flat_values",
    ),
    "SparseTensor": (
        lambda: tf.sparse.from_dense([[1.0]]),
        r"{0}\.values or tf\.sparse\.to_dense\({0}\)",
    ),
    "SparseTensorValue": (
        lambda: V1.SparseTensorValue([[0, 0]], [1.0], [1, 1]),
        r"{0}\.values or tf\.sparse\.to_dense\({0}\)",
    ),
}
not_dense = pytest.mark.parametrize("what", NOT_DENSE)


def assert_refused(name, what, function):
    """By a message that names the argument, the type and the way to a dense one."""
    make, cure = NOT_DENSE[what]
    name = name.replace("[", r"\[").replace("]", r"\]")
    message = f"{name} must be a dense tensor, got a {what}: use {cure.format(name)}"
    refused(message, function, make(), errors=TypeError)
    if "Value" not in what:  # which a function takes for arrays
        refused(message, tf.function(function), make(), errors=TypeError)


@not_dense
@losses
def test_arguments_of_losses(kind, what):
    for name in ("weights", "biases", "labels", "inputs"):
        assert_refused(name, what, lambda x, name=name: loss(kind, **{name: x}))
    shards = lambda x: loss(kind, weights=[WEIGHTS, x])  # noqa: E731
    assert_refused("weights[1]", what, shards)
    for k, name in enumerate(
        ("sampled_candidates", "true_expected_count", "sampled_expected_count")
    ):
        assert_refused(
            name, what, lambda x, k=k: loss(kind, sampled_values=(*VALUES[:k], x, *VALUES[k + 1 :]))
        )


@not_dense
@losses
def test_numbers_of_losses(kind, what):
    bad = NOT_DENSE[what][0]()
    for name in ("num_sampled", "num_classes", "num_true"):
        message = f"{name} must be (an integer|a dense tensor), got .*{what}"
        refused(message, loss, kind, **{name: bad}, errors=TypeError)
        refused(message, drawn, kind, **{name: bad}, errors=TypeError)
    refused("seed must be an integer, got", drawn, kind, seed=bad, errors=TypeError)


@not_dense
def test_arguments_of_samplers(what):
    sampler = tfcs.LearnedUnigramSampler(9)
    stateless = tfcs.stateless_uniform_candidate_sampler
    by_argument = {
        "true_classes": [
            lambda x: tfcs.uniform_candidate_sampler(x, 1, 2, True, 9),
            lambda x: tfcs.learned_unigram_candidate_sampler(x, 1, 2, True, 9),
            lambda x: tfcs.all_candidate_sampler(x, 1, 2, True),
            lambda x: tfcs.compute_accidental_hits(x, [1], 1),
            lambda x: stateless(x, 1, 2, True, 9, [1, 2]),
            lambda x: sampler.sample(2, x),
        ],
        "sampled_candidates": [lambda x: tfcs.compute_accidental_hits([[1]], x, 1)],
        "seed": [lambda x: stateless([[1]], 1, 2, True, 9, x)],
        "num_sampled": [lambda x: sampler.sample_ragged(x)],
        "unigrams": [
            lambda x: tfcs.fixed_unigram_candidate_sampler([[0]], 1, 1, True, 1, unigrams=x),
            lambda x: tfcs.stateless_fixed_unigram_candidate_sampler(
                [[0]], 1, 1, True, 1, unigrams=x, seed=[1, 2]
            ),
        ],
        "ids": [sampler.probability],
        "classes": [sampler.update],
    }
    if "Value" not in what:
        by_argument["num_sampled"] += [
            lambda x: stateless([[1]], 1, x, True, 9, [1, 2]),
            lambda x: sampler.sample(x),
        ]
    for name, functions in by_argument.items():
        for function in functions:
            assert_refused(name, what, function)
    np.testing.assert_array_equal(sampler.counts, np.zeros(9))


@losses
def test_what_makes_no_tensor_is_named(kind):
    for name in ("labels", "inputs"):
        for bad in (None, {}, [[1], [2, 3]], [tf.ones([1]), tf.ones([2])], object()):
            message = f"{name} must be a tensor or convertible to one: "
            refused(message, loss, kind, **{name: bad}, errors=TypeError)


def test_object_arrays_of_numbers_are_fine():
    labels, inputs = CASE.labels.astype(object), CASE.inputs.astype(object)
    for kind in lc.LOSSES:
        np.testing.assert_array_equal(loss(kind, labels=labels, inputs=inputs), loss(kind))
    message = "labels must be of an integer or float type, got string"
    refused(message, loss, "nce", labels=np.array([["a"]], object), errors=TypeError)


def test_transposed_weights_are_the_op_s_to_explain():
    """A Dense kernel is [D, V]."""
    for mode in (lambda function: function, tf.function):
        refused("weights", mode(lambda: loss("nce", weights=tf.transpose(WEIGHTS))))


# Labels without a known rank.


@losses
def test_unknown_rank_of_dense_arguments(kind):
    call = tf.function(
        lambda labels, inputs: loss(kind, labels=labels, inputs=inputs),
        input_signature=[tf.TensorSpec(None, tf.uint8), tf.TensorSpec(None)],
    )
    labels = tf.constant(CASE.labels, tf.uint8)
    np.testing.assert_array_equal(call(labels, INPUTS), loss(kind))
    refused("labels must have .*got", call, labels[:, 0], INPUTS)
    refused("inputs must have rank 2, got", call, labels, INPUTS[0])


# num_classes.


@losses
def test_num_classes_need_not_be_known_where_nothing_is_drawn(kind):
    """tf.nn does not look at it then: the classes may be the items of a batch."""
    want = loss(kind)
    for number in (None, tf.constant(CLASSES), tf.constant(CLASSES, tf.uint8), np.int16(CLASSES)):
        np.testing.assert_array_equal(loss(kind, num_classes=number), want)
    call = tf.function(lambda x: loss(kind, weights=x, num_classes=tf.shape(x)[0]))
    np.testing.assert_array_equal(call(WEIGHTS), want)
    call = tf.function(lambda x: loss(kind, weights=x, num_classes=None))
    np.testing.assert_array_equal(call(WEIGHTS), want)


@losses
def test_in_batch_negatives(kind):
    """Each example's class is the row of its own; as tf.nn takes them."""

    @tf.function(input_signature=[tf.TensorSpec([None, 5]), tf.TensorSpec([None, 5])])
    def step(items, users):
        count = tf.shape(items)[0]
        labels = tf.range(count)[:, None]
        values = (tf.range(count, dtype=tf.int64), tf.ones([1, 1]), tf.ones([count]))
        results = []
        for function in (sc.FUNCTIONS[kind], CORE[kind]):
            with tf.GradientTape() as tape:
                tape.watch([items, users])
                batch = function(
                    items,
                    tf.zeros([count]),
                    tf.cast(labels, tf.int64),
                    users,
                    count,
                    count,
                    sampled_values=values,
                    remove_accidental_hits=True,
                )
            by_items, by_users = tape.gradient(batch, [items, users])
            results.append([batch, tf.convert_to_tensor(by_items), by_users])
        return results

    for rows in (1, 6, 3):
        ours, core = step(WEIGHTS[:rows], WEIGHTS[10 : 10 + rows])
        for got, want in zip(ours, core, strict=True):
            lc.assert_close(got, want, 1e-5, scale=10)


@losses
def test_num_classes_that_must_be_known(kind):
    message = "num_classes must be an integer, got .*It may be a tensor or None where sampled_value"
    for options in ({}, {"sampler": tfcs.UniformSampler(CLASSES)}):
        refused(message, drawn, kind, num_classes=None, **options, errors=TypeError)
        call = tf.function(lambda n, options=options: drawn(kind, num_classes=n, **options))
        refused(message, call, tf.constant(CLASSES), errors=TypeError)
    losses_of = [
        drawn(kind, num_classes=number, sampler=tfcs.UniformSampler(CLASSES, seed=1))
        for number in (CLASSES, tf.constant(CLASSES))
    ]
    np.testing.assert_array_equal(*losses_of)


BAD_NUMBERS = [
    (tf.constant([CLASSES]), r"must be a scalar, got shape \(1,\)"),
    (tf.constant(30.0), "must be of an integer type, got float32"),
    (tf.constant("30"), "must be of an integer type, got string"),
    (30.0, r"must be an integer, got 30\.0"),
    ("30", "must be an integer, got '30'"),
    ([30], r"must be an integer, got \[30\]"),
    (True, "must be an integer, got True"),
]


@pytest.mark.parametrize("bad, message", BAD_NUMBERS, ids=lambda x: str(x)[:20])
@losses
def test_numbers_that_are_none(kind, bad, message):
    for name in ("num_classes", "num_sampled"):
        call = lambda x, name=name: loss(kind, **{name: x})  # noqa: E731
        refused(f"{name} {message}", call, bad, errors=(TypeError, ValueError))
        if tf.is_tensor(bad):
            errors = (TypeError, ValueError)
            refused(f"{name} {message}", tf.function(call), bad, errors=errors)


# What the losses hand to samplers.


def recorded(monkeypatch, method):
    """A sampler, and a list of the options that its method of this name is called with."""
    sampler, calls = tfcs.LearnedUnigramSampler(CLASSES), []
    original = getattr(sampler, method)

    def record(*arguments, **options):
        calls.append(dict(options))
        options.pop("update", None)
        return original(*arguments, **options)

    monkeypatch.setattr(sampler, method, record)
    return sampler, calls


@losses
def test_options_go_to_the_sampler(kind, monkeypatch):
    sampler, calls = recorded(monkeypatch, "sample")
    drawn(kind, sampler=sampler)
    drawn(kind, sampler=sampler, expected_count="exact", update=False)
    first, second = calls
    assert first["expected_count"] == "tf" and first.get("update", True) is True
    assert second["expected_count"] == "exact" and second["update"] is False


def test_update_of_the_learned_function_goes_to_the_sampler(monkeypatch):
    sampler, calls = recorded(monkeypatch, DRAW)
    for options in ({}, {"update": False}):
        tfcs.learned_unigram_candidate_sampler(
            [[1]], 1, 3, True, CLASSES, sampler=sampler, **options
        )
    assert [call.get("update", True) for call in calls] == [True, False]


@pytest.mark.parametrize("expected_count", ["tf", "exact"])
@losses
def test_expected_count_of_drawn_candidates(kind, expected_count):
    drawing, given = (tfcs.LogUniformSampler(CLASSES, seed=1) for _ in range(2))
    values = given.sample(8, CASE.labels, expected_count=expected_count)
    got = drawn(kind, sampler=drawing, expected_count=expected_count)
    np.testing.assert_array_equal(got, loss(kind, sampled_values=values))
    tf.random.set_seed(1)
    values = tfcs.log_uniform_candidate_sampler(
        CASE.labels, 2, 8, True, CLASSES, seed=2, expected_count=expected_count
    )
    tf.random.set_seed(1)
    got = drawn(kind, seed=2, expected_count=expected_count)
    np.testing.assert_array_equal(got, loss(kind, sampled_values=values))


@losses
def test_expected_count_of_given_candidates(kind):
    message = "expected_count must be 'tf' where sampled_values are given, .*got 'exact'"
    refused(message, loss, kind, expected_count="exact", errors=ValueError)
    for function in (loss, drawn):
        message = "expected_count must be 'tf' or 'exact', got 'x'"
        refused(message, function, kind, expected_count="x", errors=ValueError)


@losses
def test_update_without_effect(kind):
    """Where no sampler learns."""
    np.testing.assert_array_equal(loss(kind, update=False), loss(kind))
    tf.random.set_seed(1)
    want = drawn(kind, seed=2)
    tf.random.set_seed(1)
    np.testing.assert_array_equal(drawn(kind, seed=2, update=False), want)


samplers_can_leave_labels_uncounted = pytest.mark.skipif(
    "update" not in inspect.signature(tfcs.Sampler.sample).parameters,
    reason="samplers have no argument update yet",
)


@samplers_can_leave_labels_uncounted
@losses
def test_update_of_a_sampler_that_learns(kind):
    for mode in (lambda function: function, tf.function):
        sampler = tfcs.LearnedUnigramSampler(CLASSES)
        mode(lambda sampler=sampler: drawn(kind, sampler=sampler, update=False))()
        assert sampler.counts.numpy().sum() == 0
        mode(lambda sampler=sampler: drawn(kind, sampler=sampler))()
        assert sampler.counts.numpy().sum() == CASE.labels.size
    np.testing.assert_array_equal(
        drawn(kind, sampler=tfcs.LogUniformSampler(CLASSES, seed=1), update=False),
        drawn(kind, sampler=tfcs.LogUniformSampler(CLASSES, seed=1)),
    )


@samplers_can_leave_labels_uncounted
def test_update_of_the_learned_function():
    sampler = tfcs.LearnedUnigramSampler(CLASSES)
    draw = tfcs.learned_unigram_candidate_sampler
    for update, counted in ((False, 0), (True, 2)):
        draw([[1], [2]], 1, 3, True, CLASSES, sampler=sampler, update=update)
        assert sampler.counts.numpy().sum() == counted


@pytest.mark.parametrize("module", TRACED_MODULES, ids=lambda m: m.__name__)
def test_autograph_converts_what_functions_call(module):
    """What it cannot convert it warns of in the user's log."""
    for function in filter(inspect.isfunction, vars(module).values()):
        if function.__module__ == module.__name__:
            tf.autograph.to_graph(function)


@losses
def test_new_arguments_are_keyword_only(kind):
    """So that positional calls of tf.nn keep their meaning."""
    parameters = inspect.signature(sc.FUNCTIONS[kind]).parameters
    core = inspect.signature(CORE[kind]).parameters
    positional = [p for p in parameters.values() if p.kind == p.POSITIONAL_OR_KEYWORD]
    assert [(p.name, p.default) for p in positional] == [(p.name, p.default) for p in core.values()]
    assert {"expected_count", "update"} <= parameters.keys()
    learned = inspect.signature(tfcs.learned_unigram_candidate_sampler).parameters
    assert learned["update"].kind == learned["update"].KEYWORD_ONLY
