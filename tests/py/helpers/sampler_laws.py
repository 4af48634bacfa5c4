# SPDX-License-Identifier: Apache-2.0
"""The exact laws of samples, checks of samplers against them, and simulated samplers with flaws.

A sampler is a function: draw(rows) gives `Rows`, that many samples of one kind. A check takes such
a function and returns a p-value: the chance that a right sampler strays as far as this one did.
"""

import collections
import functools
import itertools
import math

import numpy as np
import tensorflow as tf

# The least p-value that passes: five standard errors. Seeds are fixed: what passes keeps passing.
# With other streams of the same law a check fails once in two million times, and any of the 250
# checks in the tests once in 7,000 times.
FALSE_POSITIVE = 5.7e-7

# ids int64 [rows, count]; counts float32 [rows, count], the expected count returned for each.
Rows = collections.namedtuple("Rows", "ids counts")


def chi_square_p(counts, p):
    """Pearson's test. Cells in which fewer than 5 are expected are taken together."""
    counts, p = np.ravel(counts).astype(np.float64), np.ravel(p)
    assert abs(p.sum() - 1) < 1e-6, p.sum()
    if counts[p <= 0].any():
        return 0.0
    expected = counts.sum() * p
    rare = expected < 5
    observed = np.append(counts[~rare], counts[rare].sum())
    expected = np.append(expected[~rare], expected[rare].sum())
    if expected[-1] < 5:
        least = np.argmin(expected[:-1])
        for cells in (observed, expected):
            cells[least] += cells[-1]
        observed, expected = observed[:-1], expected[:-1]
    assert len(expected) > 1, "one cell says nothing"
    statistic = ((observed - expected) ** 2 / expected).sum()
    return float(tf.math.igammac(np.float64(len(expected) - 1) / 2, np.float64(statistic) / 2))


# Laws of `count` distinct candidates of few classes with probabilities p.


@functools.cache
def order_law(p, count):
    """P(ordered sample), an axis for each candidate: the next is one of those left, P ~ p."""
    p = np.array(p)
    law = np.zeros([len(p)] * count)
    for order in itertools.permutations(np.flatnonzero(p), count):
        left = [_mass_without(p, order[:at]) for at in range(count)]
        law[order] = np.prod(p[list(order)] / left)
    return law


# P(the set is `members`, and a value is at most x) as the sum of c (1 - exp(-r x)): rows c and r.


def tries_law(p, members):
    """The value is the number of draws that the first distinct classes took."""
    terms = []
    for last in members:
        for sign, subset in _subsets([k for k in members if k != last]):
            # Only they were drawn before: the sum of p(subset)^(n - 1) over n <= x.
            outside = _mass_without(p, subset)
            terms.append((sign * p[last] / outside, -np.log1p(-outside) if subset else np.inf))
    return np.array(terms).T


def clock_law(p, members):
    """The value is the time when the first clock beyond the members rings; rates are p."""
    rest = _mass_without(p, members)
    terms = []
    for sign, subset in _subsets(members):
        rate = rest + p[subset].sum()
        terms.append(((-1) ** len(members) * sign * rest / rate, rate))
    return np.array(terms).T


def _subsets(members):
    """(sign, subset): the sum of signed P(within the subset) is P(within, and all came up)."""
    for size in range(len(members) + 1):
        for subset in itertools.combinations(members, size):
            yield (-1) ** (len(members) - size), list(subset)


def _mass_without(p, members):
    return np.delete(p, list(members)).sum()


@functools.cache
def _bins(law, p, count, bins=8):
    """Edges of bins of about equal probability, and P(set, bin) with sets as bit masks."""
    p = np.array(p)
    sets = [list(s) for s in itertools.combinations(np.flatnonzero(p), count)]
    terms = [law(p, members) for members in sets]
    all_terms = np.concatenate(terms, axis=1)

    def at_most(terms, x):
        return (terms[0] * -np.expm1(-terms[1] * x)).sum()

    def quantile(level):
        low, high = 0.0, 1.0
        while at_most(all_terms, high) < level:
            low, high = high, 2 * high
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (middle, high) if at_most(all_terms, middle) < level else (low, middle)
        return high

    edges = np.array([quantile((k + 1) / bins) for k in range(bins - 1)])
    if law is tries_law:
        edges = np.unique(np.floor(edges))
    cells = np.zeros([2 ** len(p), len(edges) + 1])
    for members, own_terms in zip(sets, terms, strict=True):
        levels = [at_most(own_terms, x) for x in [*edges, np.inf]]
        cells[sum(1 << int(k) for k in members)] = np.diff(levels, prepend=0)
    # Numbers of tries are to lie between edges, not on them.
    return edges + 0.5 * (law is tries_law), np.maximum(cells, 0)


# What expected counts say.


def tries_of(rows, p):
    """How many draws each sample took, from TensorFlow's counts. NaN where they disagree."""
    q, c = p[rows.ids], rows.counts.astype(np.float64)
    count = rows.ids.shape[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        error = c / ((1 - c) * -np.log1p(-q))
        best = np.argmin(np.where(c < 1, error, np.inf), axis=1)[:, np.newaxis]
        tries = np.log1p(-np.take_along_axis(c, best, 1)) / np.log1p(
            -np.take_along_axis(q, best, 1)
        )
        tries = np.where(
            np.isclose(c, count * q, rtol=1e-6).all(axis=1, keepdims=True), count, tries
        )
        tries = np.round(tries)
        formula = np.where(tries == count, count * q, -np.expm1(tries * np.log1p(-q)))
    return np.where(np.isclose(c, formula, rtol=1e-5).all(axis=1), tries[:, 0], np.nan)


def clock_of(rows, p):
    """When the first class beyond each sample rang, from exact counts. NaN where they disagree,
    infinity where all are 1.
    """
    q, c = p[rows.ids], rows.counts.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        time = -np.log1p(-c) / q
        error = np.where(c < 1, c / ((1 - c) * q), np.inf)
    best = np.argmin(error, axis=1)[:, np.newaxis]
    time = np.take_along_axis(time, best, 1)
    time[np.isinf(np.take_along_axis(error, best, 1))] = np.inf
    same = np.isclose(c, -np.expm1(-time * q), rtol=1e-5).all(axis=1)
    return np.where(same, time[:, 0], np.nan)


# Checks.


def check_frequencies(draw, p, rows):
    """Draws with replacement have probabilities p."""
    return chi_square_p(np.bincount(draw(rows).ids.ravel(), minlength=len(p)), p)


def check_order(draw, p, count, rows):
    """The ordered sample has the law of successive sampling."""
    ids = draw(rows).ids
    codes = np.ravel_multi_index(ids.T, [len(p)] * count)
    return chi_square_p(np.bincount(codes, minlength=len(p) ** count), order_law(tuple(p), count))


def check_tries(draw, p, count, rows):
    """The set of candidates and the number of tries have their joint law."""
    rows = draw(rows)
    return _check_bins(tries_law, p, count, rows.ids, tries_of(rows, p))


def check_clock(draw, p, count, rows):
    """The set of candidates and the time of the next clock, of exact counts, have their law."""
    rows = draw(rows)
    time = clock_of(rows, p)
    if np.isinf(time).any():  # beyond all edges, as float32 counts of 1 are
        edges, _ = _bins(clock_law, tuple(p), count)
        least = p[rows.ids[np.isinf(time)]].min(axis=1)
        assert (16 / least > edges[-1]).all()
    return _check_bins(clock_law, p, count, rows.ids, time)


def _check_bins(law, p, count, ids, values):
    if np.isnan(values).any():
        return 0.0
    edges, cells = _bins(law, tuple(p), count)
    sets = np.bitwise_or.reduce(1 << ids, axis=1)
    codes = sets * cells.shape[1] + np.searchsorted(edges, values)
    return chi_square_p(np.bincount(codes, minlength=cells.size), cells)


def check_neighbours(draw, p, rows, lag=1):
    """Draws with replacement are independent of the next ones in the row, and `lag` rows on."""
    ids = draw(rows).ids
    blocks = ids[: len(ids) // (2 * lag) * 2 * lag].reshape(-1, 2, lag * ids.shape[1])
    columns = ids[:, : ids.shape[1] // 2 * 2].reshape(-1, 2)
    return 2 * min(
        _pair_p(blocks[:, 0].ravel(), blocks[:, 1].ravel(), p),
        _pair_p(columns[:, 0], columns[:, 1], p),
    )


def check_unique_neighbours(draw, p, count, rows):
    """Ordered samples are independent of those of the next row."""
    codes = np.ravel_multi_index(draw(rows).ids.T, [len(p)] * count)
    return _pair_p(codes[0::2], codes[1::2], order_law(tuple(p), count).ravel())


def _pair_p(first, second, p):
    pairs = np.bincount(first * len(p) + second, minlength=len(p) ** 2)
    return chi_square_p(pairs, np.outer(p, p))


def check_overlap(draw, p, rows, width=8):
    """No `width` draws come again in their order: streams have no part in common."""
    # By chance, where the probabilities are p.
    assert (rows * 1000) ** 2 / 2 * (p**2).sum() ** width < FALSE_POSITIVE
    ids = draw(rows).ids
    assert ids.size <= rows * 1000
    windows = np.lib.stride_tricks.sliding_window_view(ids, width, axis=1).reshape(-1, width)
    multipliers = np.random.default_rng(0).integers(2**63, size=width, dtype=np.uint64) * 2 + 1
    hashes = (windows.astype(np.uint64) * multipliers).sum(axis=1, dtype=np.uint64)
    return 1.0 if len(np.unique(hashes)) == len(hashes) else 0.0


def check_unbiased(draw, values, rows):
    """The sum over the candidates of value / expected count has the mean sum(values)."""
    mean, error = inverse_probability_sums(draw(rows), values)
    return math.erfc(abs(mean - values.sum()) / error / math.sqrt(2))


def inverse_probability_sums(rows, values):
    """Mean and standard error."""
    sums = (values[rows.ids] / rows.counts.astype(np.float64)).sum(axis=1)
    return sums.mean(), sums.std(ddof=1) / math.sqrt(len(sums))


# Simulated samplers.


def simulated(
    p,
    count,
    *,
    unique=True,
    exact=False,
    seed=0,
    drawn_p=None,
    rates=None,
    extra_tries=0,
    early=False,
    change=None,
):
    """Samples by exponential clocks. With the defaults of what follows `seed`, it is right.

    drawn_p: draws from this, and counts by p. rates: takes these for the clocks' rates.
    extra_tries: counts tries that were not made. early: ends the time of exact counts at the last
    candidate. change: a function of the ids.
    """
    drawn = p if drawn_p is None else drawn_p
    rng = np.random.default_rng(seed)

    def draw(rows):
        clocks = rng.standard_exponential([rows, len(p)])
        with np.errstate(divide="ignore"):
            clocks = clocks / (drawn if rates is None else rates(drawn))
        ids = np.argsort(clocks, axis=1)[:, :count]
        seen = np.cumsum(drawn[ids], axis=1)[:, :-1]
        ids = change(ids) if change else ids
        if exact:
            time = np.sort(clocks, axis=1)[:, count - early]
            counts = -np.expm1(-time[:, np.newaxis] * p[ids])
        else:
            tries = 1 + rng.geometric(1 - seen).sum(axis=1, keepdims=True) + extra_tries
            counts = -np.expm1(tries * np.log1p(-p[ids]))
            counts = np.where(tries == count, count * p[ids], counts)
        return Rows(ids, counts.astype(np.float32))

    def draw_with_replacement(rows):
        ids = rng.choice(len(p), [rows, count], p=drawn)
        ids = change(ids) if change else ids
        return Rows(ids, (count * p[ids]).astype(np.float32))

    return draw if unique else draw_with_replacement
