# SPDX-License-Identifier: Apache-2.0
"""Scorers of TensorFlow's own ops, which a process without this package serves."""

import json

import numpy as np
import processes
import pytest
import tensorflow as tf

import tf_candsamp as tfcs

CLASSES, DEPTH, K = 11, 4, 3
RANDOM = np.random.default_rng(1)
WEIGHTS = RANDOM.normal(size=[CLASSES, DEPTH]).astype(np.float32)
BIASES = RANDOM.normal(size=[CLASSES]).astype(np.float32)
INPUTS = RANDOM.normal(size=[5, DEPTH]).astype(np.float32)
CANDIDATES = np.array([[0, 10, -1], [3, 3, 11], [5, 2, 1], [-1, -1, -1], [9, 0, 4]])
OPTIONS = {"temperature": 0.5, "normalize": True, "logit_softcap": 2.0}

_PROCESS = f"""
import json, sys
import tensorflow as tf
sys.modules["tf_candsamp"] = None  # importing it is an error
served = tf.saved_model.load(sys.argv[1]).signatures
inputs, candidates = tf.constant({INPUTS.tolist()}), tf.constant({CANDIDATES.tolist()}, tf.int64)
results = dict(
    score=served["score"](inputs=inputs), top_k=served["top_k"](inputs=inputs),
    score_candidates=served["score_candidates"](inputs=inputs, candidates=candidates))
print(json.dumps(tf.nest.map_structure(lambda x: x.numpy().tolist(), results)))
"""


def shards_of(table, shards, strategy):
    if shards == 1:
        return tf.Variable(table)
    in_turn = [table[k::shards] for k in range(shards)]
    parts = in_turn if strategy == "mod" else np.array_split(table, shards)
    return [tf.Variable(part) for part in parts]


def expected(biases, options):
    """Scores of all classes by the package's own op."""
    every = tf.ragged.constant([list(range(CLASSES))] * len(INPUTS), dtype=tf.int64)
    scores = tfcs.ragged_candidate_logits(WEIGHTS, biases, INPUTS, every, **options)
    return scores.to_tensor().numpy()


@pytest.mark.parametrize(
    "shards, strategy, options", [(1, "div", {}), (3, "div", OPTIONS), (3, "mod", {})]
)
def test_serves_what_the_losses_score(shards, strategy, options, tmp_path):
    weights, biases = (shards_of(table, shards, strategy) for table in (WEIGHTS, BIASES))
    tfcs.export_scorer(tmp_path, weights, biases, k=K, partition_strategy=strategy, **options)
    found = json.loads(processes.run("-c", _PROCESS, tmp_path).splitlines()[-1])
    want = expected(BIASES, options)
    np.testing.assert_allclose(found["score"]["scores"], want, rtol=1e-5, atol=1e-6)
    best = np.argsort(-want, axis=1, kind="stable")[:, :K]
    np.testing.assert_array_equal(found["top_k"]["indices"], best)
    np.testing.assert_allclose(
        found["top_k"]["values"], np.take_along_axis(want, best, 1), rtol=1e-5, atol=1e-6
    )
    known = (CANDIDATES >= 0) & (CANDIDATES < CLASSES)
    of_candidates = np.take_along_axis(want, np.where(known, CANDIDATES, 0), 1)
    np.testing.assert_allclose(
        found["score_candidates"]["scores"],
        np.where(known, of_candidates, -np.inf),
        rtol=1e-5,
        atol=1e-6,
    )


def test_without_biases_and_later_updates(tmp_path):
    weights = tf.Variable(WEIGHTS)
    tfcs.export_scorer(tmp_path, weights)
    weights.assign_add(tf.ones_like(weights))
    served = tf.saved_model.load(str(tmp_path))
    got = served.score(tf.constant(INPUTS))["scores"]
    np.testing.assert_allclose(got, expected(None, {}), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"weights": None}, "weights must be a table of classes, got None."),
        ({"k": CLASSES + 1}, f"k must be at most the number of classes, {CLASSES}, got 12."),
        ({"k": 0}, "k must be positive, got 0."),
        ({"biases": BIASES[:5]}, f"biases must have a value for each of {CLASSES} classes, got"),
        ({"weights": BIASES}, r"weights must have rank 2, got shape \(11,\)."),
        ({"temperature": 0.0}, "temperature must be positive and finite, got 0.0."),
    ],
)
def test_bad_arguments(arguments, message, tmp_path):
    arguments = {"weights": WEIGHTS, "biases": BIASES, "k": K} | arguments
    with pytest.raises(ValueError, match=message):
        tfcs.export_scorer(tmp_path, **arguments)
