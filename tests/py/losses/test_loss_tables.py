# SPDX-License-Identifier: Apache-2.0
"""Class tables in every form: variables, Keras variables, tensors, arrays, shards of these."""

import dataclasses
import itertools

import loss_cases as lc
import numpy as np
import pytest
import ragged_cases as rc
import sampled_cases as sc
import tensorflow as tf
from calls import MODES

RAGGED = rc.random_case(1, rows=6, classes=23, depth=4).rounded(tf.float32)
SAMPLED = sc.random_case(1, rows=6, classes=23, depth=4, num_sampled=9).rounded(tf.float32)
SUBJECTS = {f"ragged_{kind}": lc.Subject(kind, RAGGED) for kind in rc.KINDS}
SUBJECTS |= {f"sampled_{kind}": lc.Subject(kind, SAMPLED) for kind in lc.LOSSES}
TOLERANCE = 3e-7

for_all = pytest.mark.parametrize("subject", SUBJECTS.values(), ids=SUBJECTS)


def keras_variable(value):
    keras = pytest.importorskip("keras", minversion="3")
    return keras.Variable(value.numpy())


FORMS = {
    "variable": tf.Variable,
    "keras_variable": keras_variable,
    "tensor": tf.identity,
    "numpy": lambda value: value.numpy(),
    "keras_parameter_of_one_shard": lambda value: [keras_variable(value)],
    "one_shard": lambda value: [tf.Variable(value)],
    "tuple": lambda value: tuple(map(tf.Variable, tf.split(value, [11, 12]))),
    "variables": lambda value: list(map(tf.Variable, tf.split(value, [7, 8, 8]))),
    "tensors": lambda value: tf.split(value, [1, 20, 2]),
    "arrays": lambda value: [part.numpy() for part in tf.split(value, [5, 18])],
    "keras_variables": lambda value: list(map(keras_variable, tf.split(value, [12, 11]))),
    "mixed": lambda value: mixed(tf.split(value, [4, 1, 16, 2])),
    "empty_shards": lambda value: list(map(tf.Variable, tf.split(value, [0, 10, 0, 0, 13, 0]))),
    "row_each": lambda value: tf.split(value, 23),
}


def mixed(parts):
    return [tf.Variable(parts[0]), parts[1], keras_variable(parts[2]), parts[3].numpy()]


def flat(table):
    """The parts of a table that can have a gradient, each with what a tape takes for it."""
    parts = list(table) if isinstance(table, (list, tuple)) else [table]
    return [getattr(part, "_value", part) for part in parts]


def gradients_of(subject, weights, biases):
    parts = flat(weights) + ([] if biases is None else flat(biases))
    sources = [part for part in parts if not isinstance(part, np.ndarray)]
    inputs = tf.constant(subject.case.inputs, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch([part for part in sources if not isinstance(part, tf.Variable)])
        value = subject.apply(weights, biases, inputs)
    gradients = iter(tape.gradient(value, sources, tf.constant(subject.grad, tf.float32)))
    return value, [None if isinstance(part, np.ndarray) else next(gradients) for part in parts]


def assert_shards(gradients, parts, exact):
    """The gradients of the shards are the pieces of the exact gradient."""
    start = 0
    for gradient, part in zip(gradients, parts, strict=True):
        piece = exact[start : start + part.shape[0]]
        start += part.shape[0]
        if gradient is None:
            assert isinstance(part, np.ndarray)
            continue
        lc.assert_distinct(gradient)
        assert gradient.dense_shape.numpy().tolist() == list(part.shape)
        np.testing.assert_allclose(
            lc.as_dense(gradient), piece, rtol=0, atol=TOLERANCE * np.abs(exact).max()
        )
    assert start == len(exact)


def check(subject, weights, biases):
    value, gradients = gradients_of(subject, weights, biases)
    case = subject.case if biases is not None else dataclasses.replace(subject.case, biases=None)
    want = lc.expected(subject.kind, case)
    lc.assert_close(value, want.value, TOLERANCE)
    count = len(flat(weights))
    assert_shards(gradients[:count], flat(weights), want.gradients.weights)
    if biases is not None:
        assert_shards(gradients[count:], flat(biases), want.gradients.biases)


def tables(subject, weights_form, biases_form):
    weights = FORMS[weights_form](tf.constant(subject.case.weights, tf.float32))
    if biases_form is None:
        return weights, None
    return weights, FORMS[biases_form](tf.constant(subject.case.biases, tf.float32))


@pytest.mark.parametrize("form", FORMS)
@for_all
def test_weights_and_biases_of_one_form(subject, form):
    check(subject, *tables(subject, form, form))


@pytest.mark.parametrize("form", FORMS)
@for_all
def test_no_biases(subject, form):
    check(subject, *tables(subject, form, None))


@pytest.mark.parametrize(
    "forms",
    itertools.permutations(["variable", "tensor", "numpy", "variables", "mixed"], 2),
    ids=str,
)
@for_all
def test_biases_of_another_form(subject, forms):
    check(subject, *tables(subject, *forms))


@pytest.mark.parametrize("form", ["variables", "tensors", "mixed", "empty_shards"])
@for_all
def test_shards_in_a_function(subject, form):
    weights, biases = tables(subject, form, "variable")
    _, eager = gradients_of(subject, weights, biases)
    _, graph = tf.function(lambda: gradients_of(subject, weights, biases))()
    for got, want in zip(graph, eager, strict=True):
        assert (got is None) == (want is None)
        if want is not None:
            np.testing.assert_array_equal(lc.as_dense(got), lc.as_dense(want))


@pytest.mark.parametrize("mode", MODES)
@for_all
def test_same_variable_as_two_shards(subject, mode):
    """Its lock is taken once, and both shards' gradients count."""
    half = tf.Variable(subject.case.weights[:12], dtype=tf.float32)
    twice = dataclasses.replace(
        subject.case,
        weights=np.concatenate([subject.case.weights[:12]] * 2),
        biases=np.append(subject.case.biases, 0.0),
    )
    biases = tf.constant(twice.biases, tf.float32)
    inputs = tf.constant(twice.inputs, tf.float32)

    def step():
        with tf.GradientTape() as tape:
            value = twice.apply(subject.kind, [half, half], biases, inputs)
        return tape.gradient(value, half, tf.constant(subject.grad, tf.float32))

    gradient = MODES[mode](step)()
    want = lc.expected(subject.kind, twice).gradients.weights
    # TensorFlow adds up the two shards' slices by putting them one after the other.
    np.testing.assert_allclose(
        tf.convert_to_tensor(gradient), want[:12] + want[12:], rtol=0, atol=1e-5
    )


@for_all
def test_same_variable_as_weights_of_two_losses(subject):
    weights = tf.Variable(subject.case.weights, dtype=tf.float32)
    inputs = tf.constant(subject.case.inputs, tf.float32)
    with tf.GradientTape() as tape:
        value = sum(tf.reduce_sum(subject.apply(weights, None, inputs)) for _ in range(2))
    twice = tf.convert_to_tensor(tape.gradient(value, weights))
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(subject.apply(weights, None, inputs))
    np.testing.assert_allclose(twice, 2 * tf.convert_to_tensor(tape.gradient(value, weights)))


@for_all
def test_python_list_of_inputs_takes_the_type_of_weights(subject):
    for dtype in (tf.float32, tf.float64, tf.bfloat16, tf.float16):
        weights = tf.Variable(tf.ones([23, 4], dtype))
        value = subject.apply(weights, None, subject.case.inputs.tolist())
        assert value.dtype == lc.value_type(subject.kind, dtype)


@for_all
def test_shards_that_a_partitioned_variable_has(subject):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        weights = tf.compat.v1.get_variable(
            "weights",
            initializer=tf.constant(subject.case.weights, tf.float32),
            partitioner=tf.compat.v1.fixed_size_partitioner(3),
            use_resource=True,
        )
        biases = tf.Variable(subject.case.biases, dtype=tf.float32)
        value = subject.apply(list(weights), biases, tf.constant(subject.case.inputs, tf.float32))
        gradients = tf.gradients(value, list(weights))
        assert all(isinstance(gradient, tf.IndexedSlices) for gradient in gradients)
        session.run(tf.compat.v1.global_variables_initializer())
        got = session.run(value)
    lc.assert_close(got, subject.expected().value, TOLERANCE)


# Shards that hold rows in turn: row i of shard k is class i * shards + k.


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("forms", [("variable",) * 5, ("tensor",) * 5, ("variable", "tensor") * 2])
@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_mod_shards(kind, biases, forms, mode):
    case = dataclasses.replace(SAMPLED, partition_strategy="mod")
    count = len(forms)

    def deal(table):
        parts = [tf.constant(table[k::count], tf.float32) for k in range(count)]
        return [FORMS[form](part) for form, part in zip(forms, parts, strict=True)]

    weights = deal(case.weights)
    bias_parts = deal(case.biases) if biases else []
    inputs = tf.constant(case.inputs, tf.float32)

    def step():
        with tf.GradientTape() as tape:
            tape.watch([part for part in weights + bias_parts if isinstance(part, tf.Tensor)])
            value = case.apply(kind, weights, bias_parts or None, inputs)
        grad = tf.constant(case.grad(kind), tf.float32)
        return value, tape.gradient(value, weights + bias_parts, grad)

    value, gradients = MODES[mode](step)()
    want = lc.expected(kind, dataclasses.replace(case, biases=case.biases if biases else None))
    lc.assert_close(value, want.value, TOLERANCE)
    for k in range(count):
        lc.assert_close(lc.as_dense(gradients[k]), want.gradients.weights[k::count], 2 * TOLERANCE)
        if biases:
            exact = want.gradients.biases[k::count]
            lc.assert_close(lc.as_dense(gradients[count + k]), exact, 2 * TOLERANCE)
