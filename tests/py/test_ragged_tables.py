"""Class tables in every form: variables, Keras variables, tensors, arrays, shards of these."""

import itertools

import numpy as np
import pytest
import ragged_cases as rc
import tensorflow as tf

CASE = rc.random_case(1, rows=6, classes=23, depth=4).rounded(tf.float32)
TOLERANCE = 3e-7


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


def gradients_of(kind, weights, biases):
    parts = flat(weights) + ([] if biases is None else flat(biases))
    sources = [part for part in parts if not isinstance(part, np.ndarray)]
    inputs = tf.constant(CASE.inputs, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch([part for part in sources if not isinstance(part, tf.Variable)])
        value = rc.apply(kind, CASE, weights, biases, inputs)
    gradients = iter(tape.gradient(value, sources, tf.constant(CASE.grad(kind), tf.float32)))
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
        rc.assert_distinct(gradient)
        assert gradient.dense_shape.numpy().tolist() == list(part.shape)
        np.testing.assert_allclose(
            rc.as_dense(gradient), piece, rtol=0, atol=TOLERANCE * np.abs(exact).max()
        )
    assert start == len(exact)


def check(kind, weights, biases):
    value, gradients = gradients_of(kind, weights, biases)
    case = CASE if biases is not None else rc.dataclasses.replace(CASE, biases=None)
    want = rc.expected(kind, case)
    rc.assert_close(value, want.value, TOLERANCE)
    count = len(flat(weights))
    assert_shards(gradients[:count], flat(weights), want.gradients.weights)
    if biases is not None:
        assert_shards(gradients[count:], flat(biases), want.gradients.biases)


def tables(weights_form, biases_form):
    weights = FORMS[weights_form](tf.constant(CASE.weights, tf.float32))
    if biases_form is None:
        return weights, None
    return weights, FORMS[biases_form](tf.constant(CASE.biases, tf.float32))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", rc.KINDS)
def test_weights_and_biases_of_one_form(kind, form):
    check(kind, *tables(form, form))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", rc.KINDS)
def test_no_biases(kind, form):
    check(kind, *tables(form, None))


@pytest.mark.parametrize(
    "forms",
    itertools.permutations(["variable", "tensor", "numpy", "variables", "mixed"], 2),
    ids=str,
)
@pytest.mark.parametrize("kind", rc.KINDS)
def test_biases_of_another_form(kind, forms):
    check(kind, *tables(*forms))


@pytest.mark.parametrize("form", ["variables", "tensors", "mixed", "empty_shards"])
@pytest.mark.parametrize("kind", rc.KINDS)
def test_shards_in_a_function(kind, form):
    weights, biases = tables(form, "variable")
    _, eager = gradients_of(kind, weights, biases)
    _, graph = tf.function(lambda: gradients_of(kind, weights, biases))()
    for got, want in zip(graph, eager, strict=True):
        assert (got is None) == (want is None)
        if want is not None:
            np.testing.assert_array_equal(rc.as_dense(got), rc.as_dense(want))


@pytest.mark.parametrize("mode", ["eager", "function"])
@pytest.mark.parametrize("kind", rc.KINDS)
def test_same_variable_as_two_shards(kind, mode):
    """Its lock is taken once, and both shards' gradients count."""
    half = tf.Variable(CASE.weights[:12], dtype=tf.float32)
    twice = rc.dataclasses.replace(CASE, weights=np.concatenate([CASE.weights[:12]] * 2))
    biases = tf.constant(np.append(CASE.biases, 0.0), tf.float32)
    twice.biases = np.append(CASE.biases, 0.0)

    def step():
        with tf.GradientTape() as tape:
            value = rc.apply(kind, CASE, [half, half], biases, tf.constant(CASE.inputs, tf.float32))
        return tape.gradient(value, half, tf.constant(CASE.grad(kind), tf.float32))

    gradient = (step if mode == "eager" else tf.function(step))()
    want = rc.expected(kind, twice).gradients.weights
    # TensorFlow adds up the two shards' slices by putting them one after the other.
    np.testing.assert_allclose(
        tf.convert_to_tensor(gradient), want[:12] + want[12:], rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("kind", rc.KINDS)
def test_same_variable_as_weights_of_two_losses(kind):
    weights = tf.Variable(CASE.weights, dtype=tf.float32)
    inputs = tf.constant(CASE.inputs, tf.float32)
    with tf.GradientTape() as tape:
        value = sum(tf.reduce_sum(rc.apply(kind, CASE, weights, None, inputs)) for _ in range(2))
    twice = tf.convert_to_tensor(tape.gradient(value, weights))
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(rc.apply(kind, CASE, weights, None, inputs))
    np.testing.assert_allclose(twice, 2 * tf.convert_to_tensor(tape.gradient(value, weights)))


@pytest.mark.parametrize("kind", rc.KINDS)
def test_python_list_of_inputs_takes_the_type_of_weights(kind):
    for dtype in (tf.float32, tf.float64, tf.bfloat16, tf.float16):
        weights = tf.Variable(tf.ones([23, 4], dtype))
        assert rc.apply(kind, CASE, weights, None, CASE.inputs.tolist()).dtype == dtype


@pytest.mark.parametrize("kind", rc.KINDS)
def test_shards_that_a_partitioned_variable_has(kind):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        weights = tf.compat.v1.get_variable(
            "weights",
            initializer=tf.constant(CASE.weights, tf.float32),
            partitioner=tf.compat.v1.fixed_size_partitioner(3),
            use_resource=True,
        )
        biases = tf.Variable(CASE.biases, dtype=tf.float32)
        value = rc.apply(kind, CASE, list(weights), biases, tf.constant(CASE.inputs, tf.float32))
        gradients = tf.gradients(value, list(weights))
        assert all(isinstance(gradient, tf.IndexedSlices) for gradient in gradients)
        session.run(tf.compat.v1.global_variables_initializer())
        got = session.run(value)
    rc.assert_close(got, rc.expected(kind, CASE).value, TOLERANCE)
