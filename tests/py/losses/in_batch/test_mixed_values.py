# SPDX-License-Identifier: Apache-2.0
"""The mixed softmax loss against reference.py, and its expected counts against statistics."""

import dataclasses

import calls
import loss_cases as lc
import numpy as np
import pytest
import reference
import tensorflow as tf

import tf_candsamp as tfcs

CLASSES = 60


@dataclasses.dataclass
class Case:
    """A table of all items; p and q are probabilities of items in a batch and of a draw."""

    query: np.ndarray
    table: np.ndarray
    ids: np.ndarray
    sampled: np.ndarray
    p: np.ndarray
    q: np.ndarray

    @property
    def all_ids(self):
        return np.concatenate([self.ids, self.sampled])

    @property
    def counts(self):
        """The expected counts of the batch's items and of the sampled ones, from both sources."""
        of_class = len(self.ids) * self.p + len(self.sampled) * self.q
        return of_class[self.all_ids]

    def sample(self):
        sampled_count = len(self.sampled) * self.q
        return (self.sampled, sampled_count[self.ids], sampled_count[self.sampled])

    def probability(self):
        return self.p[self.ids], self.p[self.sampled]

    def loss(self, query, **options):
        return tfcs.mixed_softmax_loss(
            query, self.ids, self.sample(), item_probability=self.probability(), **options
        )


def random_case(rows=20, num_sampled=30, depth=6, seed=0):
    """Ids repeat within the batch, within the sampled items, and between both."""
    rng = np.random.default_rng(seed)
    query = rng.normal(size=[rows, depth]).astype(np.float32)
    table = rng.normal(size=[CLASSES, depth]).astype(np.float32)
    ids, sampled = rng.integers(0, CLASSES, rows), rng.integers(0, CLASSES, num_sampled)
    ids[0] = ids[1] = sampled[0] = sampled[1]
    p, q = rng.dirichlet(np.ones(CLASSES), 2).astype(np.float32)
    return Case(query, table, ids, sampled, p, q)


def grad_of(rows):
    return np.random.default_rng(rows).integers(-16, 17, rows) / 8


def differentiated(case, sources, loss):
    """The losses, and their gradients as dense float64."""
    with tf.GradientTape() as tape:
        tape.watch([x for x in sources if isinstance(x, tf.Tensor)])
        value = loss()
    gradients = tape.gradient(value, sources, tf.constant(grad_of(len(case.ids)), value.dtype))
    return value.numpy(), *map(lc.as_dense, gradients)


def assert_near(actual, expected, tolerance=3e-6):
    for got, want in zip(actual, expected, strict=True):
        lc.assert_close(got, want, tolerance, max(1, np.abs(want).max()))


def expected(case, **options):
    """Losses, gradients of the queries and of all rows of the table."""
    loss, query_grad, vector_grad = reference.two_tower_softmax_loss(
        case.query,
        case.table[case.all_ids],
        case.all_ids,
        case.counts,
        grad=grad_of(len(case.ids)),
        **options,
    )
    table_grad = np.zeros(case.table.shape)
    np.add.at(table_grad, case.all_ids, vector_grad)
    return loss, query_grad, table_grad, vector_grad


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("remove", [True, False])
@pytest.mark.parametrize("rows, num_sampled", [(20, 30), (1, 1), (300, 500)])
def test_item_towers(rows, num_sampled, remove, recompute):
    case = random_case(rows, num_sampled) if rows > 1 else random_case(2, 2)
    query = tf.constant(case.query)
    item, sampled_item = (tf.constant(case.table[ids]) for ids in (case.ids, case.sampled))
    weight = np.random.default_rng(2).integers(0, 9, len(case.ids)) / 4

    def loss():
        return case.loss(
            query,
            item=item,
            sampled_item=sampled_item,
            sample_weight=weight,
            remove_accidental_hits=remove,
            recompute=recompute,
        )

    got = differentiated(case, [query, item, sampled_item], loss)
    want = expected(case, sample_weight=weight, remove_accidental_hits=remove)
    assert_near([*got[:2], np.concatenate(got[2:])], [*want[:2], want[3]])


@pytest.mark.parametrize("strategy, shards", [("div", 1), ("div", 3), ("mod", 3)])
def test_a_class_table(strategy, shards):
    """The rows of a variable, read in place: gradients are slices with distinct rows."""
    case = random_case()
    query = tf.constant(case.query)
    rows = np.array_split(np.arange(CLASSES), shards)
    if strategy == "mod":
        rows = [np.arange(k, CLASSES, shards) for k in range(shards)]
    tables = [tf.Variable(case.table[some]) for some in rows]

    def loss():
        weights = tables if shards > 1 else tables[0]
        return case.loss(query, weights=weights, partition_strategy=strategy)

    loss, query_grad, *table_grads = differentiated(case, [query, *tables], loss)
    table_grad = np.zeros(case.table.shape)
    for some, grad in zip(rows, table_grads, strict=True):
        table_grad[some] = grad
    assert_near([loss, query_grad, table_grad], expected(case)[:3])


def test_biases_of_a_table():
    case = random_case()
    biases = tf.Variable(np.random.default_rng(3).normal(size=CLASSES).astype(np.float32))
    table = np.concatenate([case.table, biases.numpy()[:, None]], axis=1)
    query = np.concatenate([case.query, np.ones([20, 1], np.float32)], axis=1)
    want = case.loss(query, weights=table)
    np.testing.assert_allclose(case.loss(case.query, weights=case.table, biases=biases), want, 1e-5)


def test_an_item_of_both_sources_has_one_count():
    """A row whose item is from the batch and one whose item was sampled: the same z for the same c.

    By hand, for two queries and two sampled items, one of which is in the batch, too.
    """
    query, table = np.eye(2), np.array([[1.0, 0], [0, 2], [3, 1]])
    p, q = np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.1, 0.8])
    count = 2 * p + 2 * q
    z = query @ table.T - np.log(count)
    loss = tfcs.mixed_softmax_loss(
        query,
        [0, 1],
        ([2, 1], 2 * q[[0, 1]], 2 * q[[2, 1]]),
        item_probability=(p[[0, 1]], p[[2, 1]]),
        weights=table,
    )
    row0 = np.exp(z[0, [0, 1, 2, 1]]).sum()  # item 1 once from either source
    row1 = np.exp(z[1, [1, 0, 2]]).sum()  # its own item is sampled: a hit
    np.testing.assert_allclose(loss, [np.log(row0) - z[0, 0], np.log(row1) - z[1, 1]], rtol=1e-6)


def test_samplers_in_place_of_numbers():
    """The sampler of p is asked for both kinds of items, and counts the batch's afterwards."""
    case = random_case()
    p_sampler, negatives = tfcs.LearnedUnigramSampler(CLASSES), tfcs.LogUniformSampler(CLASSES)
    p_sampler.update([3, 3, 7])
    sample = negatives.sample(30, case.ids[:, None])
    known = [p_sampler.probability(ids) for ids in (case.ids, sample.sampled_candidates)]
    want = tfcs.mixed_softmax_loss(
        case.query, case.ids, sample, weights=case.table, item_probability=known
    )
    options = {"weights": case.table, "sampler": p_sampler}
    for update in (False, True):
        got = tfcs.mixed_softmax_loss(case.query, case.ids, sample, update=update, **options)
        np.testing.assert_array_equal(got, want)
    counts = np.bincount([3, 3, 7, *case.ids], minlength=CLASSES)
    np.testing.assert_array_equal(p_sampler.counts, counts)


@pytest.mark.parametrize("unique", [True, False])
def test_negatives_that_the_loss_draws(unique):
    """They are what the sampler would have drawn, with exact counts."""
    case = random_case()
    fixed = tfcs.FixedUnigramSampler(case.p, seed=1)
    drawn, given = (tfcs.LogUniformSampler(CLASSES, unique=unique, seed=5) for _ in range(2))
    options = {"weights": case.table, "sampler": fixed}
    for _ in range(2):
        sample = given.sample(30, case.ids[:, None], expected_count="exact")
        got = tfcs.mixed_softmax_loss(
            case.query, case.ids, negatives=drawn, num_sampled=30, **options
        )
        want = tfcs.mixed_softmax_loss(case.query, case.ids, sample, **options)
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("same", [True, False])
def test_each_learned_sampler_counts_once(same):
    case = random_case()
    frequencies = tfcs.LearnedUnigramSampler(CLASSES)
    negatives = frequencies if same else tfcs.LearnedUnigramSampler(CLASSES)
    options = {"sampler": frequencies, "negatives": negatives, "num_sampled": 8}
    for update in (True, False):
        tfcs.mixed_softmax_loss(case.query, case.ids, weights=case.table, update=update, **options)
    for sampler in (frequencies, negatives):
        np.testing.assert_array_equal(sampler.counts, np.bincount(case.ids, minlength=CLASSES))


@pytest.mark.parametrize("unique", [True, False])
def test_the_sum_over_candidates_is_unbiased(unique):
    """exp(loss + z of the label) estimates the sum over all items of exp(<x, y>).

    Batches are drawn by p and more items by another sampler, 4,000 times. The mean is within 4.5
    standard errors: a right implementation fails once in 150,000 seeds. Leaving a source out of
    the counts would move it by 20% or more, which is ten standard errors.
    """
    rows, num_sampled, classes = 4, 6, 12
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(classes)).astype(np.float32)
    table = tf.constant(rng.normal(size=[classes, 3]), tf.float32)
    x = tf.constant(rng.normal(size=[3]), tf.float32)
    query = tf.tile(x[tf.newaxis], [rows, 1])
    batches = tfcs.FixedUnigramSampler(p, unique=False, seed=1)
    negatives = tfcs.LogUniformSampler(classes, unique=unique, seed=2)

    @calls.graph_function
    def estimate():
        ids = batches.sample(rows).sampled_candidates
        sample = negatives.sample(num_sampled, ids[:, tf.newaxis], expected_count="exact")
        loss = tfcs.mixed_softmax_loss(
            query,
            ids,
            sample,
            item=tf.gather(table, ids),
            sampled_item=tf.gather(table, sample.sampled_candidates),
            sampler=batches,
            remove_accidental_hits=False,
        )
        count = rows * batches.probability(ids[0]) + sample.true_expected_count[0, 0]
        return tf.exp(loss[0] + tf.tensordot(table[ids[0]], x, 1) - tf.math.log(count))

    sums = np.array([estimate().numpy() for _ in range(4000)])
    total = np.exp(table.numpy() @ x.numpy()).sum()
    error = sums.std(ddof=1) / np.sqrt(len(sums))
    assert error < 0.02 * total
    assert abs(sums.mean() - total) < 4.5 * error


def test_rows_that_do_not_count():
    """They are neither rows nor negatives, and the expected counts are those of a smaller batch."""
    case = random_case()
    kept = np.random.default_rng(1).random(20) < 0.6
    fewer = dataclasses.replace(case, query=case.query[kept], ids=case.ids[kept])
    want = fewer.loss(fewer.query, weights=case.table)
    shape = (4, 5)
    p, p_sampled = case.probability()
    sampled, count, sampled_count = case.sample()
    options = {"weights": case.table, "item_probability": (p.reshape(shape), p_sampled)}
    sample = (sampled, count.reshape(shape), sampled_count)
    ids = case.ids.reshape(shape)
    query = case.query.reshape(4, 5, -1)
    for got in (
        tfcs.mixed_softmax_loss(query, ids, sample, mask=kept.reshape(shape), **options),
        tfcs.mixed_softmax_loss(
            query, np.where(kept.reshape(shape), ids, -1), sample, ignore_id=-1, **options
        ),
    ):
        assert got.shape == shape
        np.testing.assert_allclose(got.numpy().ravel()[kept], want, rtol=1e-6)
        np.testing.assert_array_equal(got.numpy().ravel()[~kept], 0)


def test_padding_is_neither_drawn_for_nor_counted():
    frequencies = tfcs.LearnedUnigramSampler(CLASSES)
    case = random_case()
    loss = tfcs.mixed_softmax_loss(
        case.query.reshape(4, 5, -1),
        np.where(np.arange(20).reshape(4, 5) < 12, case.ids.reshape(4, 5), -1),
        weights=case.table,
        sampler=frequencies,
        negatives=frequencies,
        num_sampled=10,
        ignore_id=-1,
    )
    assert (loss.numpy().ravel() > 0).tolist() == [True] * 12 + [False] * 8
    want = np.bincount(case.ids[:12], minlength=CLASSES)
    np.testing.assert_array_equal(frequencies.counts, want)


def test_a_function_of_unknown_sizes():
    case = random_case()
    given = [case.query, case.ids, *case.sample(), *case.probability()]

    def loss(given):
        query, ids, sampled, count, sampled_count, p, p_sampled = given
        return tfcs.mixed_softmax_loss(
            query,
            ids,
            (sampled, count, sampled_count),
            item_probability=(p, p_sampled),
            item=tf.gather(case.table, ids),
            sampled_item=tf.gather(case.table, sampled),
        )

    got = calls.in_shape_mode("unknown_shapes", loss, [tf.constant(x) for x in given])
    np.testing.assert_allclose(got, expected(case)[0], rtol=1e-5)


@pytest.mark.parametrize("pair", lc.TYPE_PAIRS, ids=lc.type_names)
@pytest.mark.parametrize("form", ["towers", "table"])
def test_types(form, pair):
    case = random_case()
    case = dataclasses.replace(
        case, query=lc.rounded(case.query / 2, pair[0]), table=lc.rounded(case.table / 2, pair[1])
    )
    table = tf.constant(case.table, pair[1])
    vectors = {"item": tf.gather(table, case.ids), "sampled_item": tf.gather(table, case.sampled)}
    loss = case.loss(
        tf.constant(case.query, pair[0]), **vectors if form == "towers" else {"weights": table}
    )
    assert loss.dtype == (tf.float64 if pair[0] == tf.float64 else tf.float32)
    tolerance = 1e-6 if pair[0] in lc.EPSILON else 2e-2
    np.testing.assert_allclose(loss, expected(case)[0], rtol=tolerance)
