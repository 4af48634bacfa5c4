# SPDX-License-Identifier: Apache-2.0
"""Gradients of all losses wherever a tape may be: always the same."""

import dataclasses
import itertools

import exact_cases as ec
import loss_cases as lc
import numpy as np
import pytest
import ragged_cases as rc
import sampled_cases as sc
import tensorflow as tf
from calls import MODES

RAGGED = rc.random_case(1, rows=4, classes=20, depth=3).rounded(tf.float32)
SAMPLED = sc.random_case(1, rows=4, classes=20, depth=3, num_sampled=9).rounded(tf.float32)
SUBJECTS = {f"ragged_{kind}": lc.Subject(kind, RAGGED) for kind in rc.KINDS}
SUBJECTS |= {f"sampled_{kind}": lc.Subject(kind, SAMPLED) for kind in lc.LOSSES}
SUBJECTS["recompute"] = lc.Subject("softmax", dataclasses.replace(SAMPLED, recompute=True))
# The one loss whose gradients of tables are dense.
EXACT = ec.random_case(1, rows=4, classes=20, depth=3, **ec.OPTIONS["all"]).rounded(tf.float32)
SUBJECTS["full_softmax"] = lc.Subject("full_softmax", EXACT)
SITUATIONS = {}

for_all = pytest.mark.parametrize("subject", SUBJECTS.values(), ids=SUBJECTS)
for_losses = pytest.mark.parametrize(
    "subject",
    [subject for subject in SUBJECTS.values() if subject.kind != "logits"],
    ids=[name for name, subject in SUBJECTS.items() if subject.kind != "logits"],
)

for_slices = pytest.mark.parametrize(
    "subject",
    [subject for subject in SUBJECTS.values() if subject.case is not EXACT],
    ids=[name for name, subject in SUBJECTS.items() if subject.case is not EXACT],
)


def situation(function):
    """Registers a way of getting the gradients of total(subject, model), three."""
    SITUATIONS[function.__name__] = function
    return function


class Model(tf.Module):
    def __init__(self, subject):
        self.weights = tf.Variable(subject.case.weights, dtype=tf.float32)
        self.biases = tf.Variable(subject.case.biases, dtype=tf.float32)
        self.inputs = tf.Variable(subject.case.inputs, dtype=tf.float32)

    @property
    def sources(self):
        return [self.weights, self.biases, self.inputs]


def total(subject, model):
    value = subject.apply(model.weights, model.biases, model.inputs)
    return tf.reduce_sum(value * tf.constant(subject.grad, tf.float32))


def gradients(subject, model):
    with tf.GradientTape() as tape:
        value = total(subject, model)
    return tape.gradient(value, model.sources)


@situation
def eager(subject, model):
    return gradients(subject, model)


@situation
def tape_inside_function(subject, model):
    return tf.function(lambda: gradients(subject, model))()


@situation
def tape_outside_function(subject, model):
    function = tf.function(lambda: total(subject, model))
    with tf.GradientTape() as tape:
        value = function()
    return tape.gradient(value, model.sources)


@situation
def nested_functions(subject, model):
    inner = tf.function(lambda: total(subject, model))

    @tf.function
    def outer():
        with tf.GradientTape() as tape:
            value = tf.identity(inner())
        return tape.gradient(value, model.sources)

    return outer()


@situation
def function_in_function_under_tape(subject, model):
    inner = tf.function(lambda: total(subject, model))
    outer = tf.function(lambda: tf.identity(inner()))
    with tf.GradientTape() as tape:
        value = outer()
    return tape.gradient(value, model.sources)


@situation
def persistent(subject, model):
    with tf.GradientTape(persistent=True) as tape:
        value = total(subject, model)
    return [tape.gradient(value, source) for source in model.sources]


@situation
def persistent_around_function(subject, model):
    function = tf.function(lambda: total(subject, model))
    with tf.GradientTape(persistent=True) as tape:
        value = function()
    first = tape.gradient(value, model.sources)
    second = tape.gradient(value, model.sources)
    assert_same(first, second)
    return second


@situation
def persistent_inside_function(subject, model):
    @tf.function
    def step():
        with tf.GradientTape(persistent=True) as tape:
            value = total(subject, model)
        return [tape.gradient(value, source) for source in model.sources]

    return step()


@situation
def tape_around_cond(subject, model):
    @tf.function
    def step(condition):
        with tf.GradientTape() as tape:
            value = tf.cond(condition, lambda: total(subject, model), lambda: tf.zeros([]))
        return tape.gradient(value, model.sources)

    return step(tf.constant(True))


@situation
def step_inside_cond(subject, model):
    @tf.function
    def step(condition):
        return tf.cond(
            condition,
            lambda: [as_tensors(gradient) for gradient in gradients(subject, model)],
            lambda: [as_tensors(gradient) for gradient in gradients(subject, model)],
        )

    return [as_slices(parts) for parts in step(tf.constant(True))]


@situation
def tape_around_while_loop(subject, model):
    @tf.function
    def step(count):
        with tf.GradientTape() as tape:
            _, value = tf.while_loop(
                lambda k, _: k < count,
                lambda k, value: (k + 1, value + total(subject, model)),
                (tf.constant(0), tf.zeros([])),
            )
        return tape.gradient(value, model.sources)

    return step(tf.constant(1))


@situation
def step_inside_while_loop(subject, model):
    @tf.function
    def step(count):
        def body(k, *_):
            sources_and_gradients = zip(model.sources, gradients(subject, model), strict=True)
            return k + 1, *[tf.ensure_shape(g, s.shape) for s, g in sources_and_gradients]

        zeros = [tf.zeros(source.shape) for source in model.sources]
        return tf.while_loop(lambda k, *_: k < count, body, (tf.constant(0), *zeros))[1:]

    return step(tf.constant(2))


@situation
def under_an_idle_outer_tape(subject, model):
    with tf.GradientTape(persistent=True):
        return gradients(subject, model)


@situation
def function_under_an_idle_outer_tape(subject, model):
    step = tf.function(lambda: gradients(subject, model))
    with tf.GradientTape(persistent=True):
        return step()


@situation
def function_under_a_used_outer_tape(subject, model):
    """The outer tape's own, first-order, gradient is of something else."""
    step = tf.function(lambda: (gradients(subject, model), tf.reduce_sum(model.inputs**2)))
    with tf.GradientTape() as tape:
        result, other = step()
    np.testing.assert_allclose(
        tape.gradient(other, model.inputs), 2 * subject.case.inputs, rtol=1e-6
    )
    return result


@situation
def function_that_returns_the_loss_too_under_a_used_outer_tape(subject, model):
    def step():
        with tf.GradientTape() as tape:
            value = total(subject, model)
        return value, tape.gradient(value, model.sources)

    step = tf.function(step)
    with tf.GradientTape() as tape:
        value, result = step()
    assert_same(tape.gradient(value, model.sources), result)
    return result


@situation
def outer_tape_inside_function(subject, model):
    @tf.function
    def step():
        with tf.GradientTape() as outer:
            result = gradients(subject, model)
            other = tf.reduce_sum(model.inputs**2)
        return result, outer.gradient(other, model.inputs)

    result, other = step()
    np.testing.assert_allclose(other, 2 * subject.case.inputs, rtol=1e-6)
    return result


@situation
def loaded_step(subject, model):
    model.step = tf.function(
        lambda: [as_tensors(gradient) for gradient in gradients(subject, model)], input_signature=[]
    )
    tf.saved_model.save(model, model.path)
    loaded = tf.saved_model.load(model.path)
    return [as_slices(parts) for parts in loaded.step()]


@situation
def tape_around_loaded_function(subject, model):
    model.total = tf.function(lambda: total(subject, model), input_signature=[])
    tf.saved_model.save(model, model.path)
    loaded = tf.saved_model.load(model.path)
    with tf.GradientTape() as tape:
        value = loaded.total()
    return tape.gradient(value, [loaded.weights, loaded.biases, loaded.inputs])


@situation
def tf_gradients_in_a_v1_graph(subject, _):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        model = Model(subject)
        result = tf.gradients(total(subject, model), model.sources)
        session.run(tf.compat.v1.global_variables_initializer())
        values = session.run(result)
    return [from_session(value) for value in values]


@situation
def tf_gradients_inside_function(subject, model):
    return tf.function(lambda: tf.gradients(total(subject, model), model.sources))()


@situation
def recompute_grad(subject, model):
    function = tf.recompute_grad(lambda: total(subject, model))
    with tf.GradientTape() as tape:
        value = function()
    return tape.gradient(value, model.sources)


@situation
def stopped_recording(subject, model):
    with tf.GradientTape() as tape:
        value = total(subject, model)
        with tape.stop_recording():
            return tape.gradient(value, model.sources)


def as_tensors(gradient):
    if isinstance(gradient, tf.IndexedSlices):
        return {"v": gradient.values, "i": gradient.indices, "s": gradient.dense_shape}
    return {"v": gradient}


def as_slices(parts):
    return tf.IndexedSlices(parts["v"], parts["i"], parts["s"]) if "i" in parts else parts["v"]


def from_session(value):
    if not hasattr(value, "indices"):
        return tf.constant(value)
    return tf.IndexedSlices(*map(tf.constant, (value.values, value.indices, value.dense_shape)))


def assert_same(actual, expected):
    for got, want in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(lc.as_dense(got), lc.as_dense(want))


# Where TensorFlow itself makes dense accumulators of what passes through.
_DENSE = {"recompute_grad", "step_inside_while_loop", "tape_around_while_loop"}


@pytest.mark.parametrize("name", SITUATIONS)
@for_all
def test_situation(subject, name, tmp_path):
    model = Model(subject)
    model.path = str(tmp_path)
    result = SITUATIONS[name](subject, model)
    want = subject.expected().gradients
    for got, exact in zip(result, want, strict=True):
        lc.assert_close(lc.as_dense(got), exact, 1e-6)
    if name not in _DENSE and subject.case is not EXACT:
        lc.assert_distinct(result[0])
        lc.assert_distinct(result[1])
    assert not isinstance(result[2], tf.IndexedSlices)


@for_slices
def test_slices_have_a_row_for_each_class_and_a_shape_of_int32(subject):
    by_weights, by_biases, _ = gradients(subject, Model(subject))
    if subject.case is RAGGED:
        labels = [] if subject.kind == "logits" else RAGGED.labels
        classes = np.unique(np.concatenate([*labels, *RAGGED.candidates]))
    else:
        classes = np.union1d(SAMPLED.labels, SAMPLED.sampled)
    for slices, shape in ((by_weights, [20, 3]), (by_biases, [20])):
        indices = slices.indices.numpy()
        np.testing.assert_array_equal(np.sort(indices), classes)
        if subject.case is RAGGED:
            np.testing.assert_array_equal(indices, classes)
        assert slices.indices.dtype == tf.int64
        assert slices.dense_shape.dtype == tf.int32
        assert slices.dense_shape.numpy().tolist() == shape


@for_slices
def test_loaded_model_trains(subject, tmp_path):
    model = Model(subject)

    @tf.function(input_signature=[tf.TensorSpec([], tf.float32)])
    def step(rate):
        with tf.GradientTape() as tape:
            value = total(subject, model)
        by_weights, by_biases, by_inputs = tape.gradient(value, model.sources)
        model.weights.scatter_sub(tf.IndexedSlices(rate * by_weights.values, by_weights.indices))
        model.biases.scatter_sub(tf.IndexedSlices(rate * by_biases.values, by_biases.indices))
        model.inputs.assign_sub(rate * by_inputs)
        return value

    model.step = step
    tf.saved_model.save(model, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    rate = tf.constant(0.01)
    values = [float(loaded.step(rate)) for _ in range(5)]
    assert values == [float(model.step(rate)) for _ in range(5)]
    assert all(after < before for before, after in itertools.pairwise(values))
    np.testing.assert_array_equal(loaded.weights, model.weights)


@pytest.mark.parametrize("subject", [SUBJECTS["ragged_softmax"], SUBJECTS["sampled_softmax"]])
def test_training_by_a_v1_optimizer(subject):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        model = Model(subject)
        value = tf.reduce_mean(subject.apply(*model.sources))
        step = tf.compat.v1.train.AdagradOptimizer(0.1).minimize(value)
        session.run(tf.compat.v1.global_variables_initializer())
        values = [session.run([value, step])[0] for _ in range(20)]
    assert all(after < before for before, after in itertools.pairwise(values))


def refused_as_second_derivative(mode, function):
    with pytest.raises(tf.errors.UnimplementedError, match="second derivatives"):
        MODES[mode](function)()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("source", ["weights", "biases", "inputs"])
@for_all
def test_second_derivative_is_an_error(subject, source, mode):
    model = Model(subject)

    def second():
        variable = getattr(model, source)
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                value = total(subject, model)
            first = tf.convert_to_tensor(inner.gradient(value, variable))
            norm = tf.reduce_sum(first**2)
        return outer.gradient(norm, model.sources)

    refused_as_second_derivative(mode, second)


@pytest.mark.parametrize("mode", MODES)
@for_losses
def test_second_derivative_by_the_upstream_gradient_is_an_error(subject, mode):
    """Of loss**2: the backward op's own gradient would be needed."""
    model = Model(subject)

    def second():
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                value = total(subject, model) ** 2
            first = inner.gradient(value, model.inputs)
        return outer.gradient(first, model.inputs)

    refused_as_second_derivative(mode, second)


@pytest.mark.parametrize("mode", MODES)
@for_all
def test_function_of_a_first_derivative_needs_none(subject, mode):
    """An outer tape that differentiates what only first-order gradients flow into and out of."""
    model = Model(subject)

    def step():
        scale = tf.constant(2.0)
        with tf.GradientTape() as outer:
            outer.watch(scale)
            with tf.GradientTape() as inner:
                value = total(subject, model)
            first = tf.stop_gradient(inner.gradient(value, model.inputs))
            penalty = tf.reduce_sum(scale * first)
        return outer.gradient(penalty, scale), tf.reduce_sum(first)

    got, want = MODES[mode](step)()
    assert float(got) == pytest.approx(float(want), rel=1e-5)


@pytest.mark.parametrize("mode", MODES)
@for_all
def test_watched_variable_that_is_not_trainable(subject, mode):
    weights = tf.Variable(subject.case.weights, dtype=tf.float32, trainable=False)
    biases = tf.constant(subject.case.biases, tf.float32)
    inputs = tf.constant(subject.case.inputs, tf.float32)

    def step(watch):
        with tf.GradientTape() as tape:
            if watch:
                tape.watch(weights)
            value = subject.apply(weights, biases, inputs)
        return tape.gradient(value, weights, tf.constant(subject.grad, tf.float32))

    step = MODES[mode](step)
    assert step(False) is None
    gradient = step(True)
    if subject.case is not EXACT:
        lc.assert_distinct(gradient)
    lc.assert_close(lc.as_dense(gradient), subject.expected().gradients.weights, 1e-6)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("only", [0, 1, 2])
@for_all
def test_gradient_of_one_source_alone(subject, only, mode):
    names = ("weights", "biases", "inputs")
    values = [tf.constant(getattr(subject.case, name), tf.float32) for name in names]

    def step():
        with tf.GradientTape() as tape:
            tape.watch(values[only])
            value = subject.apply(*values)
        return tape.gradient(value, values[only], tf.constant(subject.grad, tf.float32))

    gradient = MODES[mode](step)()
    assert isinstance(gradient, tf.IndexedSlices) == (only < 2 and subject.case is not EXACT)
    lc.assert_close(lc.as_dense(gradient), subject.expected().gradients[only], 1e-6)


@pytest.mark.parametrize("kind", lc.LOSSES)
def test_log_q_is_constant(kind):
    log_q = tf.constant([[0.5], [1.0]])
    with tf.GradientTape() as tape:
        tape.watch(log_q)
        loss = rc.FUNCTIONS[kind](
            tf.eye(3), None, [[1], [2]], tf.ones([2, 3]), [[0], [0]], label_log_q=log_q
        )
    assert tape.gradient(loss, log_q) is None


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_expected_counts_are_constant(kind, mode):
    counts = tf.constant([[0.5], [1.0]]), tf.constant([0.25])

    def step():
        with tf.GradientTape() as tape:
            tape.watch(counts)
            loss = sc.FUNCTIONS[kind](
                tf.eye(3), None, [[1], [2]], tf.ones([2, 3]), 1, 3, sampled_values=([0], *counts)
            )
        return tape.gradient(loss, counts)

    assert list(MODES[mode](step)()) == [None, None]


@for_all
def test_jacobian_rows_are_gradients(subject):
    model = Model(subject)
    with tf.GradientTape(persistent=True) as tape:
        value = subject.apply(*model.sources)
    jacobian = tape.jacobian(value, model.inputs, experimental_use_pfor=False)
    grad = subject.grad
    np.testing.assert_allclose(
        np.tensordot(grad, jacobian, 1), subject.expected().gradients.inputs, atol=1e-5
    )


@pytest.mark.parametrize("mode", MODES)
@for_all
def test_gradient_is_of_the_values_at_forward_time(subject, mode):
    """A variable that changes between forward and backward does not mix into the gradient."""
    model = Model(subject)

    def step():
        with tf.GradientTape() as tape:
            value = total(subject, model)
        model.weights.assign(tf.zeros_like(model.weights))
        return tape.gradient(value, model.sources)

    result = MODES[mode](step)()
    for got, exact in zip(result, subject.expected().gradients, strict=True):
        lc.assert_close(lc.as_dense(got), exact, 1e-6)


@for_all
def test_function_reads_what_was_assigned_before_it(subject):
    model = Model(subject)

    @tf.function
    def step():
        model.weights.assign(2 * model.weights)
        before = total(subject, model)
        model.weights.assign(model.weights / 2)
        return before, total(subject, model)

    doubled, once = step()
    case = dataclasses.replace(subject.case, weights=2 * subject.case.weights)
    for got, one in ((doubled, case), (once, subject.case)):
        want = subject.grad @ lc.expected(subject.kind, one).value
        assert float(got) == pytest.approx(want, rel=1e-5)


@pytest.mark.parametrize("mode", MODES)
@for_all
def test_gradient_penalty_is_an_error(subject, mode):
    """Never the first-order part alone, though the loss itself is differentiated as well."""
    model = Model(subject)

    def second():
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                value = total(subject, model)
            first = inner.gradient(value, model.inputs)
            penalised = value + tf.reduce_sum(first)
        return outer.gradient(penalised, model.sources)

    refused_as_second_derivative(mode, second)


@pytest.mark.parametrize("mode", MODES)
@for_all
def test_step_that_returns_its_gradient_is_differentiable(subject, mode):
    """Under an outer tape that asks for the loss alone: the gradient's gradient gets zeros."""
    model = Model(subject)

    @tf.function
    def step():
        with tf.GradientTape() as inner:
            value = total(subject, model)
        return value, inner.gradient(value, model.inputs)

    def differentiate():
        with tf.GradientTape() as outer:
            value, first = step()
        return outer.gradient(value, model.inputs), first

    got, want = MODES[mode](differentiate)()
    np.testing.assert_array_equal(got, want)
