# SPDX-License-Identifier: Apache-2.0
"""What row optimizers do to variables: in place, never into others' values, all or nothing."""

import threading
import time

import numpy as np
import optimizer_reference as ref
import pytest
import row_cases as rows
import tensorflow as tf
from calls import MODES, refused

import tf_candsamp as tfcs

TABLE, SLOT = (8, 3), (8, 3)


def slices(indices=(1, 5), value=1.0, depth=3):
    return tf.IndexedSlices(
        tf.fill([len(indices), depth], value), tf.constant(indices, tf.int64), [8, depth]
    )


def adam_variables():
    return [tf.Variable(tf.fill([8, 3], value)) for value in (1.0, 0.5, 0.25)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("sparse_before", [False, True])
def test_a_value_that_was_read_before_stays(mode, sparse_before):
    """TensorFlow's read hands out the variable's own tensor until the first sparse access."""
    made = adam_variables()
    if sparse_before:
        for variable in made:
            tf.gather(variable, [0])
    before = [variable.read_value() for variable in made]
    expected = [value.numpy().copy() for value in before]
    step = MODES[mode](lambda: tfcs.row_adam(*made, slices(), 0.1, step=1))
    for _ in range(2):
        step()
    for variable, value, old in zip(made, before, expected, strict=True):
        np.testing.assert_array_equal(value, old)
        assert (variable.numpy()[[1, 5]] != old[[1, 5]]).all()
        np.testing.assert_array_equal(np.delete(variable, [1, 5], 0), np.delete(old, [1, 5], 0))


def test_a_read_in_the_same_function_is_of_before_or_after():
    table = tf.Variable(tf.zeros([8, 3]))

    @tf.function
    def step():
        before = table.read_value()
        tfcs.row_sgd(table, slices(), -1.0)
        return before, table.read_value()

    before, after = step()
    assert before.numpy().max() == 0 and after.numpy().max() == 1


def test_a_value_that_numpy_holds_stays():
    table = tf.Variable(tf.zeros([8, 3]))
    held = table.numpy()
    tfcs.row_sgd(table, slices(), -1.0)
    assert held.max() == 0


def test_a_gradient_that_is_the_table_itself():
    table = tf.Variable(tf.ones([8, 3]))
    tfcs.row_sgd(table, tf.IndexedSlices(table.read_value(), tf.range(7, -1, -1)), 1.0)
    assert table.numpy().max() == 0


def unchanged(made, function, message, errors=None):
    before = [variable.numpy() for variable in made if variable is not None]
    options = {} if errors is None else {"errors": errors}
    refused(message, function, **options)
    for variable, old in zip(made, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), old)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("bad", [-1, 8, 2**40])
def test_an_index_out_of_range_changes_nothing(bad, mode):
    made = adam_variables()
    step = MODES[mode](lambda: tfcs.row_adam(*made, slices((1, bad)), 0.1, step=1))
    unchanged(made, step, rf"indices must hold class ids in \[0, 8\), the table's rows, got {bad} ")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "slot, gradient, message",
    [
        ((8, 4), slices(), r"velocity must have the shape of table, \[8,3\], got \[8,4\]"),
        ((7, 3), slices(), r"velocity must have the shape of table, \[8,3\], got \[7,3\]"),
        (SLOT, slices(depth=2), r"gradient must have shape \[2,3\] for a table of shape \[8,3\]"),
        (
            SLOT,
            tf.IndexedSlices(tf.ones([3, 3]), tf.constant([1, 2])),
            "gradient must have 2 rows, one for each index",
        ),
        (
            SLOT,
            tf.IndexedSlices(tf.ones([2, 3]), tf.constant([[1, 2]])),
            "indices must be a vector",
        ),
    ],
)
def test_shapes_that_disagree_change_nothing(slot, gradient, message, mode):
    table, momentum, _ = made = adam_variables()
    made[2] = tf.Variable(tf.zeros(slot))
    step = MODES[mode](lambda: tfcs.row_adam(table, momentum, made[2], gradient, 0.1, step=1))
    unchanged(made, step, message)


def test_a_table_without_rows_to_speak_of():
    refused("table must have rows, got a scalar", lambda: tfcs.row_sgd(
        tf.Variable(1.0), tf.IndexedSlices(tf.zeros([1]), [0]), 0.1))  # fmt: skip
    empty = tf.Variable(tf.zeros([0, 3]))
    tfcs.row_sgd(empty, slices(()), 0.1)
    refused("indices must hold", tfcs.row_sgd, empty, slices((0,)), 0.1)
    thin = tf.Variable(tf.zeros([8, 0]))
    tfcs.row_sgd(thin, slices(depth=0), 0.1)


@pytest.mark.parametrize("kind", ref.KINDS)
def test_no_slices_change_nothing(kind):
    made = rows.variables(kind, rows.random_table())
    before = {key: v.numpy() for key, v in made.items()}
    gradient = tf.IndexedSlices(tf.zeros([0, rows.DEPTH]), tf.zeros([0], tf.int64))
    rows.apply(kind, made, gradient, 0.1, 1)
    for key, variable in made.items():
        np.testing.assert_array_equal(variable, before[key])


@pytest.mark.parametrize("kind", ref.KINDS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_row_that_is_not_finite_stays_alone(kind, bad):
    made = rows.variables(kind, rows.random_table())
    clean = rows.variables(kind, rows.random_table())
    gradient = rows.random_slices(1, count=20, distinct=True)
    rows.apply(kind, clean, gradient, 0.1, 1)
    values = gradient.values.numpy()
    values[4] = bad
    rows.apply(kind, made, tf.IndexedSlices(values, gradient.indices), 0.1, 1)
    row = int(gradient.indices[4])
    for key, variable in made.items():
        np.testing.assert_array_equal(np.delete(variable, row, 0), np.delete(clean[key], row, 0))
    if np.isnan(bad):
        assert np.isnan(made["table"].numpy()[row]).all()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"gradient": tf.ones([8, 3])}, r"gradient must be a tf.IndexedSlices, .* dense gradient"),
        ({"table": tf.ones([8, 3])}, "table must be a tf.Variable, got"),
        ({"table": tf.Variable([1, 2])}, "table must be of type float32, float64, .*, got int32"),
        (
            {"velocity": tf.Variable(tf.zeros([8, 3], tf.float64))},
            "velocity must be of type float32, in which the table is computed, got float64",
        ),
        (
            {"table": tf.Variable(tf.zeros([8, 3], tf.float64))},
            "momentum must be of type float64, in which the table is computed, got float32",
        ),
        ({"learning_rate": [0.1, 0.2]}, "learning_rate must be a scalar, got shape"),
        ({"beta_1": tf.ones([1])}, "beta_1 must be a scalar, got shape"),
        ({"step": [1]}, "step must be a scalar"),
        ({"step": 1.5}, "step must be of an integer type"),
        ({"step": 0}, "step must be 1 at the first step, .* got 0"),
        (
            {"gradient": tf.IndexedSlices(tf.ones([2, 3], tf.int32), tf.constant([1, 2]))},
            "gradient.values must be of a float type, got int32",
        ),
        (
            {"gradient": tf.IndexedSlices(tf.ones([2, 3]), tf.constant([1.0, 2.0]))},
            "gradient.indices must be of an integer type, got float32",
        ),
    ],
)
def test_wrong_arguments(arguments, message):
    names = ("table", "momentum", "velocity")
    made = dict(zip(names, adam_variables(), strict=True))
    given = made | {"gradient": slices(), "learning_rate": 0.1, "step": 1} | arguments
    unchanged(list(made.values()), lambda: tfcs.row_adam(**given), message)


def test_one_variable_twice():
    table, momentum, _ = made = adam_variables()
    unchanged(
        made,
        lambda: tfcs.row_adam(table, momentum, momentum, slices(), 0.1, step=1),
        "velocity must be another variable than momentum",
    )


def test_variables_that_are_not_initialized():
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        table, accumulator = (
            tf.compat.v1.get_variable(n, [8, 3], use_resource=True) for n in ("table", "slot")
        )
        step = tfcs.row_adagrad(table, accumulator, slices(), 0.1)
        session.run(table.initializer)
        before = session.run(table)
        errors = (tf.errors.FailedPreconditionError,)
        refused(
            "accumulator is a variable that is not initialized", session.run, step, errors=errors
        )
        np.testing.assert_array_equal(session.run(table), before)
        session.run(accumulator.initializer)
        session.run(step)
        assert (session.run(table)[1] != before[1]).all()


def test_a_variable_on_a_gpu_needs_a_wheel_with_gpu_kernels(monkeypatch):
    monkeypatch.setattr("tf_candsamp._devices.GPU_KERNELS", False)

    class OnGpu:
        device = "/job:localhost/replica:0/task:0/device:GPU:0"

    table = tf.Variable(tf.zeros([8, 3]))
    fake = type("Fake", (type(table),), {"device": OnGpu.device})
    table.__class__ = fake
    errors = (tf.errors.UnimplementedError,)
    refused(
        r"table is a variable on .*GPU:0, .* create it within tf.device\('/CPU:0'\)",
        lambda: tfcs.row_sgd(table, slices(), 0.1),
        errors=errors,
    )


def test_no_memory_and_bad_sums_are_errors():
    refused(
        r"indices must hold class ids in \[0, \d+\), got -3",
        tfcs.sum_repeated_rows,
        slices((1, -3)),
    )
    refused("gradient must be a tf.IndexedSlices", tfcs.sum_repeated_rows, tf.ones([2]))
    refused(
        "gradient.values must be of a float type",
        tfcs.sum_repeated_rows,
        tf.IndexedSlices(tf.ones([2], tf.int64), tf.constant([1, 2])),
    )


def test_steps_reads_and_updates_at_once():
    """No deadlock, whatever order the variables come in, and no update is lost."""
    first, second = (tf.Variable(tf.zeros([500, 8])) for _ in range(2))
    gradient = tf.IndexedSlices(-tf.ones([500, 8]), tf.range(500))
    done = [0, 0]

    def loop(k, table, slot, end):
        step = tf.function(
            lambda: tfcs.row_momentum(table, slot, gradient, 1.0, factor=0.0), autograph=False
        )
        while time.monotonic() < end:
            step()
            done[k] += 1

    def read(end):
        while time.monotonic() < end:
            for variable in (first, second):
                value = variable.numpy()
                assert value.min() == value.max()

    end = time.monotonic() + 0.6
    slot = tf.Variable(tf.zeros([500, 8]))
    threads = [
        threading.Thread(target=loop, args=(0, first, slot, end)),
        threading.Thread(target=loop, args=(1, second, slot, end)),
        threading.Thread(target=read, args=(end,)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert min(done) > 0
    assert [first.numpy().max(), second.numpy().max()] == done


def test_in_a_saved_module(tmp_path):
    class Trainer(tf.Module):
        def __init__(self):
            super().__init__()
            self.table = tf.Variable(tf.zeros([8, 3]))
            self.momentum, self.velocity = (tf.Variable(tf.zeros([8, 3])) for _ in range(2))

        @tf.function(input_signature=[tf.TensorSpec([], tf.int64)])
        def step(self, number):
            tfcs.row_adam(self.table, self.momentum, self.velocity, slices(), 0.1, step=number)

    trainer = Trainer()
    tf.saved_model.save(trainer, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    for module in (trainer, loaded):
        module.step(tf.constant(1, tf.int64))
    np.testing.assert_array_equal(loaded.table, trainer.table)
    assert trainer.table.numpy()[1, 0] != 0
