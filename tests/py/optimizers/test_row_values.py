# SPDX-License-Identifier: Apache-2.0
"""Row optimizers against NumPy in float64: every kind, type, shape and number of repeats."""

import json

import numpy as np
import optimizer_reference as ref
import processes
import pytest
import row_cases as rows
import tensorflow as tf
from calls import MODES

import tf_candsamp as tfcs

STEPS = 3
RATE = 0.1
# Of the largest change of a value: roundings of a few operations in float32; RMSprop's difference
# of squares loses more of them.
TOLERANCE = {tf.float32: 3e-5, tf.float64: 1e-13}


def check(kind, dtype, slices, shape=(rows.CLASSES, rows.DEPTH), mode="eager", weight_decay=0.0):
    made = rows.variables(kind, rows.random_table(shape=shape), dtype)
    state = ref.start(kind, tf.cast(made["table"], tf.float64))

    @MODES[mode]
    def step(gradient, number):
        rows.apply(kind, made, gradient, RATE, number, weight_decay=weight_decay)

    for number in range(1, STEPS + 1):
        gradient = slices(number)
        step(gradient, tf.constant(number, tf.int64))
        values = tf.cast(gradient.values, tf.float64)
        ref.step(kind, state, gradient.indices.numpy(), values, RATE, number, weight_decay)
    for key, variable in made.items():
        found = tf.cast(variable, tf.float64).numpy()
        tolerance = TOLERANCE[rows.slot_type(dtype)]
        if key == "table" and dtype.size == 2:
            tolerance = STEPS * (2.0**-8 if dtype == tf.bfloat16 else 2.0**-11)
        np.testing.assert_allclose(
            found, state[key], rtol=tolerance, atol=tolerance * np.abs(state[key]).max()
        )


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64], ids=lambda d: d.name)
@pytest.mark.parametrize("kind", ref.KINDS)
def test_equals_the_reference_with_repeated_rows(kind, dtype):
    check(kind, dtype, lambda n: rows.random_slices(n, dtype=dtype), weight_decay=0.3)


@pytest.mark.parametrize("dtype", [tf.bfloat16, tf.float16], ids=lambda d: d.name)
@pytest.mark.parametrize("kind", ["sgd", "adagrad", "adam"])
def test_half_tables_have_slots_of_float32(kind, dtype):
    check(kind, dtype, lambda n: rows.random_slices(n, dtype=dtype))


@pytest.mark.parametrize("table", [tf.float32, tf.bfloat16], ids=lambda d: d.name)
@pytest.mark.parametrize(
    "gradient", [tf.float32, tf.float64, tf.bfloat16, tf.float16], ids=lambda d: d.name
)
def test_gradients_of_every_float_type(gradient, table):
    check("adam", table, lambda n: rows.random_slices(n, dtype=gradient))


@pytest.mark.parametrize("shape", [(30,), (30, 1), (30, 64), (30, 2, 3), (30, 300)], ids=str)
@pytest.mark.parametrize("distinct", [False, True])
def test_tables_of_every_rank(shape, distinct):
    slices = lambda n: rows.random_slices(n, shape=shape, distinct=distinct)  # noqa: E731
    check("adam", tf.float32, slices, shape)


@pytest.mark.parametrize("kind", ref.KINDS)
def test_in_a_function_with_numbers_as_tensors(kind):
    check(kind, tf.float32, rows.random_slices, mode="function")


def test_many_repeats_of_one_row():
    def slices(seed):
        gradient = rows.random_slices(seed, count=20000)
        indices = tf.where(tf.range(20000) % 3 == 0, gradient.indices, tf.constant(7, tf.int64))
        return tf.IndexedSlices(0.01 * gradient.values, indices)

    check("adagrad", tf.float32, slices)


@pytest.mark.parametrize("kind", ref.KINDS)
def test_rows_without_a_gradient_rest(kind):
    made = rows.variables(kind, rows.random_table())
    for number in (1, 2):
        before = {key: v.numpy() for key, v in made.items()}
        gradient = rows.random_slices(number, count=10)
        rows.apply(kind, made, gradient, RATE, number)
        rest = np.setdiff1d(np.arange(rows.CLASSES), gradient.indices)
        assert 0 < len(rest) < rows.CLASSES
        for key, variable in made.items():
            np.testing.assert_array_equal(variable.numpy()[rest], before[key][rest])


@pytest.mark.parametrize("dtype", [tf.int32, tf.int64], ids=lambda d: d.name)
def test_indices_of_both_types(dtype):
    table = tf.Variable(tf.zeros([4, 2]))
    tfcs.row_sgd(table, tf.IndexedSlices(tf.ones([2, 2]), tf.constant([3, 1], dtype)), 1.0)
    assert table.numpy()[:, 0].tolist() == [0, -1, 0, -1]


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64, tf.bfloat16, tf.float16], ids=str)
@pytest.mark.parametrize("distinct", [False, True])
def test_sums_of_repeated_rows(dtype, distinct):
    gradient = rows.random_slices(1, dtype=dtype, distinct=distinct)
    summed = tfcs.sum_repeated_rows(gradient)
    assert summed.values.dtype == dtype
    assert len(np.unique(summed.indices)) == len(summed.indices)
    found, expected = (
        tf.math.unsorted_segment_sum(tf.cast(s.values, tf.float64), s.indices, rows.CLASSES)
        for s in (summed, gradient)
    )
    tolerance = {8: 1e-14, 4: 1e-6, 2: 1e-2}[dtype.size]
    np.testing.assert_allclose(found, expected, atol=tolerance, rtol=tolerance)
    np.testing.assert_array_equal(summed.dense_shape, gradient.dense_shape)


def test_sums_of_no_rows():
    summed = tfcs.sum_repeated_rows(tf.IndexedSlices(tf.zeros([0, 3]), tf.zeros([0], tf.int64)))
    assert summed.values.shape == [0, 3]


@pytest.fixture(scope="module")
def bits():
    """What each number of threads and each instruction set finds, in processes of their own."""
    return {
        (threads, isa): json.loads(
            processes.run("row_optimizer_bits.py", threads, CANDSAMP_MAX_ISA=isa)
        )
        for threads, isa in ((1, "avx512"), (4, "avx512"), (2, "baseline"))
    }


@pytest.mark.parametrize("kind", ref.KINDS)
@pytest.mark.parametrize("other", [(4, "avx512"), (2, "baseline")], ids=str)
def test_same_bits_with_any_number_of_threads_and_instructions(kind, other, bits):
    assert len(bits[1, "avx512"][kind]) == 64
    assert bits[other][kind] == bits[1, "avx512"][kind]
