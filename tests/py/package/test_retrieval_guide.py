# SPDX-License-Identifier: Apache-2.0
"""docs/retrieval.md: its Python runs, in the order of the page, and does what the text says."""

import re

import numpy as np
import pytest
import tensorflow as tf
from processes import ROOT

import tf_candsamp as tfcs

NUM_ITEMS = 50


@pytest.fixture(scope="module")
def page():
    """What the page takes for granted, and its blocks."""
    keras = pytest.importorskip("keras", minversion="3")
    text = (ROOT / "docs/retrieval.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    table = keras.layers.Embedding(NUM_ITEMS, 8)
    given = {
        "tf": tf,
        "tfcs": tfcs,
        "num_items": NUM_ITEMS,
        "num_sampled": 20,
        "query_tower": keras.layers.Dense(8),
        "item_tower": table,
        "optimizer": keras.optimizers.SGD(0.5),
        "features": tf.random.stateless_normal([16, 4], [1, 2]),
        "item_ids": tf.constant(np.random.default_rng(0).integers(0, NUM_ITEMS, 16)),
        "item_counts": tf.range(1.0, NUM_ITEMS + 1),
        "seen": tf.ragged.constant([[1, 2]] * 16, dtype=tf.int64),
        "queries_of_sequences": tf.random.stateless_normal([2, 3, 8], [3, 4]),
        "items_of_sequences": tf.random.stateless_normal([2, 3, 8], [5, 6]),
        "ids_of_sequences": tf.constant([[1, 2, 3], [4, -1, -1]]),
    }
    given["query"] = given["query_tower"](given["features"])
    given["item"] = table(given["item_ids"])
    given["table"] = table.embeddings
    return given, [compile(block, "docs/retrieval.md", "exec") for block in blocks]


def test_blocks(page):
    given, (step, known, mixed, mixed_table, sequences, ranks) = page
    exec(step, given)
    losses = [given["train_step"](given["features"], given["item_ids"]).numpy() for _ in range(30)]
    assert losses[-1] < losses[0]
    counts = np.bincount(given["item_ids"].numpy(), minlength=NUM_ITEMS)
    np.testing.assert_array_equal(given["sampler"].counts, 30 * counts)

    exec(known, given)
    np.testing.assert_allclose(given["losses"], given["same"], rtol=1e-4, atol=1e-5)
    exec(mixed, given)
    assert given["losses"].shape == [16]
    exec(mixed_table, given)
    assert given["losses"].shape == [16]
    exec(sequences, given)
    assert (given["losses"].numpy() != 0).tolist() == [[True, True, True], [True, False, False]]

    exec(ranks, given)
    scores = given["query"].numpy() @ given["item_vectors"].numpy().T
    ids = given["item_ids"].numpy()
    scores[:, 1:3] = np.where(ids[:, None] == [1, 2], scores[:, 1:3], -np.inf)
    best = np.argsort(-scores, axis=1, kind="stable")
    np.testing.assert_array_equal(given["rank"], np.argmax(best == ids[:, None], axis=1))
    assert given["hits_at_10"] == (given["rank"].numpy() < 10).mean()
