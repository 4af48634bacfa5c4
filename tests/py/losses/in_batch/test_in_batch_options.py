# SPDX-License-Identifier: Apache-2.0
"""Options of the two-tower losses: how scores become logits, corrections, statistics."""

import calls
import numpy as np
import pytest
import tensorflow as tf

import tf_candsamp as tfcs

B, S, V, D = 12, 9, 20, 5


def data(seed=0):
    """Queries, vectors of all items, ids of the batch and sampled ones, p and Q of all items."""
    rng = np.random.default_rng(seed)
    query, table = rng.normal(size=[B, D]), rng.normal(size=[V, D])
    ids, sampled = rng.integers(0, V, B), rng.integers(0, V, S)
    ids[1] = ids[0] = sampled[0]
    return query, table, ids, sampled, rng.dirichlet(np.ones(V)), S * rng.dirichlet(np.ones(V))


def losses_of(form, query, table, ids, sampled, p, count, **options):
    """A loss, the ids of its candidates, and their expected counts, in float64."""
    p, count = p.astype(np.float64), count.astype(np.float64)
    if form == "in-batch":
        loss = tfcs.in_batch_softmax_loss(
            query, table[ids], ids, item_probability=p[ids], **options
        )
        return loss, ids, B * p
    sample = (sampled, count[ids], count[sampled])
    options["item_probability"] = (p[ids], p[sampled])
    if form == "table":
        options["weights"] = table
    else:
        options |= {"item": table[ids], "sampled_item": table[sampled]}
    loss = tfcs.mixed_softmax_loss(query, ids, sample, **options)
    return loss, np.concatenate([ids, sampled]), B * p + count


def logits(query, table, temperature=1.0, normalize=False, logit_softcap=None):
    if normalize:
        query, table = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (query, table))
    score = query @ table.T / temperature
    return score if logit_softcap is None else logit_softcap * np.tanh(score / logit_softcap)


def row_terms(i, ids, candidates, score, counts):
    """The row's own z, and those of its negatives."""
    others = [c for j, c in enumerate(candidates) if c != ids[i]]
    z = score[i] - np.log(counts)
    return z[ids[i]], z[others]


forms = pytest.mark.parametrize("form", ["in-batch", "towers", "table"])
OPTIONS = [
    {"temperature": 0.25},
    {"normalize": True, "temperature": 0.125},
    {"logit_softcap": 1.5},
    {"normalize": True, "temperature": 0.25, "logit_softcap": 3.0},
]


@forms
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_how_scores_become_logits(form, options):
    arguments = data()
    loss, candidates, counts = losses_of(form, *arguments, **options)
    query, table, ids = arguments[:3]
    score = logits(query, table, **options)
    for i in range(B):
        own, others = row_terms(i, ids, candidates, score, counts)
        want = np.log(np.exp(own) + np.exp(others).sum()) - own
        np.testing.assert_allclose(loss[i], want, rtol=1e-9)


@forms
def test_no_correction(form):
    """Nothing is subtracted: the counts have no say."""
    query, table, ids, sampled, *_ = data()
    loss, candidates, _ = losses_of(form, *data(), correction="none")
    for i in range(B):
        own, others = row_terms(i, ids, candidates, query @ table.T, np.ones(V))
        np.testing.assert_allclose(loss[i], np.log(np.exp(own) + np.exp(others).sum()) - own)
    if form == "table":
        sample = (sampled, np.ones(B), np.ones(S))
        again = tfcs.mixed_softmax_loss(query, ids, sample, weights=table, correction="none")
        np.testing.assert_array_equal(again, loss)


@forms
def test_the_corrected_log_q(form):
    """RecSys 2025: the row's own item uncorrected and out of the sum.

    In a batch of B, Q(j) = p_j, Q'(j) = p_j / (1 - p_i), P = e^s / (e^s + Z / k) is a constant.
    """
    query, table, ids, *_ = arguments = data()
    x = tf.constant(query)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss, candidates, counts = losses_of(
            form, x, table, *arguments[2:], correction="corrected_log_q"
        )
    gradient = tape.gradient(loss, x).numpy()
    score, draws = query @ table.T, len(candidates)
    for i in range(B):
        others = [c for c in candidates if c != ids[i]]
        q = counts / draws
        terms = np.exp(score[i, others]) * (1 - q[ids[i]]) / q[others]
        total, k, own = terms.sum(), len(others), score[i, ids[i]]
        weight = 1 - np.exp(own) / (np.exp(own) + total / k)
        np.testing.assert_allclose(loss[i], weight * (np.log(total) - own), rtol=1e-6)
        want = weight * (terms @ table[others] / total - table[ids[i]])
        np.testing.assert_allclose(gradient[i], want, rtol=1e-5, atol=1e-9)


@forms
def test_statistics(form):
    """They are of z, whatever the weights of the rows are; rows that do not count have none."""
    query, table, ids, sampled, p, count = data()
    mask = np.arange(B) % 4 != 3
    weight = np.arange(B) / 2
    plain, *_ = losses_of(form, query, table, ids, sampled, p, count, mask=mask)
    (loss, stats), candidates, _ = losses_of(
        form,
        query,
        table,
        ids,
        sampled,
        p,
        count,
        mask=mask,
        sample_weight=weight,
        return_stats=True,
    )
    np.testing.assert_allclose(loss, plain * weight, rtol=1e-12)
    rows = mask.sum()
    counts = rows * p + (0 if form == "in-batch" else count)
    kept = np.concatenate([ids[mask], candidates[B:]])
    for i in range(B):
        own, others = row_terms(i, ids, kept, query @ table.T, counts)
        log_sum_exp = np.log(np.exp(own) + np.exp(others).sum())
        want = (log_sum_exp, own >= others.max()) if mask[i] else (0, False)
        np.testing.assert_allclose(stats.log_sum_exp[i], want[0], rtol=1e-6)
        assert stats.label_is_top[i] == want[1]


@pytest.mark.parametrize(
    "message, options",
    [
        ("correction must be", {"correction": "logq"}),
        ("remove_accidental_hits must be True where correction is 'corrected_log_q'",
         {"correction": "corrected_log_q", "remove_accidental_hits": False}),
        ("temperature must be positive", {"temperature": 0.0}),
        ("normalize must be True or False", {"normalize": 2}),
        ("logit_softcap must be positive", {"logit_softcap": -1.0}),
    ],
)  # fmt: skip
@forms
def test_wrong_options(form, message, options):
    if form == "table" and "remove_accidental_hits" in options:
        message = "remove_accidental_hits must be True"
    calls.refused(message, losses_of, form, *data(), **options)


def test_a_corrected_log_q_needs_probabilities():
    query, table, ids, *_ = data()
    message = "sampler or item_probability must be given where correction is 'corrected_log_q'"
    calls.refused(
        message, tfcs.in_batch_softmax_loss, query, table[ids], ids, correction="corrected_log_q"
    )
