# SPDX-License-Identifier: Apache-2.0
"""Losses with shared candidates read tables in place, and keep one [B, S] buffer or none."""

import dataclasses
import functools

import loss_cases as lc
import pytest
import sampled_cases as sc
import tensorflow as tf
from calls import MODES
from memory import CLASSES, DEPTH, ROWS, SMALL, peak_of, sparse_update


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shards", [1, 2])
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_tables_are_read_in_place_after_a_sparse_update(kind, shards, mode):
    tables = [tf.Variable(tf.zeros([CLASSES // shards, DEPTH])) for _ in range(shards)]
    for table in tables:
        sparse_update(table)
    case = sc.random_case(0, rows=ROWS, classes=CLASSES, depth=1, num_sampled=200)
    inputs = tf.ones([ROWS, DEPTH])

    def step():
        with tf.GradientTape() as tape:
            loss = case.apply(kind, tables if shards > 1 else tables[0], None, inputs)
        for table, slices in zip(tables, tape.gradient(loss, tables), strict=True):
            table.scatter_sub(slices)

    assert peak_of(MODES[mode](step)) < SMALL


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_one_buffer_of_logits_or_none(kind, mode):
    rows, num_sampled, depth = 2048, 4096, 16
    logits = rows * num_sampled * 4
    case = sc.random_case(0, rows=rows, classes=5000, depth=depth, num_sampled=num_sampled)
    weights, inputs = tf.Variable(tf.zeros([5000, depth])), tf.ones([rows, depth])
    peaks = []

    def step(loss_case):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = loss_case.apply(kind, weights, None, inputs)
        return tape.gradient(loss, [weights, inputs])

    for recompute in (False, True):
        one = functools.partial(step, dataclasses.replace(case, recompute=recompute))
        peaks.append(peak_of(one if mode == "eager" else tf.function(lambda one=one: one())))
    # In eager mode the tape makes zeros for an output that nobody differentiates. TensorFlow counts
    # whole chunks of its allocator, which may be nearly twice what was asked for; tf.nn's losses
    # hold more than three of these buffers in a function, ten in eager mode.
    buffers = 2 if mode == "eager" else 1
    assert logits <= peaks[0] < 2 * (buffers + 0.5) * logits
    assert peaks[1] < logits
