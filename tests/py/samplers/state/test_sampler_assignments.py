# SPDX-License-Identifier: Apache-2.0
"""A sampler's variable: assignments are noticed, and a value that was read stays what it was."""

import numpy as np
import pytest
import sampler_cases as spc
import tensorflow as tf
from calls import MODES

import tf_candsamp as tfcs

DENSE = {
    "assign": lambda v: v.assign(np.arange(v.shape[0]).astype(v.dtype.as_numpy_dtype) + 1),
    "assign_add": lambda v: v.assign_add(tf.cast(tf.range(v.shape[0]), v.dtype)),
    "assign_sub": lambda v: v.assign_sub(-tf.ones_like(v)),
    "strided": lambda v: v[2:5].assign(tf.ones([3], v.dtype)),
}
SPARSE = {
    "scatter_add": lambda v: v.scatter_add(slices(v, 3)),
    "scatter_sub": lambda v: v.scatter_sub(slices(v, -3)),
    "scatter_update": lambda v: v.scatter_update(slices(v, 70 + tf.reduce_sum(v))),
    "scatter_max": lambda v: v.scatter_max(slices(v, 90)),
    "scatter_nd_add": lambda v: v.scatter_nd_add([[1], [3]], tf.cast([5, 7], v.dtype)),
    "scatter_nd_update": lambda v: v.scatter_nd_update([[1]], [tf.reduce_sum(v)]),
    "v1 scatter_add": lambda v: tf.compat.v1.scatter_add(v, [1, 1], tf.cast([5, 7], v.dtype)),
}
CHANGES = DENSE | SPARSE
BEFORE = {
    "nothing": lambda sampler, v: None,
    "draw": lambda sampler, v: sampler.sample(3),
    "count": lambda sampler, v: (sampler.sample(3, [[1]]), None)[1],
    "gather": lambda sampler, v: v.sparse_read([1]),
    "scatter": lambda sampler, v: v.scatter_add(slices(v, 1)),
    "read": lambda sampler, v: v.read_value(),
}


def slices(variable, value):
    values = tf.cast([value, value], variable.dtype)
    return tf.IndexedSlices(values, tf.constant([1, 4]), tf.constant([variable.shape[0]]))


def assert_up_to_date(sampler, variable):
    values = variable.numpy().astype(float) + (variable.dtype == tf.int64)
    probability = sampler.probability(range(10)).numpy()
    np.testing.assert_allclose(probability, values / values.sum(), rtol=1e-6)


@pytest.mark.parametrize(
    ("mode", "before"), [("eager", before) for before in BEFORE] + [("function", "count")]
)
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", ["fixed_unigram", "learned_unigram"])
def test_probability_notices(kind, change, before, mode):
    sampler, variable = spc.with_variable(kind)
    wrap = MODES[mode]
    apply = wrap(lambda: (CHANGES[change](variable), None)[1])
    prepare = wrap(lambda: (BEFORE[before](sampler, variable), None)[1])
    for times in (1, 2, 1):
        held = prepare(), variable.read_value()
        for _ in range(times):
            apply()
        assert_up_to_date(sampler, variable)
        apply()
        assert_up_to_date(sampler, variable)
        del held


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("change", ["assign", "scatter_update", "scatter_nd_update"])
@pytest.mark.parametrize("kind", ["fixed_unigram", "learned_unigram"])
def test_draws_notice(kind, change, mode):
    """All but nothing of the weight is moved from class to class."""
    sampler, variable = spc.with_variable(kind)

    def move(heavy):
        values = tf.one_hot(heavy, 10, tf.cast(2**55, variable.dtype), dtype=variable.dtype)
        if change == "assign":
            variable.assign(values)
        elif change == "scatter_update":
            variable.scatter_update(tf.IndexedSlices(values, tf.range(10), tf.constant([10])))
        else:
            variable.scatter_nd_update(tf.range(10)[:, None], values)
        ids = sampler.sample(20, [[3]]).sampled_candidates
        return ids, sampler.sample_ragged([5], [[3]]).candidates.values

    move = MODES[mode](move)
    for heavy in (2, 7, 7, 0):
        for ids in move(tf.constant(heavy)):
            assert set(ids.numpy()) == {heavy}


@pytest.mark.parametrize("kind", ["fixed_unigram", "learned_unigram"])
def test_an_assigned_value_that_is_refused_is_noticed_and_can_be_replaced(kind):
    sampler, variable = spc.with_variable(kind)
    for _ in range(2):
        good = variable.read_value()
        variable.assign(-tf.ones_like(variable))
        for use in (lambda: sampler.sample(3, [[1]]), lambda: sampler.probability([1])):
            with pytest.raises(tf.errors.InvalidArgumentError, match="negative"):
                use()
        np.testing.assert_array_equal(variable, -np.ones(10))
        variable.assign(good)
        assert_up_to_date(sampler, variable)
        sampler.sample(3, [[1]])
        assert_up_to_date(sampler, variable)


# A value that was read stays what it was.

READS = {
    "read_value": lambda v: v.read_value(),
    "value": lambda v: v.value(),
    "identity": tf.identity,
    "convert": tf.convert_to_tensor,
    "numpy": lambda v: v.numpy(),
    "array of a tensor": lambda v: np.asarray(v.read_value()),
    "function": lambda v: tf.function(lambda: v.read_value())(),
    "function identity": lambda v: tf.function(lambda: tf.identity(v))(),
    "sparse_read": lambda v: v.sparse_read(range(10)),
    "slice": lambda v: v[0:10],
}


@pytest.mark.parametrize("update", ["update", "sample", "update in a function", "scatter"])
@pytest.mark.parametrize("read", READS)
def test_counts_that_were_read_do_not_change(read, update):
    sampler = tfcs.LearnedUnigramSampler(10)
    function = tf.function(lambda: (sampler.update([1, 2, 1]), None)[1])
    updates = {
        "update": lambda: sampler.update([1, 2, 1]),
        "sample": lambda: sampler.sample(3, [[1, 2, 1]]),
        "update in a function": function,
        "scatter": lambda: (
            sampler.counts.scatter_nd_add([[1]], [1]),
            sampler.update([2, 1]),
        ),
    }
    snapshots = []
    for step in range(4):
        snapshot = READS[read](sampler.counts)
        snapshots.append((snapshot, np.array(snapshot)))
        for _ in range(step):
            updates[update]()
    for step, (snapshot, copy) in enumerate(snapshots):
        np.testing.assert_array_equal(snapshot, copy)
        assert copy[1] == 2 * sum(range(step))


def test_a_function_reads_counts_before_it_updates_them():
    sampler = tfcs.LearnedUnigramSampler(10)

    @tf.function
    def step():
        before = sampler.counts.read_value()
        sampler.update([1])
        middle = sampler.counts.read_value()
        sample = sampler.sample(3, [[1]])
        after = sampler.counts.read_value()
        return before, middle, after, sampler.probability([1]), sample.true_expected_count

    for k in range(3):
        before, middle, after, probability, _ = step()
        assert (before[1], middle[1], after[1]) == (2 * k, 2 * k + 1, 2 * k + 2)
        np.testing.assert_allclose(probability, [(2 * k + 3) / (2 * k + 12)], rtol=1e-6)


@pytest.mark.parametrize("source", ["tensor", "variable", "array"])
def test_what_counts_were_assigned_from_does_not_change(source):
    sampler = tfcs.LearnedUnigramSampler(1000)
    raw = np.zeros(1016, np.int64)
    array = raw[-raw.ctypes.data % 64 // 8 :][:1000]  # so aligned that no copy is needed
    form = {"tensor": tf.constant, "variable": tf.Variable, "array": lambda a: a}[source]
    value = form(array)
    sampler.counts.assign(value)
    for _ in range(3):
        sampler.update([1, 2])
    assert not np.array(value).any()
    assert sampler.counts[1] == 3


def test_update_returns_the_op_in_graphs_alone():
    sampler = tfcs.LearnedUnigramSampler(10)
    assert sampler.update([1]) is None
    assert tf.function(lambda: sampler.update([1]))() is None
    assert sampler.counts[1] == 2
    with tf.Graph().as_default():
        assert isinstance(tfcs.LearnedUnigramSampler(10).update([1]), tf.Operation)
