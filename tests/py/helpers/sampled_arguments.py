# SPDX-License-Identifier: Apache-2.0
"""Valid arguments of the losses with shared candidates, to make one mistake in."""

import calls
import numpy as np
import sampled_cases as sc
import tensorflow as tf

# Arguments that stay Python values in a function.
PYTHON = ("num_sampled", "num_classes", "num_true", "sampler", "seed", "partition_strategy")


def arguments(**changes):
    """Valid arguments of three rows, two labels each, four candidates and five classes."""
    good = {
        "weights": np.ones([5, 2], np.float32),
        "biases": np.ones([5], np.float32),
        "labels": np.array([[0, 1], [2, 3], [4, 0]]),
        "inputs": np.ones([3, 2], np.float32),
        "num_sampled": 4,
        "num_classes": 5,
        "num_true": 2,
        "sampled": np.array([0, 1, 2, 4]),
        "true_count": np.full([3, 2], 0.5, np.float32),
        "sampled_count": np.full([4], 0.5, np.float32),
    }
    return good | changes


def call(kind, values):
    values = dict(values)
    if "sampled" in values:
        names = ("sampled", "true_count", "sampled_count")
        values["sampled_values"] = [values.pop(name) for name in names]
    return sc.FUNCTIONS[kind](**values)


def run(kind, mode, values):
    """The loss, or error, in a mode of `SHAPE_MODES`. Lists of shards and None stay as they are."""
    fixed = {
        name: value
        for name, value in values.items()
        if name in PYTHON or value is None or isinstance(value, (list, tf.Variable))
    }
    given = {name: tf.constant(v) for name, v in values.items() if name not in fixed}
    return calls.in_shape_mode(mode, lambda given: call(kind, given | fixed), given)


def check(kind, mode, message, **changes):
    """The loss refuses the arguments with a message in which `message`, a pattern, is found."""
    calls.refused(message, run, kind, mode, arguments(**changes))
