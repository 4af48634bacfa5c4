# SPDX-License-Identifier: Apache-2.0
"""RaggedSampledSoftmax: its losses, gradients, metrics and inference against NumPy."""

import layer_cases as lcs
import numpy as np
import pytest
import reference
import tensorflow as tf

LABELS = lcs.skewed()
CANDIDATES = lcs.rows_of_candidates(LABELS)
HIDDEN = lcs.hidden()


def make(**options):
    return lcs.randomized(lcs.layers.RaggedSampledSoftmax(lcs.CLASSES, **options))


def expected(layer, labels=LABELS, candidates=CANDIDATES, grad=None):
    """Losses [B], and gradients for `grad` of each."""
    return reference.ragged_sampled_softmax_loss(
        *lcs.tables(layer), labels.reshape(len(labels), -1), HIDDEN, candidates, grad=grad
    )


def expected_hits(layer, k, labels=LABELS, candidates=CANDIDATES):
    """Whether at most k - 1 candidates beat the label, bool [B]."""
    logits = lcs.all_logits(layer, HIDDEN)
    rows = enumerate(zip(candidates, labels, strict=True))
    return np.array([(logits[i, row] > logits[i, label]).sum() < k for i, (row, label) in rows])


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("shape", [[-1], [-1, 1]])
@pytest.mark.parametrize("options", [{"top_k": [2, 3]}, {"use_bias": False}], ids=str)
def test_losses_gradients_and_metrics(options, shape, training):
    layer = make(**options)
    inputs = tf.constant(HIDDEN)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        labels = LABELS.reshape(shape)
        losses = layer(inputs, lcs.ragged(CANDIDATES), labels=labels, training=training)
        (loss,) = layer.losses
        value = 3 * loss
    want, exact = expected(layer, grad=np.full(lcs.ROWS, 3 / lcs.ROWS))
    np.testing.assert_allclose(losses, want, rtol=2e-5, atol=2e-5)
    np.testing.assert_allclose(loss, want.mean(), rtol=1e-5)
    targets = [*lcs.tensorflow_variables(layer), inputs]
    exact = [exact.weights, exact.biases, exact.inputs] if layer.use_bias else exact[::2]
    for gradient, values in zip(tape.gradient(value, targets), exact, strict=True):
        np.testing.assert_allclose(tf.convert_to_tensor(gradient), values, rtol=1e-4, atol=1e-6)
    want = {"nll": want.mean(), "accuracy": expected_hits(layer, 1).mean()}
    several_k = options.get("top_k", ())
    want |= {f"top_{k}_accuracy": expected_hits(layer, k).mean() for k in several_k}
    assert lcs.reported(layer) == pytest.approx(want, rel=1e-5)


def test_sample_weights_mask_and_ignored_labels():
    layer = make(ignore_id=-1)
    weights = lcs.random(7).random(lcs.ROWS).astype(np.float32)
    mask = np.arange(lcs.ROWS) % 3 > 0
    labels = np.where(np.arange(lcs.ROWS) % 5 > 0, LABELS, -1)
    counts = mask & (labels >= 0)
    losses = layer(HIDDEN, lcs.ragged(CANDIDATES), labels=labels, sample_weight=weights, mask=mask)
    exact, _ = expected(layer)
    np.testing.assert_allclose(losses, np.where(counts, exact, 0), rtol=2e-5, atol=2e-5)
    # As Keras has it: the sum of weighted losses by the number of those that count.
    want = (weights * exact)[counts].sum() / counts.sum()
    np.testing.assert_allclose(layer.losses[0], want, rtol=1e-5)
    found = lcs.reported(layer)
    share = weights[counts] / weights[counts].sum()
    assert found["nll"] == pytest.approx(share @ exact[counts], rel=1e-5)
    assert found["accuracy"] == pytest.approx(share @ expected_hits(layer, 1)[counts], rel=1e-5)


def test_several_labels():
    """A row is a hit if its best label is; the other label does not beat it."""
    layer = make(missing_label="join", top_k=2)
    labels = np.stack([LABELS, (LABELS + 7) % lcs.CLASSES], axis=1)
    losses = layer(HIDDEN, lcs.ragged(CANDIDATES), labels=labels)
    np.testing.assert_allclose(losses, expected(layer, labels)[0], rtol=2e-5, atol=2e-5)
    logits = lcs.all_logits(layer, HIDDEN)
    rank = []
    for i, (row, both) in enumerate(zip(CANDIDATES, labels, strict=True)):
        others = np.setdiff1d(row, both)
        rank.append((logits[i, others] > logits[i, both].max()).sum())
    found = lcs.reported(layer)
    assert found["accuracy"] == pytest.approx(np.mean(np.array(rank) < 1))
    assert found["top_2_accuracy"] == pytest.approx(np.mean(np.array(rank) < 2))


# Every third row lacks its label.
LACKS = np.arange(lcs.ROWS) % 3 == 2
LACKING = [
    row[row != label] if lacks else row
    for row, label, lacks in zip(CANDIDATES, LABELS, LACKS, strict=True)
]


def test_a_row_that_lacks_its_label_is_refused():
    layer = make()
    with pytest.raises(tf.errors.InvalidArgumentError, match="got a row without"):
        layer(HIDDEN, lcs.ragged(LACKING), labels=LABELS)
    step = tf.function(lambda: layer(HIDDEN, lcs.ragged(LACKING), labels=LABELS))
    with pytest.raises(tf.errors.InvalidArgumentError, match="got a row without"):
        step()
    # Rows that do not count are not looked at.
    layer(HIDDEN, lcs.ragged(LACKING), labels=LABELS, mask=~LACKS)


@pytest.mark.parametrize("how", ["miss", "join"])
def test_a_row_that_lacks_its_label(how):
    layer = make(missing_label=how, top_k=9)
    losses = layer(HIDDEN, lcs.ragged(LACKING), labels=LABELS, training=True)
    # The label is one of the classes of the softmax in any case.
    np.testing.assert_allclose(losses, expected(layer)[0], rtol=2e-5, atol=2e-5)
    for k, name in [(1, "accuracy"), (9, "top_9_accuracy")]:
        hits = expected_hits(layer, k)
        if how == "miss":
            hits &= ~LACKS
        assert layer.averages.result()[name].numpy() == pytest.approx(hits.mean())
    layer = make(missing_label=how)  # the accuracy that comes with the loss
    layer(HIDDEN, lcs.ragged(LACKING), labels=LABELS, training=True)
    hits = expected_hits(layer, 1) & (~LACKS if how == "miss" else True)
    assert lcs.reported(layer)["accuracy"] == pytest.approx(hits.mean())


def test_ties_go_to_the_first_of_the_row():
    layer = make(top_k=2, use_bias=False)
    layer.table.assign(np.zeros(layer.table.shape))
    layer(HIDDEN[:3], lcs.ragged([[5, 7, 9]] * 3), labels=[5, 7, 9])
    want = {"nll": np.log(3), "accuracy": 1 / 3, "top_2_accuracy": 2 / 3}
    assert lcs.reported(layer) == pytest.approx(want)
    best = layer.top_k(HIDDEN[:3], lcs.ragged([[5, 7, 9]] * 3), 2)
    assert best.indices.numpy().tolist() == [[5, 7]] * 3


def padded(rows, width=11):
    dense = np.full([len(rows), width], -1)
    for i, row in enumerate(rows):
        dense[i, : len(row)] = row
    return dense


def test_logits_and_probabilities():
    layer = make()
    logits = lcs.all_logits(layer, HIDDEN)
    want = np.concatenate([logits[i, row] for i, row in enumerate(CANDIDATES)])
    for got in (layer(HIDDEN, lcs.ragged(CANDIDATES)), layer.logits(HIDDEN, CANDIDATES)):
        np.testing.assert_allclose(got.values, want, rtol=2e-5, atol=2e-5)
        np.testing.assert_array_equal(got.row_lengths(), [len(row) for row in CANDIDATES])
    probabilities = layer.probabilities(HIDDEN, lcs.ragged(CANDIDATES))
    for i, row in enumerate(CANDIDATES):
        exponentials = np.exp(logits[i, row])
        exact = exponentials / exponentials.sum()
        np.testing.assert_allclose(probabilities[i], exact, rtol=1e-4, atol=1e-6)


def test_dense_candidates_padded_with_negative_ids():
    layer = make(top_k=2)
    dense = padded(CANDIDATES)
    want = layer(HIDDEN, lcs.ragged(CANDIDATES)).to_tensor(-np.inf, shape=[None, 11])
    for candidates in (dense, dense.astype(np.int32), tf.constant(dense)):
        np.testing.assert_array_equal(layer(HIDDEN, candidates), want)
    want = layer.probabilities(HIDDEN, CANDIDATES).to_tensor(0.0, shape=[None, 11])
    np.testing.assert_allclose(layer.probabilities(HIDDEN, dense), want, rtol=1e-6)
    np.testing.assert_array_equal(layer.probabilities(HIDDEN[:1], padded([[]], 2)), [[0, 0]])
    losses = [layer(HIDDEN, c, labels=LABELS) for c in (lcs.ragged(CANDIDATES), dense)]
    np.testing.assert_array_equal(*losses)


@pytest.mark.parametrize("k", [1, 3, 30])
def test_top_k(k):
    layer = make()
    rows = [*CANDIDATES[:20], np.zeros([0], np.int64)]
    logits = lcs.all_logits(layer, HIDDEN)
    for candidates in (lcs.ragged(rows), padded(rows)):
        values, indices = (x.numpy() for x in layer.top_k(HIDDEN[:21], candidates, k))
        for i, row in enumerate(rows):
            order = row[np.argsort(-logits[i, row], kind="stable")][:k]
            size = len(order)
            np.testing.assert_array_equal(indices[i, :size], order)
            np.testing.assert_allclose(values[i, :size], logits[i, order], rtol=2e-5, atol=2e-5)
            assert (indices[i, size:] == -1).all()
            assert (values[i, size:] == -np.inf).all()


def test_empty_batch():
    layer = make(top_k=2)
    nobody = HIDDEN[:0]
    none = tf.RaggedTensor.from_row_splits(tf.zeros([0], tf.int64), [0])
    assert layer(nobody, none, labels=np.zeros([0], np.int64), training=True).shape == [0]
    assert float(layer.losses[0]) == 0
    assert lcs.reported(layer) == {"nll": 0, "accuracy": 0, "top_2_accuracy": 0}
    assert layer(nobody, none).shape[0] == 0
    assert layer.top_k(nobody, none, 3).indices.shape == [0, 3]
    # A batch of which no row counts.
    layer(HIDDEN, lcs.ragged(CANDIDATES), labels=LABELS, mask=np.zeros(lcs.ROWS, bool))
    assert float(layer.losses[0]) == 0
