# SPDX-License-Identifier: Apache-2.0
"""The two-tower losses keep one buffer of logits, or none."""

import pytest
import tensorflow as tf
from calls import graph_function
from memory import peak_of

import tf_candsamp as tfcs

ROWS, DEPTH = 4096, 16
LOGITS = ROWS * ROWS * 4


@pytest.mark.parametrize("recompute", [False, True])
def test_one_buffer_or_none(recompute):
    query, item = tf.ones([2, ROWS, DEPTH])
    ids, p = tf.range(ROWS) // 2, tf.fill([ROWS], 1e-3)

    @graph_function
    def step():
        with tf.GradientTape() as tape:
            tape.watch([query, item])
            loss = tfcs.in_batch_softmax_loss(
                query, item, ids, item_probability=p, recompute=recompute
            )
        return tape.gradient(loss, [query, item])

    # TensorFlow counts whole chunks of its allocator, up to twice what was asked for.
    peak = peak_of(step)
    assert peak < 0.6 * LOGITS if recompute else LOGITS <= peak < 2.5 * LOGITS
