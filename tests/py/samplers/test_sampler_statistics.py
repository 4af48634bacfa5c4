# SPDX-License-Identifier: Apache-2.0
"""Samples have their exact law, in every form, also where rejection gives way to clocks.

sampler_laws.py has the laws and the checks, with their rate of false positives.
"""

import functools

import numpy as np
import pytest
import sampler_laws as laws
import tensorflow as tf
from calls import graph_function
from sampler_laws import FALSE_POSITIVE, Rows

import tf_candsamp as tfcs

OBJECTS = ("uniform", "log_uniform", "fixed_unigram", "learned_unigram")
FUNCTIONS = ("uniform", "log_uniform", "fixed_unigram")
# (form, kind)
ALL_FORMS = [
    *(("ragged", kind) for kind in OBJECTS),
    *(("object", kind) for kind in OBJECTS),
    *(("function", kind) for kind in FUNCTIONS),
    *(("stateless", kind) for kind in FUNCTIONS),
]
# A call for each sample takes longer than a row for each.
ROWS = {"ragged": 100_000, "object": 10_000, "function": 10_000, "stateless": 10_000}

WEIGHTS = [5.0, 1.0, 0.0, 3.0, 1.5, 0.5]
COUNTS = [40, 0, 9, 21, 4]


@pytest.fixture(autouse=True)
def seeds():
    """Op seeds mean the same whichever tests ran before."""
    tf.random.set_seed(1)


def normalized(weights):
    weights = np.asarray(weights, np.float64)
    return weights / weights.sum()


def log_uniform_p(range_max):
    return np.log1p(1 / (1.0 + np.arange(range_max))) / np.log1p(range_max)


def without(p, excluded):
    p = p.copy()
    p[list(excluded)] = 0
    return p / p.sum()


PROBABILITIES = {
    "uniform": np.full(5, 1 / 5),
    "log_uniform": log_uniform_p(5),
    "fixed_unigram": normalized(WEIGHTS),
    "learned_unigram": normalized(1 + np.array(COUNTS)),
}


def learned(counts, **options):
    sampler = tfcs.LearnedUnigramSampler(len(counts), **options)
    sampler.counts.assign(counts)
    return sampler


def small_sampler(kind, **options):
    """With PROBABILITIES."""
    return {
        "uniform": functools.partial(tfcs.UniformSampler, 5),
        "log_uniform": functools.partial(tfcs.LogUniformSampler, 5),
        "fixed_unigram": functools.partial(tfcs.FixedUnigramSampler, WEIGHTS),
        "learned_unigram": functools.partial(learned, COUNTS),
    }[kind](**{"seed": 5} | options)


def function_of(prefix, kind, count, seed, unique, expected_count="tf", true_classes=((0,),)):
    function = getattr(tfcs, f"{prefix}{kind}_candidate_sampler")
    weights = {"unigrams": WEIGHTS} if kind == "fixed_unigram" else {}
    return function(
        true_classes,
        1,
        count,
        unique,
        len(PROBABILITIES[kind]),
        seed=seed,
        expected_count=expected_count,
        **weights,
    )


def ragged(sampler, count, expected_count="tf", true_classes=None):
    """Rows of sample_ragged, without true_classes if there are any."""

    def draw(rows):
        sample = sampler.sample_ragged(
            tf.fill([rows], count),
            None if true_classes is None else tf.tile([true_classes], [rows, 1]),
            exclude_true=true_classes is not None,
            expected_count=expected_count,
        )
        return Rows(*(part.values.numpy().reshape(rows, count) for part in sample))

    return draw


def calls(sample):
    """A call for each row: sample(step), one after the other in a function."""

    @graph_function
    def loop(rows):
        def step(k):
            result = sample(k)
            return result.sampled_candidates, result.sampled_expected_count

        return tf.map_fn(
            step, tf.range(rows), parallel_iterations=1, fn_output_signature=(tf.int64, tf.float32)
        )

    return lambda rows: Rows(*(part.numpy() for part in loop(tf.constant(rows, tf.int64))))


def draw_of(form, kind, count, *, unique=True, expected_count="tf"):
    """How a small sampler draws samples of `count` candidates."""
    if form in ("ragged", "object"):
        sampler = small_sampler(kind, unique=unique)
    if form == "ragged":
        return ragged(sampler, count, expected_count)
    if form == "object":
        return calls(lambda _: sampler.sample(count, expected_count=expected_count))
    if form == "function":
        return calls(lambda _: function_of("", kind, count, 7, unique, expected_count))
    return calls(
        lambda step: function_of(
            "stateless_", kind, count, tf.stack([3, step]), unique, expected_count
        )
    )


def once(draw):
    """For several checks of the same samples."""
    return functools.cache(draw)


# Draws with replacement.


@pytest.mark.parametrize("form, kind", ALL_FORMS)
def test_frequencies_and_independence(form, kind):
    """Of neighbours: in a row, and of neighbouring rows, calls, or seeds."""
    draw = once(draw_of(form, kind, 100, unique=False))
    p = PROBABILITIES[kind]
    rows = ROWS[form] // 10
    assert laws.check_frequencies(draw, p, rows) > FALSE_POSITIVE
    for lag in (1, 2):
        assert laws.check_neighbours(draw, p, rows, lag) > FALSE_POSITIVE


def interleaved(draws):
    """Row k is of draws[k % n]."""

    def draw(rows):
        parts = [one(rows // len(draws)) for one in draws]
        return Rows(
            *(np.stack(part, 1).reshape(-1, part[0].shape[1]) for part in zip(*parts, strict=True))
        )

    return draw


@pytest.mark.parametrize("kind", OBJECTS)
def test_samplers_of_neighbouring_seeds_are_independent(kind):
    samplers = [small_sampler(kind, seed=seed, unique=False) for seed in (5, 6)]
    for one_draw in (
        lambda sampler: ragged(sampler, 100),
        lambda sampler: calls(lambda _: sampler.sample(100)),
    ):
        draw = interleaved([one_draw(sampler) for sampler in samplers])
        assert laws.check_neighbours(draw, PROBABILITIES[kind], 2000) > FALSE_POSITIVE


# Distinct candidates.


@pytest.mark.parametrize("form, kind", ALL_FORMS)
def test_distinct_candidates(form, kind):
    """Their order, number of tries and clocks; and that samples do not depend on each other."""
    p, rows = PROBABILITIES[kind], ROWS[form]
    draw = once(draw_of(form, kind, 3))
    assert laws.check_order(draw, p, 3, rows) > FALSE_POSITIVE
    assert laws.check_tries(draw, p, 3, rows) > FALSE_POSITIVE
    exact = once(draw_of(form, kind, 3, expected_count="exact"))
    assert laws.check_order(exact, p, 3, rows) > FALSE_POSITIVE
    assert laws.check_clock(exact, p, 3, rows) > FALSE_POSITIVE
    pairs = draw_of(form, kind, 2)
    assert laws.check_unique_neighbours(pairs, p, 2, rows) > FALSE_POSITIVE


@pytest.mark.parametrize("count", [1, 2, 4, 5])
@pytest.mark.parametrize("kind", OBJECTS)
def test_other_numbers_of_distinct_candidates(kind, count):
    p, rows = PROBABILITIES[kind], ROWS["ragged"]
    draw = once(draw_of("ragged", kind, count))
    exact = draw_of("ragged", kind, count, expected_count="exact")
    assert laws.check_order(draw, p, count, rows) > FALSE_POSITIVE
    if count > 1:
        assert laws.check_tries(draw, p, count, rows) > FALSE_POSITIVE
    if count < np.count_nonzero(p):
        assert laws.check_clock(exact, p, count, rows) > FALSE_POSITIVE
    else:
        assert (exact(1000).counts == 1).all()


# Where draws are rejected for too long, the rest is drawn by clocks. 64 * count + 1024 draws are
# made first: they yield all, some or none of the rarer classes.
STEEP = {
    "all by clocks": [10**9, 60, 20, 9, 4],
    "most by clocks": [10**6, 300, 200, 90, 40],
    "half by clocks": [10**6, 900, 700, 500, 400],
}


@pytest.mark.parametrize(
    "form, count", [("ragged", 2), ("ragged", 3), ("ragged", 5), ("object", 3)]
)
@pytest.mark.parametrize("name", STEEP)
def test_steep_weights(name, count, form):
    sampler = learned(STEEP[name], seed=5)
    p = normalized(1 + np.array(STEEP[name]))
    rows = 20_000 if form == "ragged" else 5000

    def draw_steep(expected_count):
        if form == "ragged":
            return ragged(sampler, count, expected_count)
        return calls(lambda _: sampler.sample(count, expected_count=expected_count))

    draw = once(draw_steep("tf"))
    assert laws.check_order(draw, p, count, rows) > FALSE_POSITIVE
    assert laws.check_tries(draw, p, count, rows) > FALSE_POSITIVE
    if count < len(p):
        assert laws.check_clock(draw_steep("exact"), p, count, rows) > FALSE_POSITIVE
    if count == 2:
        assert laws.check_unique_neighbours(draw, p, count, rows) > FALSE_POSITIVE


@pytest.mark.parametrize("form", ["ragged", "object"])
def test_steep_fixed_weights(form):
    weights = [1, 1e-6, 3e-7, 0, 2e-7, 1e-7]
    sampler = tfcs.FixedUnigramSampler(weights, seed=5)
    p = normalized(np.float32(weights))
    draw = once(ragged(sampler, 5) if form == "ragged" else calls(lambda _: sampler.sample(5)))
    rows = 20_000 if form == "ragged" else 5000
    assert laws.check_order(draw, p, 5, rows) > FALSE_POSITIVE
    assert laws.check_tries(draw, p, 5, rows) > FALSE_POSITIVE


# Rows without their true classes.


@pytest.mark.parametrize("kind", OBJECTS)
def test_rows_without_their_true_classes(kind):
    excluded = [3, 0, 3]
    p, rows = without(PROBABILITIES[kind], excluded), ROWS["ragged"]

    def draw(count, unique=True, expected_count="tf"):
        sampler = small_sampler(kind, unique=unique)
        return once(ragged(sampler, count, expected_count, true_classes=excluded))

    with_replacement = draw(20, unique=False)
    assert laws.check_frequencies(with_replacement, p, rows // 10) > FALSE_POSITIVE
    assert laws.check_neighbours(with_replacement, p, rows // 10) > FALSE_POSITIVE
    unique = draw(2)
    assert laws.check_order(unique, p, 2, rows) > FALSE_POSITIVE
    assert laws.check_tries(unique, p, 2, rows) > FALSE_POSITIVE
    assert laws.check_unique_neighbours(unique, p, 2, rows) > FALSE_POSITIVE
    assert laws.check_clock(draw(2, expected_count="exact"), p, 2, rows) > FALSE_POSITIVE


def test_rows_have_true_classes_of_their_own():
    sampler, p = small_sampler("log_uniform"), PROBABILITIES["log_uniform"]
    excluded = [[0], [], [1, 4, 1]]
    rows = ROWS["ragged"]
    sample = sampler.sample_ragged(
        tf.fill([3 * rows], 2), tf.tile(tf.ragged.constant(excluded), [rows, 1]), exclude_true=True
    )
    ids, counts = (part.values.numpy().reshape(rows, 3, 2) for part in sample)
    for k in range(3):
        own = Rows(ids[:, k], counts[:, k])
        p_own = without(p, excluded[k])
        assert laws.check_order(lambda _, own=own: own, p_own, 2, rows) > FALSE_POSITIVE
        assert laws.check_tries(lambda _, own=own: own, p_own, 2, rows) > FALSE_POSITIVE


# The share of the true classes; with 0.999, half of the rows find all others by rejection.
@pytest.mark.parametrize("share", [0.999, 0.9999, 1 - 1e-9])
def test_true_classes_that_hold_nearly_all_mass(share):
    others = np.array([9, 49, 19, 29])
    mass = (1 + others).sum() / (1 - share)
    counts = np.array([mass / 2, mass / 2, *others]).astype(np.int64)
    p, rows = without(normalized(1 + counts), [0, 1]), 10_000

    def draw(count, unique=True, expected_count="tf"):
        sampler = learned(counts, unique=unique, seed=5)
        return once(ragged(sampler, count, expected_count, true_classes=[0, 1]))

    with_replacement = draw(4, unique=False)
    assert laws.check_frequencies(with_replacement, p, rows) > FALSE_POSITIVE
    assert laws.check_neighbours(with_replacement, p, rows) > FALSE_POSITIVE
    for count in (2, 4):
        unique = draw(count)
        assert laws.check_order(unique, p, count, rows) > FALSE_POSITIVE
        assert laws.check_tries(unique, p, count, rows) > FALSE_POSITIVE
    assert laws.check_clock(draw(2, expected_count="exact"), p, 2, rows) > FALSE_POSITIVE


# Streams.


def wide_sampler(kind, **options):
    """Of so many classes that chance repeats no run of draws; with probabilities."""
    if kind == "uniform":
        return tfcs.UniformSampler(2**16, **options), np.full(2**16, 2.0**-16)
    if kind == "log_uniform":
        return tfcs.LogUniformSampler(10**6, **options), log_uniform_p(10**6)
    counts = np.arange(50_000) % 100
    if kind == "fixed_unigram":
        return tfcs.FixedUnigramSampler(1.0 + counts, **options), normalized(1 + counts)
    return learned(counts, **options), normalized(1 + counts)


@pytest.mark.parametrize("kind", OBJECTS)
def test_no_two_draws_use_the_same_part_of_a_stream(kind):
    """Rows, calls of one sampler, and samplers of neighbouring seeds."""
    sampler, p = wide_sampler(kind, unique=False, seed=0)
    each_call = calls(lambda _: sampler.sample(100))
    assert laws.check_overlap(ragged(sampler, 100), p, 1000) > FALSE_POSITIVE
    assert laws.check_overlap(each_call, p, 1000) > FALSE_POSITIVE
    assert laws.check_overlap(interleaved([ragged(sampler, 100), each_call]), p, 1000) > (
        FALSE_POSITIVE
    )
    samplers = [wide_sampler(kind, unique=False, seed=seed)[0] for seed in range(10)]
    draws = [ragged(sampler, 100) for sampler in samplers]
    assert laws.check_overlap(interleaved(draws), p, 1000) > FALSE_POSITIVE


# Sums over candidates weighted by the inverse of their expected counts.


def zipf(classes=2000):
    """Weights, and the values to sum."""
    return 1 / (1.0 + np.arange(classes)), np.exp(np.random.default_rng(0).normal(size=classes))


@pytest.mark.parametrize("form, rows", [("ragged", 10_000), ("object", 4000), ("function", 2000)])
@pytest.mark.parametrize("count", [20, 200, 1000])
def test_exact_counts_are_unbiased(count, form, rows):
    weights, values = zipf()
    sampler = tfcs.FixedUnigramSampler(weights, seed=3)
    if form == "ragged":
        draw = ragged(sampler, count, "exact")
    elif form == "object":
        draw = calls(lambda _: sampler.sample(count, expected_count="exact"))
    else:
        draw = calls(
            lambda _: tfcs.fixed_unigram_candidate_sampler(
                [[0]],
                1,
                count,
                True,
                len(weights),
                unigrams=weights,
                seed=3,
                expected_count="exact",
            )
        )
    assert laws.check_unbiased(draw, values, rows if count < 1000 else rows // 5) > FALSE_POSITIVE


@pytest.mark.parametrize("form, kind", ALL_FORMS)
def test_exact_counts_of_few_classes_are_unbiased(form, kind):
    values = np.where(PROBABILITIES[kind] > 0, np.arange(len(PROBABILITIES[kind])) + 2.0, 0)
    for count in (2, 3):  # of 1 the variance is infinite
        draw = draw_of(form, kind, count, expected_count="exact")
        assert laws.check_unbiased(draw, values, ROWS[form]) > FALSE_POSITIVE


@pytest.mark.parametrize("form", ["ragged", "object"])
@pytest.mark.parametrize("count", [10, 20])
def test_exact_counts_of_steep_weights_are_unbiased(count, form):
    counts = 2 ** np.arange(40)[::-1] - 1
    p = normalized(1 + counts)
    # Terms of much the same size, so that their sum is nearly normal.
    values = np.exp(np.random.default_rng(0).normal(size=40)) * p**0.7
    sampler = learned(counts, seed=3)
    draw = ragged(sampler, count, "exact")
    if form == "object":
        draw = calls(lambda _: sampler.sample(count, expected_count="exact"))
    assert laws.check_unbiased(draw, values, 20_000) > FALSE_POSITIVE


@pytest.mark.parametrize("count", [20, 200])
def test_exact_counts_without_true_classes_are_unbiased(count):
    weights, values = zipf()
    excluded = [0, 1, 2, 50, 1999]
    draw = ragged(tfcs.FixedUnigramSampler(weights, seed=3), count, "exact", excluded)
    values[excluded] = 0
    assert laws.check_unbiased(draw, values, 4000) > FALSE_POSITIVE


# Counts of true classes, and of classes that are learned.


@pytest.mark.parametrize("expected_count", ["tf", "exact"])
@pytest.mark.parametrize("unique", [False, True])
@pytest.mark.parametrize("form, kind", [pair for pair in ALL_FORMS if pair[0] != "ragged"])
def test_true_counts_are_those_of_the_candidates(form, kind, unique, expected_count):
    every_class = np.arange(len(PROBABILITIES[kind]))[:, np.newaxis]
    for step in range(20):
        if form == "object":
            sampler = small_sampler(kind, unique=unique, seed=step)
            sample = sampler.sample(3, every_class, expected_count=expected_count)
        else:
            seed, prefix = ([3, step], "stateless_") if form == "stateless" else (step, "")
            sample = function_of(prefix, kind, 3, seed, unique, expected_count, every_class)
        ids, true_counts, counts = (part.numpy() for part in sample)
        np.testing.assert_allclose(true_counts[ids, 0], counts, rtol=2e-7)


def test_learned_frequencies_follow_the_updates():
    sampler = tfcs.LearnedUnigramSampler(6, unique=False, seed=1)
    counts = np.zeros(6)
    for step in range(10):
        classes = [0, step % 6, step % 2, 5]
        if step % 2:
            sampler.update(classes)
        else:
            sampler.sample(5, tf.constant(classes)[:, tf.newaxis])
        np.add.at(counts, classes, 1)
        draw = ragged(sampler, 1000)
        assert laws.check_frequencies(draw, normalized(1 + counts), 200) > FALSE_POSITIVE


# The checks themselves: they pass what is right, and find what is a little wrong.

FLAT = PROBABILITIES["learned_unigram"]
STEEPEST = normalized(STEEP["all by clocks"])
VALUES = np.arange(5) + 2.0


def check(name, p, **flaw):
    """Of a simulated sampler, with as many rows as the tests above draw."""
    rows = ROWS["ragged"] if p is FLAT else 20_000
    if name in ("frequencies", "neighbours"):
        draw = laws.simulated(p, 100, unique=False, **flaw)
        return getattr(laws, f"check_{name}")(draw, p, rows // 10)
    if name == "unique_neighbours":
        return laws.check_unique_neighbours(laws.simulated(p, 2, **flaw), p, 2, rows)
    draw = laws.simulated(p, 3, exact=name in ("clock", "unbiased"), **flaw)
    if name == "unbiased":
        return laws.check_unbiased(draw, VALUES * p**0.7, rows)
    return getattr(laws, f"check_{name}")(draw, p, 3, rows)


def replaced(ids):
    """With replacement: one candidate in fifty is the one before it."""
    ids = ids.copy()
    ids[::50, 1] = ids[::50, 0]
    return ids


def every_fiftieth_again(ids):
    ids = ids.copy()
    ids[1::50] = ids[::50][: len(ids[1::50])]
    return ids


# The flaw, and the checks that find it.
FLAWS = {
    "classes are off by one": (
        lambda p: {"drawn_p": np.roll(p, 1)},
        ["order", "tries", "clock", "unbiased", "frequencies"],
    ),
    "weights to the power 0.98": (
        lambda p: {"drawn_p": normalized(p**0.98)},
        ["order", "tries", "clock", "unbiased", "frequencies"],
    ),
    "E p for E / p": (
        lambda p: {"rates": lambda drawn: 1 / drawn},
        ["order", "tries", "clock", "unbiased"],
    ),
    "sorted": (lambda p: {"change": lambda ids: np.sort(ids, axis=1)}, ["order"]),
    "with replacement": (lambda p: {"change": replaced}, ["order", "tries", "clock"]),
    "a try too many": (lambda p: {"extra_tries": 1}, ["tries"]),
    "the clock of the last candidate": (lambda p: {"early": True}, ["clock", "unbiased"]),
    "rows come twice": (
        lambda p: {"change": every_fiftieth_again},
        ["neighbours", "unique_neighbours"],
    ),
}
# Of steep weights the order is nearly fixed, and a try more or less does not show in millions.
OF_DISTINCT = ("order", "tries", "clock", "unbiased")
NOT_FOUND = [
    ("weights to the power 0.98", "order", "steep"),
    ("a try too many", "tries", "steep"),
]
FOUND = [
    (flaw, name, shape)
    for flaw, (_, names) in FLAWS.items()
    for name in names
    for shape in (("flat", "steep") if name in OF_DISTINCT else ("flat",))
    if (flaw, name, shape) not in NOT_FOUND
]


@pytest.mark.parametrize("name", OF_DISTINCT)
def test_checks_pass_a_right_sampler_of_steep_weights(name):
    assert check(name, STEEPEST) > 1e-3


@pytest.mark.parametrize("name", [*OF_DISTINCT, "frequencies", "neighbours", "unique_neighbours"])
def test_checks_pass_a_right_sampler(name):
    assert check(name, FLAT) > 1e-3


@pytest.mark.parametrize("flaw, name, shape", FOUND)
def test_checks_find_a_wrong_sampler(flaw, name, shape):
    p = FLAT if shape == "flat" else STEEPEST
    make_flaw, _ = FLAWS[flaw]
    assert check(name, p, **make_flaw(p)) < FALSE_POSITIVE


def test_default_counts_are_biased():
    """What makes "exact" worth having, and the check of it sharp."""
    draw = draw_of("ragged", "learned_unigram", 3)
    assert laws.check_unbiased(draw, VALUES, ROWS["ragged"]) < FALSE_POSITIVE


def test_the_check_of_streams_finds_an_overlap():
    p = np.full(2**16, 2.0**-16)
    stream = laws.simulated(p, 10**5, unique=False)(1).ids[0]

    def draw(rows):
        """The last rows begin a tenth of a row early."""
        starts = 100 * np.arange(rows) - 10 * (np.arange(rows) > 0.9 * rows)
        return Rows(stream[starts[:, np.newaxis] + np.arange(100)], None)

    assert laws.check_overlap(draw, p, 1000) < FALSE_POSITIVE
    right = Rows(stream.reshape(1000, 100), None)
    assert laws.check_overlap(lambda _: right, p, 1000) > FALSE_POSITIVE
