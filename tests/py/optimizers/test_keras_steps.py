# SPDX-License-Identifier: Apache-2.0
"""Keras's optimizers that update rows: each step beside Keras's own, made dense by hand."""

import re
import warnings

import numpy as np
import pytest
import row_cases as rows
import tensorflow as tf
from calls import MODES

import tf_candsamp as tfcs
from tf_candsamp.keras import optimizers

keras = pytest.importorskip("keras", minversion="3")

STEPS = 3
# Those whose rows without a gradient rest in Keras too, so that every step is the same.
EXACT = {
    "SGD": {},
    "Adagrad": {"initial_accumulator_value": 0.2},
    "Ftrl": {"l1_regularization_strength": 0.01, "l2_regularization_strength": 0.02, "beta": 0.1},
}
LAZY = {
    "momentum": ("SGD", {"momentum": 0.9}),
    "nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}),
    "rmsprop": ("RMSprop", {}),
    "rmsprop_both": ("RMSprop", {"momentum": 0.8, "centered": True, "epsilon": 1e-3}),
    "adam": ("Adam", {}),
    "amsgrad": ("Adam", {"amsgrad": True}),
    "adamw": ("AdamW", {"weight_decay": 0.1}),
}
ALL = {name: (name, options) for name, options in EXACT.items()} | LAZY


def tables(name, count=2, dtype="float32"):
    """Keras variables of equal value for ours and for Keras's; FTRL begins at zero."""
    value = rows.random_table() * (name != "Ftrl")
    return [keras.Variable(value, dtype=dtype, name="table") for _ in range(count)]


def dense(gradient):
    """The sum of slices as NumPy forms it."""
    total = np.zeros([rows.CLASSES, *gradient.values.shape[1:]], np.float64)
    np.add.at(total, gradient.indices.numpy(), tf.cast(gradient.values, tf.float64).numpy())
    return tf.cast(total, gradient.values.dtype)


def compare(name, make_slices, steps=STEPS, dtype="float32", mode="eager", **options):
    """Steps of both; returns what the tables become."""
    ours, theirs = tables(name, dtype=dtype)
    optimizer = getattr(optimizers, name)(learning_rate=0.1, **options)
    reference = getattr(keras.optimizers, name)(learning_rate=0.1, **options)
    step = MODES[mode](lambda g: optimizer.apply([g], [ours]))
    for number in range(steps):
        gradient = make_slices(number)
        step(gradient)
        reference.apply([dense(gradient)], [theirs])
    return [keras.ops.convert_to_numpy(keras.ops.cast(t, "float32")) for t in (ours, theirs)]


def slices(seed, **options):
    return rows.random_slices(seed, **options)


def slices_of_all_rows(seed):
    """Rows repeat, and all of them occur: then nothing can be lazy."""
    gradient = rows.random_slices(seed, count=3 * rows.CLASSES)
    indices = tf.range(3 * rows.CLASSES) % rows.CLASSES
    return tf.IndexedSlices(gradient.values, indices, gradient.dense_shape)


CLIPS = [{}, {"clipnorm": 0.3}, {"global_clipnorm": 0.3}, {"clipvalue": 0.2}]


@pytest.mark.parametrize("clip", CLIPS, ids=str)
@pytest.mark.parametrize("name", EXACT)
def test_exact_optimizers_equal_kerass_dense_steps(name, clip):
    found, expected = compare(name, slices, **EXACT[name], **clip)
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("key", LAZY)
def test_lazy_optimizers_equal_kerass_where_all_rows_have_gradients(key, mode):
    name, options = LAZY[key]
    found, expected = compare(name, slices_of_all_rows, mode=mode, **options)
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("clip", CLIPS[1:], ids=str)
@pytest.mark.parametrize("key", ["rmsprop", "adam"])
def test_clipping_counts_a_repeated_row_once(key, clip):
    """Keras 3 would clip by the norm of the slices, which repeats change."""
    name, options = LAZY[key]
    found, expected = compare(name, slices_of_all_rows, **options, **clip)
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-5)


def test_global_norm_is_over_all_variables():
    table, other = keras.Variable(np.zeros([4, 2])), keras.Variable(np.zeros([3]))
    optimizer = optimizers.SGD(1.0, global_clipnorm=1.0)
    gradient = tf.IndexedSlices(tf.constant([[1.0, 0], [2.0, 0]]), tf.constant([1, 1]), [4, 2])
    optimizer.apply([gradient, tf.constant([0.0, 4.0, 0.0])], [table, other])
    np.testing.assert_allclose(table.numpy()[1], [-0.6, 0], rtol=1e-6)
    np.testing.assert_allclose(other.numpy(), [0, -0.8, 0], rtol=1e-6)


@pytest.mark.parametrize("key", ALL)
def test_dense_gradients_take_kerass_own_step(key):
    name, options = ALL[key]
    ours, theirs = tables(name)
    optimizer = getattr(optimizers, name)(learning_rate=0.1, **options)
    reference = getattr(keras.optimizers, name)(learning_rate=0.1, **options)
    for seed in range(STEPS):
        gradient = dense(slices(seed))
        optimizer.apply([gradient], [ours])
        reference.apply([gradient], [theirs])
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


@pytest.mark.parametrize("key", ALL)
def test_rows_without_a_gradient_rest(key):
    name, options = ALL[key]
    (table,) = tables(name, 1)
    optimizer = getattr(optimizers, name)(learning_rate=0.1, **options)
    for seed in range(2):
        before = table.numpy()
        gradient = slices(seed, count=10)
        optimizer.apply([gradient], [table])
        rest = np.setdiff1d(np.arange(rows.CLASSES), gradient.indices)
        np.testing.assert_array_equal(table.numpy()[rest], before[rest])
        assert (table.numpy() != before).any(1).sum() == rows.CLASSES - len(rest)


@pytest.mark.parametrize("name", ["SGD", "Adagrad", "AdamW"])
def test_weight_decay_shrinks_the_rows_with_a_gradient(name):
    (table,) = tables(name, 1)
    before = table.numpy()
    optimizer = getattr(optimizers, name)(learning_rate=0.1, weight_decay=0.5)
    zero = tf.IndexedSlices(
        tf.zeros([2, rows.DEPTH]), tf.constant([3, 3]), [rows.CLASSES, rows.DEPTH]
    )
    optimizer.apply([zero], [table])
    expected = before.copy()
    expected[3] *= 1 - 0.1 * 0.5
    np.testing.assert_allclose(table.numpy(), expected, rtol=1e-6)


def test_weight_decay_excludes_variables_as_keras_does():
    table, other = tables("SGD")
    dense_variable = keras.Variable(np.ones([2]), name="dense")
    optimizer = optimizers.SGD(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_list=[other.value])
    zero = tf.IndexedSlices(tf.zeros([1, rows.DEPTH]), tf.constant([3]), [rows.CLASSES, rows.DEPTH])
    before = other.numpy()
    optimizer.apply([zero, zero, tf.zeros([2])], [table, other, dense_variable])
    np.testing.assert_array_equal(other.numpy(), before)
    np.testing.assert_allclose(table.numpy()[3], 0.95 * before[3], rtol=1e-6)
    np.testing.assert_allclose(dense_variable.numpy(), [0.95, 0.95], rtol=1e-6)


def test_loss_scale_factor_is_taken_off_slices():
    found, expected = compare(
        "SGD",
        lambda n: tf.IndexedSlices(8 * (g := slices(n)).values, g.indices, g.dense_shape),
        loss_scale_factor=8.0,
    )
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("key", ["momentum", "adam"])
@pytest.mark.parametrize(
    "extra, message",
    [
        ({"use_ema": True, "ema_overwrite_frequency": 2}, "use_ema=True averages every row"),
        ({"gradient_accumulation_steps": 2}, "gradient_accumulation_steps adds up every row"),
    ],
    ids=["ema", "accumulation"],
)
def test_what_touches_every_row_is_exact_and_says_so(key, extra, message):
    name, options = LAZY[key]
    with pytest.warns(UserWarning, match=message):
        found, expected = compare(name, slices_of_all_rows, steps=4, **options, **extra)
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-5)


def test_a_constraint_is_kept_and_says_that_it_touches_every_row():
    layer = keras.layers.Embedding(10, 2, embeddings_constraint="non_neg")
    layer.build()
    optimizer = optimizers.SGD(10.0)
    gradient = tf.IndexedSlices(tf.ones([1, 2]), tf.constant([4]), [10, 2])
    with pytest.warns(UserWarning, match="its constraint changes every row"):
        optimizer.apply([gradient], [layer.embeddings])
    assert layer.embeddings.numpy().min() == 0


def test_nothing_else_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compare("Adam", slices)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scheduled", [False, True])
def test_schedules_and_changes_of_the_rate_reach_rows(scheduled, mode):
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([0, 1], [1.0, 0.5, 0.25])
    optimizer = optimizers.SGD(schedule if scheduled else 1.0)
    table = keras.Variable(np.zeros([3, 2], np.float32))
    optimizer.build([table])
    gradient = tf.IndexedSlices(-tf.ones([1, 2]), tf.constant([1]), [3, 2])
    step = MODES[mode](lambda: optimizer.apply([gradient], [table]))
    for rate in (1.0, 0.5, 0.25):
        if not scheduled:
            optimizer.learning_rate = rate
        before = table.numpy()[1, 0]
        step()
        assert table.numpy()[1, 0] - before == rate


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("key", ALL)
def test_half_variables_have_slots_of_float32(key, dtype):
    """With halves of Keras's own kind, a mean of squares soon stops to change."""
    name, options = ALL[key]
    (table,) = tables(name, 1, dtype)
    (exact,) = tables(name, 1)
    exact.assign(keras.ops.cast(table, "float32"))
    narrow = getattr(optimizers, name)(learning_rate=0.01, **options)
    wide = getattr(optimizers, name)(learning_rate=0.01, **options)
    gradients = [slices(0), dense(slices(1)), slices(2)]
    for gradient in gradients:
        narrow.apply([gradient], [table])
        wide.apply([gradient], [exact])
    slots = [v for v in narrow.variables if len(v.shape) == 2]
    assert {v.dtype for v in slots} <= {"float32"}
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(keras.ops.cast(table, "float32")),
        exact.numpy(),
        atol=0.02 if dtype == "bfloat16" else 0.004,
    )


def test_one_optimizer_for_a_tower_and_for_tables_that_are_tied():
    """Two lookups and a dense product of one table: the tape joins slices, rows repeat."""
    ours, theirs = tables("Adagrad")
    tower = [keras.Variable(np.eye(rows.DEPTH, dtype=np.float32)) for _ in range(2)]
    optimizer = optimizers.Adagrad(0.1)
    reference = keras.optimizers.Adagrad(0.1)

    def gradients(table, weights):
        with tf.GradientTape() as tape:
            hidden = tf.matmul(tf.gather(table.value, [1, 2, 1]), weights.value)
            loss = tf.reduce_sum(hidden * tf.gather(table.value, [2, 3, 4]))
        return tape.gradient(loss, [table.value, weights.value])

    for _ in range(STEPS):
        mine = gradients(ours, tower[0])
        assert isinstance(mine[0], tf.IndexedSlices) and len(mine[0].indices) == 6
        optimizer.apply(mine, [ours, tower[0]])
        other = gradients(theirs, tower[1])
        reference.apply([dense(other[0]), other[1]], [theirs, tower[1]])
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(tower[0].numpy(), tower[1].numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("clip", CLIPS, ids=str)
@pytest.mark.parametrize("key", ALL)
def test_no_op_of_a_step_is_as_large_as_the_table(key, clip):
    """A read of the table would copy it: no op takes or gives a tensor with its rows."""
    name, options = ALL[key]
    classes = 9973
    table = keras.Variable(np.zeros([classes, 2], np.float32))
    optimizer = getattr(optimizers, name)(learning_rate=0.1, **options, **clip)
    optimizer.build([table])

    @tf.function
    def step(indices, values):
        optimizer.apply([tf.IndexedSlices(values, indices, [classes, 2])], [table])

    graph = step.get_concrete_function(
        tf.TensorSpec([None], tf.int64), tf.TensorSpec([None, 2], tf.float32)
    ).graph
    large = [
        op.name
        for op in graph.get_operations()
        for tensor in [*op.inputs, *op.outputs]
        if tensor.dtype != tf.resource and tensor.shape.rank and tensor.shape[0] == classes
    ]
    assert large == []
    reads = [op for op in graph.get_operations() if op.type == "ReadVariableOp"]
    assert all(op.outputs[0].shape.rank == 0 for op in reads)
    assert any(re.match("Candsamp>Row", op.type) for op in graph.get_operations())


def test_loss_scaling_looks_at_the_rows_alone_and_skips_steps_that_overflow():
    classes = 9973
    table = keras.Variable(np.ones([classes, 2], np.float32))
    inner = optimizers.Adam(0.1)
    optimizer = optimizers.LossScaleOptimizer(inner, initial_scale=4.0)
    optimizer.build([table])

    @tf.function
    def step(values):
        gradient = tf.IndexedSlices(values, tf.constant([5, 7, 5]), [classes, 2])
        optimizer.apply([gradient], [table])

    def operations(graph):
        yield from graph.get_operations()
        for function in graph._functions.values():
            yield from getattr(function, "graph", graph).get_operations()

    graph = step.get_concrete_function(tf.TensorSpec([3, 2], tf.float32)).graph
    assert not [
        op.name
        for op in operations(graph)
        for tensor in op.outputs
        if tensor.dtype != tf.resource and tensor.shape.rank and tensor.shape[0] == classes
    ]
    step(tf.fill([3, 2], 8.0))
    after = table.numpy()
    assert inner.iterations.numpy() == 1
    assert set(np.nonzero(after[:, 0] != 1)[0]) == {5, 7}
    step(tf.fill([3, 2], np.inf))
    assert inner.iterations.numpy() == 1
    np.testing.assert_array_equal(table.numpy(), after)
    assert optimizer.dynamic_scale.numpy() == 2


def test_bad_slices_change_nothing():
    (table,) = tables("Adam", 1)
    optimizer = optimizers.Adam(0.1)
    optimizer.apply([slices(0)], [table])
    before = [v.numpy() for v in [table, *optimizer.variables]]
    bad = tf.IndexedSlices(tf.ones([1, rows.DEPTH]), [rows.CLASSES], [rows.CLASSES, rows.DEPTH])
    with pytest.raises(tf.errors.InvalidArgumentError, match="the table's rows, got 40"):
        optimizer.apply([bad], [table])
    for variable, old in zip([table, *optimizer.variables], before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), old)


def test_a_nan_stays_in_its_row():
    (table,) = tables("Adam", 1)
    values = np.ones([2, rows.DEPTH], np.float32)
    values[1, 3] = np.nan
    gradient = tf.IndexedSlices(values, tf.constant([3, 9]), [rows.CLASSES, rows.DEPTH])
    optimizers.Adam(0.1).apply([gradient], [table])
    assert np.argwhere(np.isnan(table.numpy())).tolist() == [[9, 3]]


def test_our_losses_gradients_go_through_without_a_sum():
    """The whole step of a user: a sampled loss on a Keras variable."""
    keras.utils.set_random_seed(1)
    table = keras.Variable(0.1 * rows.random_table(shape=(50, 4)), dtype="float32")
    biases = keras.Variable(np.zeros([50]), dtype="float32")
    optimizer = optimizers.Adam(0.05)

    @tf.function
    def step(labels, inputs):
        with tf.GradientTape() as tape:
            losses = tfcs.sampled_softmax_loss(table, biases, labels, inputs, 10, 50, seed=1)
            loss = tf.reduce_mean(losses)
        optimizer.apply(tape.gradient(loss, [table.value, biases.value]), [table, biases])
        return loss

    inputs = tf.random.stateless_normal([16, 4], [1, 2])
    labels = tf.random.stateless_uniform([16, 1], [3, 4], 0, 50, tf.int64)
    losses = [float(step(labels, inputs)) for _ in range(30)]
    assert losses[-1] < 0.7 * losses[0]
