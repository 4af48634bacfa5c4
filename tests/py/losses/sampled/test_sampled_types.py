# SPDX-License-Identifier: Apache-2.0
"""Losses with shared candidates: every pair of types; half types only round the exact result."""

import dataclasses
import os

import loss_cases as lc
import numpy as np
import processes
import pytest
import sampled_cases as sc
import tensorflow as tf

import tf_candsamp as tfcs

SHAPES = {
    "small": {},
    "deep": {"rows": 20, "depth": 100, "num_sampled": 200, "classes": 500, "scale": 0.1},
    "repeats": {"rows": 9, "num_sampled": 500, "classes": 9, "unique": False},
}


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("pair", lc.HALF_PAIRS, ids=lc.type_names)
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_half_types_only_round(kind, pair, shape, recompute):
    case = sc.random_case(1, recompute=recompute, **SHAPES[shape]).rounded(*pair)
    actual, exact = lc.evaluate(kind, case, *pair), lc.expected(kind, case)
    if pair[0] == tf.bfloat16 and os.environ.get("CANDSAMP_MAX_ISA") != "avx512":
        # Machines with products in bfloat16 round float32 weights and gradients of logits before.
        return lc.assert_result(actual, exact, 2.0**-6)
    types = (lc.value_type(kind, pair[0]), pair[1], pair[1], pair[0])
    for (name, got), (_, want), dtype in zip(lc.parts(actual), lc.parts(exact), types, strict=True):
        lc.assert_rounded(name, got, want, dtype, 16)
    return None


def test_bfloat16_only_rounds_where_products_are_in_float32():
    chosen = [f"{__file__}::test_half_types_only_round", "-k", "bfloat16", "-q"]
    processes.run("-m", "pytest", *chosen, CANDSAMP_MAX_ISA="avx512")


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("table", [tf.Variable, tf.identity], ids=["variable", "tensor"])
@pytest.mark.parametrize("pair", lc.TYPE_PAIRS, ids=lc.type_names)
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_each_gradient_has_the_type_of_its_tensor(kind, pair, table, biases):
    lc.assert_types(kind, sc.random_case(2, biases=biases).rounded(*pair), pair, table)


@pytest.mark.parametrize("unique", [False, True])
@pytest.mark.parametrize("dtype", [tf.bfloat16, tf.float16], ids=lambda t: t.name)
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_hits_make_no_nan_in_half_types(kind, dtype, unique):
    case = sc.random_case(3, classes=20, num_sampled=15, unique=unique).rounded(dtype)
    actual = lc.evaluate(kind, case, dtype)
    assert all(np.isfinite(part).all() for _, part in lc.parts(actual))
    lc.assert_result(actual, lc.expected(kind, case), 2.0**-7)


@pytest.mark.parametrize("dtype", [tf.bfloat16, tf.float16], ids=lambda t: t.name)
@pytest.mark.parametrize("kind", lc.LOSSES)
def test_default_sampler_in_half_types(kind, dtype):
    case = sc.random_case(4).rounded(dtype)
    tables = [tf.constant(x, dtype) for x in (case.weights, case.biases)]
    inputs = tf.constant(case.inputs, dtype)
    tf.random.set_seed(1)
    got = sc.FUNCTIONS[kind](*tables, case.labels, inputs, **case.sizes(), seed=2)
    tf.random.set_seed(1)
    values = tfcs.log_uniform_candidate_sampler(case.labels, 2, 20, True, 50, seed=2)
    names = ("sampled", "true_expected_count", "sampled_expected_count")
    drawn = {name: value.numpy() for name, value in zip(names, values, strict=True)}
    case = dataclasses.replace(case, remove_accidental_hits=kind == "softmax", **drawn)
    assert got.dtype == tf.float32
    lc.assert_close(lc.as_float64(got), lc.expected(kind, case).value, 2.0**-8)
