# SPDX-License-Identifier: Apache-2.0
"""Functions over all classes: every mistake is an error that names argument, value and need.

Each mistake in a tensor is made in eager mode, in a function that knows no shapes (so that the
kernel finds it), and in one that knows all shapes (so that building the graph may find it).
"""

import numpy as np
import pytest
import tensorflow as tf
from calls import MODES, SHAPE_MODES, in_shape_mode, refused
from internals import ops

import tf_candsamp as tfcs

everywhere = pytest.mark.parametrize("mode", SHAPE_MODES)


def floats(*shape):
    return tf.ones(shape)


def ids(*values):
    return tf.constant(np.array(values, np.int64))


TENSORS = {
    "weights": floats(5, 4),
    "biases": floats(5),
    "labels": ids([0, 1], [2, 3], [4, 4]),
    "inputs": floats(3, 4),
    "exclude": tf.ragged.constant([[0], [], [1, 2]], tf.int64),
    "k": tf.constant(2, tf.int64),
}


def loss(t, **options):
    return tfcs.full_softmax_loss(t["weights"], t["biases"], t["labels"], t["inputs"], **options)


def rank(t, **options):
    tables = t["weights"], t["biases"]
    return tfcs.label_rank(*tables, t["labels"], t["inputs"], exclude=t["exclude"], **options)


def top(t, **options):
    tables = t["weights"], t["biases"]
    return tfcs.top_k(*tables, t["inputs"], t["k"], exclude=t["exclude"], **options)


FUNCTIONS = {"loss": loss, "rank": rank, "top": top}
ALL = tuple(FUNCTIONS)
WITH_LABELS = ("loss", "rank")
WITH_EXCLUDE = ("rank", "top")

# The name of a mistake; a pattern of the message; the tensors that make it; in which functions.
MISTAKES = {
    "weights_rank": ("weights must have rank 2", {"weights": floats(5)}, ALL),
    "biases_rank": ("biases must have rank 1", {"biases": floats(5, 1)}, ALL),
    "inputs_rank": ("inputs must have rank 2", {"inputs": floats(4)}, ALL),
    "depth": ("inputs must have the depth of weights", {"inputs": floats(3, 3)}, ALL),
    "label_rows": (
        "labels must have .*3|labels must have .*row",
        {"labels": ids([0], [1])},
        WITH_LABELS,
    ),
    "label_columns": (
        "labels must have .*at least one column",
        {"labels": tf.zeros([3, 0], tf.int64)},
        WITH_LABELS,
    ),
    "label_rank_3": (
        r"labels must have shape \[B\]",
        {"labels": ids([[0]], [[1]], [[2]])},
        WITH_LABELS,
    ),
    "label_too_large": (
        r"labels must hold class ids in \[0, 5\), the rows that weights .* have, got 5 in row 1",
        {"labels": ids([0], [5], [0])},
        WITH_LABELS,
    ),
    "label_negative": (
        r"labels must hold .* got -1 in row 2",
        {"labels": ids([0], [1], [-1])},
        WITH_LABELS,
    ),
    "few_biases": (
        r"labels must hold class ids in \[0, 3\)",
        {"biases": floats(3)},
        WITH_LABELS,
    ),
    "exclude_rows": (
        "exclude must have as many rows as inputs, 3, got 2",
        {"exclude": tf.ragged.constant([[0], [1]], tf.int64)},
        WITH_EXCLUDE,
    ),
    "exclude_too_large": (
        r"exclude must hold class ids in \[0, 5\), .*got 7 in row 2",
        {"exclude": tf.ragged.constant([[0], [], [1, 7]], tf.int64)},
        WITH_EXCLUDE,
    ),
    "exclude_negative": (
        "exclude must hold .* got -3 in row 0",
        {"exclude": tf.ragged.constant([[0, -3], [], [1]], tf.int64)},
        WITH_EXCLUDE,
    ),
    "k_negative": (
        r"k must be in \[0, 5\], .*got -1|must be non-negative",
        {"k": tf.constant(-1, tf.int64)},
        ("top",),
    ),
    "k_above_classes": (
        r"k must be in \[0, 5\], .*got 6",
        {"k": tf.constant(6, tf.int64)},
        ("top",),
    ),
    "k_above_those_that_compete": (
        "k must be at most .* compete, 3 in row 2, where exclude leaves out 2 of 5, got 4",
        {"k": tf.constant(4, tf.int64)},
        ("top",),
    ),
    "k_vector": (
        "k must be a scalar|must be rank 0|k must have rank 0",
        {"k": ids(1, 2)},
        ("top",),
    ),
}
CASES = [(name, function) for name, case in MISTAKES.items() for function in case[2]]


def call(function, mode, tensors, **options):
    def unknown(tensor):
        if isinstance(tensor, tf.RaggedTensor):
            return tf.RaggedTensorSpec([None, None], tensor.dtype, 1, tf.int64)
        return tf.TensorSpec(None, tensor.dtype)

    return in_shape_mode(mode, lambda t: FUNCTIONS[function](t, **options), tensors, unknown)


@pytest.mark.parametrize("function", ALL)
def test_arguments_without_mistake_are_fine(function):
    results = [call(function, mode, TENSORS) for mode in SHAPE_MODES]
    for other in results[1:]:
        tf.nest.map_structure(np.testing.assert_array_equal, results[0], other)


@everywhere
@pytest.mark.parametrize("name, function", CASES)
def test_mistake_in_a_tensor(name, function, mode):
    message, changes, _ = MISTAKES[name]
    refused(message, call, function, mode, TENSORS | changes)


OPTIONS = {
    "num_classes_above_rows": ("weights must have .*num_classes = 6|6", {"num_classes": 6}, ALL),
    "num_classes_zero": ("num_classes must be positive, got 0", {"num_classes": 0}, ALL),
    "num_classes_type": ("num_classes must be an integer, got 2.5", {"num_classes": 2.5}, ALL),
    "label_above_num_classes": (
        r"labels must hold class ids in \[0, num_classes = 4\), got 4 in row 2",
        {"num_classes": 4},
        WITH_LABELS,
    ),
    "k_above_num_classes": (
        r"(exclude|k) must .*\[0, (num_classes = )?1",
        {"num_classes": 1},
        ("top",),
    ),
    "temperature_zero": ("temperature must be positive and finite, got 0", {"temperature": 0}, ALL),
    "temperature_negative": ("temperature must be positive", {"temperature": -1.0}, ALL),
    "temperature_nan": ("temperature must be positive", {"temperature": np.nan}, ALL),
    "temperature_infinite": ("temperature must be positive", {"temperature": np.inf}, ALL),
    "temperature_type": ("temperature must be a number, got 'hot'", {"temperature": "hot"}, ALL),
    "softcap_zero": ("logit_softcap must be positive", {"logit_softcap": 0.0}, ("loss", "top")),
    "softcap_negative": ("logit_softcap must be positive", {"logit_softcap": -3}, ("loss", "top")),
    "softcap_type": ("logit_softcap must be a number", {"logit_softcap": "30x"}, ("loss", "top")),
    "partition": ("partition_strategy must be 'div' or 'mod'", {"partition_strategy": "x"}, ALL),
}


@pytest.mark.parametrize(
    "name, function", [(name, f) for name, case in OPTIONS.items() for f in case[2]]
)
def test_mistake_in_an_option(name, function):
    message, options, _ = OPTIONS[name]
    refused(message, call, function, "eager", TENSORS, **options)


TYPES = {
    "inputs_type": ("inputs must be float32", {"inputs": tf.ones([3, 4], tf.int32)}, ALL),
    "weights_type": (
        "weights must be of type float64",
        {"inputs": tf.ones([3, 4], tf.float64)},
        ALL,
    ),
    "biases_type": ("biases must be of type float32", {"biases": tf.ones([5], tf.float64)}, ALL),
    "labels_type": (
        "labels must be of an integer",
        {"labels": tf.constant([["a"], ["b"], ["c"]])},
        WITH_LABELS,
    ),
    "labels_ragged": (
        "labels must be a dense tensor, got a RaggedTensor",
        {"labels": tf.ragged.constant([[1], [2, 3], [1]])},
        WITH_LABELS,
    ),
    "weights_none": ("weights must be a table", {"weights": None}, ALL),
    "no_shards": ("weights must hold at least one shard", {"weights": []}, ALL),
    "exclude_type": (
        r"exclude\[0\] must be of an integer type",
        {"exclude": [[0.5], [], []]},
        WITH_EXCLUDE,
    ),
    "exclude_rank": ("exclude must have shape", {"exclude": ids(1, 2, 3)}, WITH_EXCLUDE),
    "k_type": ("k must be (an integer|of an integer type)", {"k": 2.5}, ("top",)),
    "k_tensor_type": ("k must be of an integer type", {"k": tf.constant(2.5)}, ("top",)),
    "k_bool": ("k must be an integer, got True", {"k": True}, ("top",)),
    "k_none": ("k must be an integer, got None", {"k": None}, ("top",)),
    "k_python_negative": ("k must not be negative, got -2", {"k": -2}, ("top",)),
    "k_huge": ("k must be an integer of 64 bits", {"k": 2**70}, ("top",)),
}


@pytest.mark.parametrize(
    "name, function", [(name, f) for name, case in TYPES.items() for f in case[2]]
)
def test_mistake_in_a_type(name, function):
    message, changes, _ = TYPES[name]
    refused(message, FUNCTIONS[function], TENSORS | changes)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("function", ALL)
def test_variable_that_is_not_initialized(function, mode):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        constants = {name: tf.constant(t) for name, t in TENSORS.items() if name != "exclude"}
        tensors = constants | {"weights": tf.Variable(floats(5, 4)), "exclude": [[0], [], [1]]}
        result = FUNCTIONS[function](tensors)
        refused(
            "not initialized|uninitialized|initialized",
            session.run,
            result,
            errors=tf.errors.FailedPreconditionError,
        )


def test_shards_in_turn_need_their_parts():
    weights = [floats(4, 4), floats(1, 4)]
    tensors = TENSORS | {"weights": weights, "biases": None}
    for function in ALL:
        refused(
            r"weights\[1\] must have at least 2 rows",
            FUNCTIONS[function],
            tensors,
            num_classes=5,
            partition_strategy="mod",
        )


def grad_arguments(**changes):
    arguments = {
        "weights": [floats(5, 4)],
        "biases": [],
        "inputs": floats(3, 4),
        "labels": ids([0], [1], [2]),
        "grad": floats(3),
        "max": floats(3),
        "sum": floats(3),
        "W": tf.float32,
    }
    return arguments | changes


@pytest.mark.parametrize("name", ["grad", "max", "sum"])
@pytest.mark.parametrize("shape", [(), (2,), (3, 1)])
def test_gradient_op_refuses_other_shapes(name, shape):
    refused(
        rf"{name} must have shape \[3\]",
        ops.candsamp_full_softmax_loss_grad,
        **grad_arguments(**{name: floats(*shape)}),
    )


def test_gradient_op_refuses_other_labels():
    refused(
        "labels must hold class ids",
        ops.candsamp_full_softmax_loss_grad,
        **grad_arguments(labels=ids([0], [1], [9])),
    )


@pytest.mark.parametrize("name", ["temperature", "logit_softcap"])
@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf])
def test_ops_check_their_attributes(name, value):
    refused(
        f"{name} must be positive and finite",
        ops.candsamp_full_softmax_loss_grad,
        **grad_arguments(**{name: value}),
    )


def test_float_labels_that_cannot_name_all_classes():
    weights = tf.zeros([3000, 2])
    with pytest.warns(UserWarning, match="labels are of type float16") as caught:
        tfcs.full_softmax_loss(weights, None, tf.constant([1], tf.float16), floats(1, 2))
    assert caught[0].filename == __file__
