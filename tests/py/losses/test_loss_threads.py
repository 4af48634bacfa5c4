# SPDX-License-Identifier: Apache-2.0
"""Losses: same bits for any number of threads, instruction sets, and concurrency."""

import functools
import json
import pickle
import threading
import time

import loss_bits
import loss_cases as lc
import numpy as np
import processes
import pytest
import ragged_cases as rc
import sampled_cases as sc
import tensorflow as tf
from calls import MODES

KEYS = [
    loss_bits.key_of(kind, shape, types)
    for shape, kinds in loss_bits.KINDS.items()
    for types in loss_bits.TYPES
    for kind in kinds
]

# Of a part's largest value: twice what was measured, and half an ulp of bfloat16.
TOLERANCE = 4e-6
TOLERANCE_BFLOAT16 = 2.0**-8
# Where gradients of logits are rounded to bfloat16 before they are multiplied.
TOLERANCE_BFLOAT16_PRODUCTS = 2.0**-6


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """results(threads, instruction set): what loss_bits.py finds in a process of its own."""
    path = tmp_path_factory.mktemp("loss_bits") / "references"
    path.write_bytes(pickle.dumps(loss_bits.references()))

    @functools.cache
    def found(threads, instruction_set="amx"):
        output = processes.run("loss_bits.py", threads, path, CANDSAMP_MAX_ISA=instruction_set)
        return json.loads(output)

    return found


@pytest.mark.parametrize("threads", [2, 4])
@pytest.mark.parametrize("key", KEYS)
def test_same_bits_with_any_number_of_threads(key, threads, results):
    bits, one_thread = results(threads)[key][0], results(1)[key][0]
    assert len(bits) == 64, bits
    assert bits == one_thread


@pytest.mark.parametrize("instruction_set", ["baseline", "avx2", "avx512", "amx"])
@pytest.mark.parametrize("key", KEYS)
def test_every_instruction_set_is_exact(key, instruction_set, results):
    """A set that the machine lacks falls back to one it has."""
    error = results(2, instruction_set)[key][1]
    tolerance = TOLERANCE
    if "bfloat16" in key:
        products = instruction_set == "amx" and key.split()[1] in loss_bits.SAMPLED
        tolerance = TOLERANCE_BFLOAT16_PRODUCTS if products else TOLERANCE_BFLOAT16
    assert error <= tolerance


def run_threads(works, seconds):
    """Runs each of the functions again and again in a thread of its own; raises what they raise."""
    end = time.monotonic() + seconds
    errors, counts = [], [0] * len(works)

    def loop(k, work):
        try:
            while time.monotonic() < end and not errors:
                work()
                counts[k] += 1
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=loop, args=pair, daemon=True) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds + 30)
        assert not thread.is_alive(), "deadlock"
    if errors:
        raise errors[0]
    assert min(counts) > 0


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "kind, case",
    [
        *(
            (k, rc.random_case(1, rows=50, classes=1000, depth=32, candidates=(0, 100)))
            for k in rc.KINDS
        ),
        *(
            (k, sc.random_case(1, rows=50, classes=1000, depth=32, num_sampled=100))
            for k in lc.LOSSES
        ),
    ],
    ids=[*(f"ragged_{k}" for k in rc.KINDS), *(f"sampled_{k}" for k in lc.LOSSES)],
)
def test_steps_and_sparse_updates_at_once(kind, case, mode):
    first = tf.Variable(case.weights[:500], dtype=tf.float32)
    second = tf.Variable(case.weights[500:], dtype=tf.float32)
    biases = tf.Variable(case.biases, dtype=tf.float32)
    inputs = tf.constant(case.inputs, tf.float32)

    def step(shards):
        with tf.GradientTape() as tape:
            value = lc.apply(kind, case, shards, biases, inputs)
        gradients = tape.gradient(value, [*shards, biases])
        for variable, gradient in zip([*shards, biases], gradients, strict=True):
            variable.scatter_sub(tf.IndexedSlices(1e-6 * gradient.values, gradient.indices))
        return value

    def update(variable):
        zeros = tf.zeros([100, 32])
        variable.scatter_add(tf.IndexedSlices(zeros, tf.range(100)))
        variable.assign_add(tf.zeros([500, 32]))

    wrap = MODES[mode]
    forwards = wrap(lambda: step([first, second]))
    backwards = wrap(lambda: step([second, first]))  # locks the same variables in another order
    updates = [wrap(lambda v=variable: update(v)) for variable in (first, second)]
    run_threads([forwards, backwards, *updates], seconds=0.7)
    assert np.isfinite(forwards().numpy()).all()


def test_a_loss_sees_a_table_before_or_after_an_update_never_in_between():
    weights = tf.Variable(tf.zeros([1000, 16]))
    inputs = tf.ones([1, 16])
    candidates = rc.ragged([range(1000)])

    def look():
        logits = rc.FUNCTIONS["logits"](weights, None, inputs, candidates).flat_values.numpy()
        assert logits.min() == logits.max()

    run_threads([look, look, lambda: weights.assign_add(tf.ones([1000, 16]))], seconds=0.7)
