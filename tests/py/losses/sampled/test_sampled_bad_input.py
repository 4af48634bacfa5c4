# SPDX-License-Identifier: Apache-2.0
"""Losses with shared candidates: every mistake is an error that names argument, value and need.

Each mistake is made in eager mode, in a function that knows no shapes (so that the kernel finds
it), and in one that knows all shapes (so that building the graph may find it).
"""

import re

import loss_cases as lc
import numpy as np
import pytest
import sampled_cases as sc
import tensorflow as tf
from calls import ERRORS, SHAPE_MODES
from internals import ops
from sampled_arguments import arguments, call, check, run

import tf_candsamp as tfcs

BIG = 2**31


both = pytest.mark.parametrize("kind", lc.LOSSES)
everywhere = pytest.mark.parametrize("mode", SHAPE_MODES)


@both
def test_arguments_without_mistake_are_fine(kind):
    losses = [run(kind, mode, arguments()).numpy() for mode in SHAPE_MODES]
    assert np.isfinite(losses[0]).all()
    np.testing.assert_array_equal(losses[0], losses[1])
    np.testing.assert_array_equal(losses[0], losses[2])


def floats(*shape):
    return np.ones(shape, np.float32)


# The name of a mistake; a pattern of the message; the arguments that make it.
MISTAKES = {
    "label_rows": (
        r"labels must have .*rows? .*(3|\?)",
        {"labels": np.zeros([2, 2], np.int64), "true_count": floats(2, 2)},
    ),
    "label_columns": (r"labels must have .*num_true", {"labels": np.zeros([3, 3], np.int64)}),
    "label_rank_1": (r"labels must have .*num_true", {"labels": np.zeros([3], np.int64)}),
    "label_rank_3": (r"labels must have .*num_true", {"labels": np.zeros([3, 2, 1], np.int64)}),
    "num_true": (r"labels must have .*num_true", {"num_true": 1}),
    "sampled_rank": (r"sampled_candidates must be a vector", {"sampled": np.zeros([4, 1], int)}),
    "sampled_too_few": (
        r"num_sampled = 4.*got 3",
        {"sampled": np.array([0, 1, 2]), "sampled_count": floats(3)},
    ),
    "num_sampled_too_small": (r"num_sampled = 3.*got 4", {"num_sampled": 3}),
    "num_sampled_too_large": (r"num_sampled = 5.*got 4", {"num_sampled": 5}),
    "sampled_count_length": (
        r"sampled_expected_count must have the shape of sampled_candidates|sampled_expected_count",
        {"sampled_count": floats(3)},
    ),
    "true_count_rows": (r"true_expected_count", {"true_count": floats(2, 2)}),
    "true_count_columns": (r"true_expected_count", {"true_count": floats(3, 3)}),
    "true_count_rank": (r"true_expected_count", {"true_count": floats(1, 3, 2)}),
    "num_classes_too_large": (
        r"weights must have at least num_classes = 6 rows, got 5",
        {"num_classes": 6},
    ),
    "num_classes_too_small": (
        r"labels must hold class ids in \[0, num_classes = 4\), got 4 in row 2",
        {"num_classes": 4},
    ),
    "depth": (
        r"inputs must have the depth of weights, 2, got shape \[3,3\]",
        {"inputs": floats(3, 3)},
    ),
    "rank_of_inputs": (r"inputs must have rank 2", {"inputs": floats(3)}),
    "rank_of_weights": (r"weights must have rank 2", {"weights": floats(5)}),
    "rank_of_biases": (r"biases must have rank 1", {"biases": floats(5, 1)}),
    "few_biases": (
        r"biases must have at least num_classes = 5 values, got 4",
        {"biases": floats(4)},
    ),
    "weights_none": (r"weights must be a table", {"weights": None}),
    "labels_bool": (
        r"labels must be of an integer or float type, got bool",
        {"labels": np.ones([3, 2], bool)},
    ),
    "sampled_float": (
        r"sampled_candidates must be of an integer type, got float",
        {"sampled": floats(4)},
    ),
    "true_count_int": (
        r"true_expected_count must be a float type, got int64",
        {"true_count": np.ones([3, 2], np.int64)},
    ),
    "true_count_none": (r"true_expected_count must be .*None", {"true_count": None}),
    "weights_type": (
        r"weights must be of type float32",
        {"weights": np.ones([5, 2]), "biases": None},
    ),
    "biases_type": (r"biases must be of type float32.*got float64", {"biases": np.ones([5])}),
    "inputs_type": (r"inputs must be float32.*got int64", {"inputs": np.ones([3, 2], np.int64)}),
    "no_shards": (r"weights must hold at least one shard", {"weights": []}),
    "partition_strategy": (
        r"partition_strategy must be 'div' or 'mod', got 'x'",
        {"partition_strategy": "x"},
    ),
    "mod_sizes": (
        r"weights\[0\] must have at least 3 rows, .*num_classes = 5 .*'mod'.*\[2,2\]",
        {"weights": [floats(2, 2), floats(3, 2)], "partition_strategy": "mod"},
    ),
    "mod_sizes_of_biases": (
        r"biases\[0\] must have at least 3 rows, .*num_classes = 5 .*'mod'.*\[1\]",
        {"biases": [floats(1), floats(4)], "partition_strategy": "mod"},
    ),
    "num_classes_zero": (r"num_classes must be positive, got 0", {"num_classes": 0}),
    "num_classes_float": (r"num_classes must be an integer, got 5.0", {"num_classes": 5.0}),
    "num_true_zero": (r"num_true must be positive, got 0", {"num_true": 0}),
    "num_sampled_float": (r"num_sampled must be an integer, got 4.0", {"num_sampled": 4.0}),
    "num_sampled_none": (r"num_sampled must be an integer, got None", {"num_sampled": None}),
    "sampler_of_another_kind": (
        r"sampler must be one of tf_candsamp's sampler objects",
        {"sampler": "log_uniform"},
    ),
}


@everywhere
@pytest.mark.parametrize("name", MISTAKES)
@both
def test_mistake(kind, name, mode):
    message, changes = MISTAKES[name]
    check(kind, mode, message, **changes)


@everywhere
@pytest.mark.parametrize("bad", [0.0, -0.0, -1.0, np.nan, np.inf, -np.inf], ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@both
def test_expected_counts(kind, dtype, bad, mode):
    got = re.escape(str(bad).removesuffix(".0"))
    changes = {"weights": np.ones([5, 2], dtype), "inputs": np.ones([3, 2], dtype), "biases": None}
    for name, where in (("true", "class 3 in row 1"), ("sampled", "class 2 at position 2")):
        counts = arguments()[f"{name}_count"].astype(dtype)
        counts[(1, 1) if name == "true" else 2] = bad
        message = f"{name}_expected_count must be positive and finite, got {got} for {where}"
        check(kind, mode, message, **changes, **{f"{name}_count": counts})


@everywhere
@pytest.mark.parametrize("bad", [-1, 5, BIG, BIG * 2, 2**63 - 1, -(2**63)])
@both
def test_class_ids(kind, bad, mode):
    rows = r"must hold class ids in \[0, num_classes = 5\), got "
    labels = np.array([[0, 1], [2, bad], [4, 0]])
    check(kind, mode, f"labels {rows}{bad} in row 1", labels=labels)
    sampled = np.array([0, 1, bad, -7])
    check(kind, mode, f"sampled_candidates {rows}{bad} at position 2", sampled=sampled)


@everywhere
@both
def test_num_sampled_disagrees_where_it_is_a_tensor(kind, mode):
    """Then it is the candidates that count."""
    values = arguments(num_sampled=tf.constant(4))
    assert np.isfinite(run(kind, mode, values)).all()


@pytest.mark.parametrize("values", [(), (1,), (1, 2, 3, 4), 5, "abcd"], ids=str)
@both
def test_arity_of_sampled_values(kind, values):
    good = {k: v for k, v in arguments().items() if "count" not in k and k != "sampled"}
    with pytest.raises(TypeError, match="sampled_values must be a tuple"):
        sc.FUNCTIONS[kind](**good, sampled_values=values)


@both
def test_sampler_alone(kind):
    good = {k: v for k, v in arguments().items() if "count" not in k and k != "sampled"}
    sampler = tfcs.UniformSampler(5)
    assert np.isfinite(sc.FUNCTIONS[kind](**good, sampler=sampler)).all()
    with pytest.raises(ValueError, match="Only one of sampler and sampled_values"):
        call(kind, arguments(sampler=sampler))
    with pytest.raises(ValueError, match="seed must be None where sampler is given, got 1"):
        sc.FUNCTIONS[kind](**good, sampler=sampler, seed=1)
    with pytest.raises(ValueError, match="num_classes = 5 classes, got one with range_max 4"):
        sc.FUNCTIONS[kind](**good, sampler=tfcs.UniformSampler(4))


@pytest.mark.parametrize("num_sampled", [-1, 0, 6])
@both
def test_num_sampled_of_the_default_sampler(kind, num_sampled):
    good = {k: v for k, v in arguments().items() if "count" not in k and k != "sampled"}
    with pytest.raises(ERRORS, match="num_sampled|range"):
        sc.FUNCTIONS[kind](**good | {"num_sampled": num_sampled})


@pytest.mark.parametrize("name", ["weights", "biases"])
@both
def test_variable_that_is_not_initialized(kind, name):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        loss = call(kind, arguments(**{name: tf.Variable(arguments()[name])}))
        errors = (tf.errors.FailedPreconditionError, tf.errors.NotFoundError)
        with pytest.raises(errors, match=f"{name} is a variable that is not initialized"):
            session.run(loss)


@both
def test_an_error_leaves_variables_usable(kind):
    weights = tf.Variable(tf.ones([5, 2]))
    for _ in range(3):
        with pytest.raises(tf.errors.InvalidArgumentError):
            call(kind, arguments(weights=weights, labels=np.array([[0, 1], [2, 9], [4, 0]])))
        weights.assign_add(tf.ones([5, 2]))
    assert float(weights[0, 0]) == 4


# The gradient op by itself: nothing a graph can hand it may crash.


def gradient_arguments(**changes):
    """Three rows of depth two, two labels each; classes 0, 2 are candidates, 4 a label."""
    good = {
        "grad": floats(3),
        "inputs": floats(3, 2),
        "class_ids": np.array([0, 2, 4]),
        "class_rows": floats(3, 2),
        "label_classes": np.array([[0, 1], [2, 0], [2, 2]]),
        "sample_columns": np.array([0, 1, 0]),
        "sample_offsets": floats(3),
        "sample_biases": floats(0),
        "label_logit_grad": floats(3, 2),
        "scales": floats(1, 3),
        "slopes": floats(3, 2),
        "hit_labels": [],
        "hit_candidates": [],
        "weight_rows": np.array([5]),
        "bias_rows": np.array([5]),
        "loss": "softmax",
        "remove_accidental_hits": True,
        "recompute": False,
        "Tshape": tf.int32,
        "num_weights": 1,
        "num_biases": 1,
    }
    return good | changes


def gradient(**changes):
    return ops.candsamp_sampled_loss_grad(**gradient_arguments(**changes))


TENSORS = [k for k, v in gradient_arguments().items() if isinstance(v, np.ndarray)]
TENSORS.remove("sample_biases")  # empty without a softcap


@pytest.mark.parametrize("loss", lc.LOSSES)
def test_gradient_op_is_fine_with_good_arguments(loss):
    assert gradient(loss=loss).inputs_grad.shape == [3, 2]
    assert gradient(loss=loss, recompute=True, slopes=floats(0, 0)).inputs_grad.shape == [3, 2]
    shards = {"weight_rows": np.array([3, 0, 2]), "num_weights": 3}
    indices = gradient(loss=loss, **shards).weight_indices
    assert [part.numpy().tolist() for part in indices] == [[0, 2], [], [1]]


def test_gradient_op_with_wrong_options():
    capped = {"logit_softcap": 2.0, "sample_biases": floats(3)}
    assert gradient(**capped).inputs_grad.shape == [3, 2]
    for bad in (floats(0), floats(2), floats(3, 1)):
        with pytest.raises(tf.errors.InvalidArgumentError, match="sample_biases must have shape"):
            gradient(**capped | {"sample_biases": bad})
    for name, bad in (("temperature", 0.0), ("logit_softcap", -1.0), ("temperature", np.nan)):
        with pytest.raises(tf.errors.InvalidArgumentError, match=f"{name} must be positive"):
            gradient(**{name: bad})


def test_gradient_op_with_wrong_hit_ids():
    good = {"hit_labels": [np.zeros([3, 2], int)], "hit_candidates": [np.array([1, 2, 1])]}
    recompute = {"recompute": True, "slopes": floats(0, 0)}
    assert gradient(**good, **recompute).inputs_grad.shape == [3, 2]
    for name, bad in (
        ("hit_labels", np.zeros([3], int)),
        ("hit_candidates", np.array([1, 2])),
        ("hit_candidates", np.array([1, 2, 3])),  # candidates 0 and 2 are of one class
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=name):
            gradient(**good | {name: [bad]}, **recompute)
    with pytest.raises(ERRORS, match="hit_"):
        gradient(**good | {"hit_labels": []}, **recompute)


@pytest.mark.parametrize("change", ["longer", "shorter", "scalar", "deeper", "empty"])
@pytest.mark.parametrize("name", TENSORS)
def test_gradient_op_with_a_tensor_of_another_shape(name, change):
    good = gradient_arguments()[name]
    bad = {
        "longer": np.concatenate([good, good[:1]]),
        "shorter": good[:-1],
        "scalar": good.ravel()[0],
        "deeper": good[..., None],
        "empty": good[:0],
    }[change]
    with pytest.raises(ERRORS):
        gradient(**{name: bad})


@pytest.mark.parametrize("bad", [-1, 3, 7, BIG, 2**63 - 1, -(2**63)])
@pytest.mark.parametrize("name", ["class_ids", "label_classes", "sample_columns"])
def test_gradient_op_with_numbers_out_of_range(name, bad):
    values = gradient_arguments()[name].copy()
    values.flat[1] = 5 if (name, bad) == ("class_ids", 3) else bad
    with pytest.raises(tf.errors.InvalidArgumentError, match=name):
        gradient(**{name: values})


@pytest.mark.parametrize(
    "name, number", [("weight_rows", "num_weights"), ("bias_rows", "num_biases")]
)
@pytest.mark.parametrize(
    "rows", [[-1], [4], [0], [2**63 - 1], [2**62, 2**62], [2, 2], [], [6, -1]], ids=str
)
def test_gradient_op_with_other_rows(name, number, rows):
    given = {name: np.array(rows, np.int64)}
    with pytest.raises(ERRORS):
        gradient(**given)
    if rows:
        with pytest.raises(ERRORS):
            gradient(**given, **{number: len(rows)})


@pytest.mark.parametrize(
    "name, number", [("weight_rows", "num_weights"), ("bias_rows", "num_biases")]
)
def test_gradient_op_with_mod_shards_of_wrong_sizes(name, number):
    """Class 4 is row 2 of shard 0, which has one."""
    with pytest.raises(tf.errors.InvalidArgumentError, match=name):
        gradient(**{name: np.array([1, 4]), number: 2}, partition_strategy="mod")


@pytest.mark.parametrize("columns", [[1, 0, 0], [0, 2, 1], [0, 0, 2]], ids=str)
def test_gradient_op_with_columns_in_another_order(columns):
    with pytest.raises(tf.errors.InvalidArgumentError, match="sample_columns"):
        gradient(sample_columns=np.array(columns))
