# SPDX-License-Identifier: Apache-2.0
"""Valid arguments of the ragged functions, to make one mistake in."""

import calls
import ragged_cases as rc
import tensorflow as tf


def arguments(**changes):
    """Valid arguments of three rows and five classes of depth two, but for the changes."""
    good = {
        "weights": tf.ones([5, 2]),
        "biases": tf.ones([5]),
        "labels": rc.ragged([[0], [1, 2], [3]]),
        "inputs": tf.ones([3, 2]),
        "candidates": rc.ragged([[1, 2], [], [0]]),
        "label_log_q": rc.ragged([[0], [0, 0], [0]], tf.float32),
        "candidate_log_q": rc.ragged([[0, 0], [], [0]], tf.float32),
    }
    return good | changes


def call(kind, values):
    if kind == "logits":
        values = {k: v for k, v in values.items() if "label" not in k and "log_q" not in k}
        return rc.FUNCTIONS[kind](**values).flat_values
    return rc.FUNCTIONS[kind](**values)


def run(kind, mode, values):
    """The function's value, or error, in a mode of `SHAPE_MODES`. Lists of shards stay lists."""
    absent = {name: None for name, value in values.items() if value is None}
    given = {
        name: value if isinstance(value, (list, tf.RaggedTensor)) else tf.constant(value)
        for name, value in values.items()
        if value is not None
    }
    return calls.in_shape_mode(mode, lambda given: call(kind, given | absent), given)


def check(kind, mode, message, **changes):
    """The function refuses the arguments with a message in which `message`, a pattern, is found."""
    calls.refused(message, run, kind, mode, arguments(**changes))
