# SPDX-License-Identifier: Apache-2.0
"""Optimizers that update rows, with Keras 2: in a process where that is tf.keras."""

import processes


def test_steps_are_those_of_keras_on_dense_gradients():
    output = processes.run("row_optimizers_in_keras_2.py", **processes.KERAS_2)
    assert output.endswith("right\n")
