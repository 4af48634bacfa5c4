# SPDX-License-Identifier: Apache-2.0
"""Random arguments, right and wrong, in one process: samples are valid, mistakes are errors.

Nothing aborts or hangs, and state that a sampler has is still good after each mistake.
"""

import numpy as np
import pytest
import sampler_cases as spc
import tensorflow as tf
from calls import ERRORS, MODES
from internals import ops

import tf_candsamp as tfcs

CASES_PER_SEED = 20
# Where sizes cannot be held by 64 bits, or by memory.
ERRORS = ERRORS + (
    OverflowError,
    tf.errors.FailedPreconditionError,
    tf.errors.NotFoundError,
    tf.errors.ResourceExhaustedError,
    tf.errors.UnimplementedError,
)
BIG = (2**31 - 1, 2**31, 2**32, 2**40, 2**62, 2**63 - 1, -1, -(2**31), -(2**62), -(2**63))


def pick(rng, values):
    """One of the values. Not rng.choice, which makes an array of them."""
    return values[rng.integers(len(values))]


def draw_weights(rng, size):
    weights = rng.pareto(pick(rng, [0.1, 1.0, 5.0]), size)
    weights = np.minimum(weights, 1e30) * (rng.random(size) > pick(rng, [0.0, 0.5, 0.95]))
    weights[rng.integers(size)] += pick(rng, [1e-6, 1.0, 1e30])
    return weights.astype(np.float32)


def draw_range(rng, kind):
    """Up to 2^63 - 1, where a sampler needs no table of its range."""
    ranges = [1, 2, 3, 7, 64, 1000, 65_537]
    if kind in ("uniform", "log_uniform"):
        ranges += [2**31 + 5, 2**40, 10**15, 2**62, 2**63 - 1]
    return pick(rng, ranges)


def draw_counts(rng, size):
    counts = np.minimum(rng.pareto(0.3, size), 2.0 ** pick(rng, [0, 8, 30])).astype(np.int64)
    counts[rng.integers(size)] += pick(rng, [0, 1000, 2**40, 2**61])
    return counts


def draw_labels(rng, range_max, shape):
    return rng.integers(0, range_max, shape) if range_max < 2**62 else np.full(shape, 2**62 - 1)


def check_ids(ids, range_max, size, unique, counts):
    ids, counts = ids.numpy(), counts.numpy()
    assert ids.shape == counts.shape == (size,)
    assert ((0 <= ids) & (ids < range_max)).all()
    assert np.isfinite(counts).all() and (counts > 0).all()
    if unique:
        assert len(set(ids)) == size


def make(rng, kind, range_max, unique):
    """An object, perhaps one whose variables were assigned, and how many classes it can draw."""
    sampler = spc.sampler(kind, range_max, unique=unique, seed=int(rng.integers(2**31)))
    if kind == "fixed_unigram":
        weights = draw_weights(rng, range_max)
        sampler.unigrams.assign(weights)
        return sampler, np.count_nonzero(weights)
    if kind == "learned_unigram":
        sampler.counts.assign(draw_counts(rng, range_max))
    return sampler, range_max


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("kind", spc.OBJECTS)
def test_objects(kind, seed):
    rng = np.random.default_rng(seed)
    for _ in range(CASES_PER_SEED):
        range_max, unique = draw_range(rng, kind), bool(rng.integers(2))
        sampler, support = make(rng, kind, range_max, unique)
        most = min(support, 3000) if unique else 3000
        size = int(pick(rng, [1, most, rng.integers(1, most + 1)]))
        labels = draw_labels(rng, range_max, [rng.integers(0, 5), rng.integers(0, 3)])
        options = {"expected_count": pick(rng, ["tf", "exact"])}
        sample = sampler.sample(size, labels, **options)
        check_ids(sample.sampled_candidates, range_max, size, unique, sample[2])
        assert sample.true_expected_count.shape == labels.shape
        assert (sample.true_expected_count.numpy() >= 0).all()
        p = sampler.probability(sample.sampled_candidates).numpy()
        assert (0 < p).all() and (p <= 1).all()
        check_rows(rng, sampler, range_max, unique, options)
        if kind == "learned_unigram":
            check_update(rng, sampler)


def check_rows(rng, sampler, range_max, unique, options):
    rows = int(pick(rng, [0, 1, 3, 40]))
    labels = [list(draw_labels(rng, range_max, rng.integers(0, 4))) for _ in range(rows)]
    exclude = bool(rng.integers(2))
    sizes = []
    for row in labels:
        others = range_max
        if range_max <= 65_537:
            p = sampler.probability(np.arange(range_max)).numpy()
            p[row if exclude else []] = 0
            others = np.count_nonzero(p)
        most = min(others, 50) if unique or others == 0 else 50
        sizes.append(int(rng.integers(0, most + 1)))
    ragged = tf.ragged.constant(labels, dtype=tf.int64, ragged_rank=1)
    sample = sampler.sample_ragged(tf.constant(sizes, tf.int64), ragged, exclude, **options)
    assert sample.candidates.row_lengths().numpy().tolist() == sizes
    for row, size in enumerate(sizes):
        ids, counts = sample.candidates[row], sample.expected_count[row]
        check_ids(ids, range_max, size, unique, counts)
        assert not (exclude and set(ids.numpy()) & set(labels[row]))


def check_update(rng, sampler):
    before = sampler.counts.numpy()
    classes = rng.integers(0, len(before), rng.integers(0, 200))
    sampler.update(classes)
    want = before + np.bincount(classes, minlength=len(before))
    np.testing.assert_array_equal(sampler.counts, want)


@pytest.mark.parametrize("form", ["ours", "stateless"])
@pytest.mark.parametrize("kind", spc.KINDS)
def test_functions(kind, form):
    rng = np.random.default_rng(0)
    for _ in range(CASES_PER_SEED):
        range_max, unique = draw_range(rng, kind), bool(rng.integers(2))
        options, support = {}, range_max
        if kind == "fixed_unigram":
            range_max = min(range_max, 1000)
            weights = draw_weights(rng, range_max)
            options, support = {"unigrams": weights.tolist()}, np.count_nonzero(weights)
        if form == "stateless":
            options["seed"] = rng.integers(-(2**63), 2**63 - 1, 2)
        else:
            options["seed"] = int(rng.integers(2**31))
        most = min(support, 3000) if unique else 3000
        size = int(pick(rng, [1, most, rng.integers(1, most + 1)]))
        labels = draw_labels(rng, range_max, [rng.integers(0, 5), rng.integers(1, 4)])
        options["expected_count"] = pick(rng, ["tf", "exact"])
        function = getattr(spc.KINDS[kind], form)
        sample = function(labels, labels.shape[1], size, unique, range_max, **options)
        check_ids(sample.sampled_candidates, range_max, size, unique, sample[2])
        assert sample.true_expected_count.shape == labels.shape


# Mistakes: a good call's arguments, of which some are replaced by anything at all.


def anything(rng):
    """A value that may or may not do for an argument. Sizes are either small or beyond memory."""
    number = int(pick(rng, [0, 1, 2, 3, 5, 11, *BIG]))
    shape = pick(rng, [[], [0], [1], [2], [3], [0, 1], [2, 1], [1, 2], [2, 0], [1, 1, 1]])
    dtype = pick(rng, [tf.int32, tf.int64, tf.float32, tf.bool, tf.uint8])
    tensor = tf.cast(tf.fill(shape, tf.constant(number, tf.int64)), dtype)
    return pick(
        rng,
        [
            number,
            tensor,
            tensor.numpy(),
            tensor.numpy().tolist(),
            tf.RaggedTensor.from_row_splits([1, 2, 3], rng.integers(-1, 4, 3), validate=False),
            tf.Variable(tensor),
            pick(
                rng, [None, "", "word", b"\x00", True, 1.5, np.nan, [], [[]], {}, object(), 2**64]
            ),
        ],
    )


def calls(rng):
    """(function, arguments by name) of all public functions and methods, and of the raw ops."""
    labels = rng.integers(0, 10, [3, 1])
    batch = {"true_classes": labels, "num_true": 1, "num_sampled": 4, "unique": True}
    ranged = {**batch, "range_max": 10, "seed": 1, "expected_count": "tf"}
    stateless = {**ranged, "seed": [1, 2]}
    shard = {"distortion": 1.0, "num_reserved_ids": 0, "num_shards": 1, "shard": 0}
    weights = {"unigrams": 0.5 + draw_weights(rng, 10), "vocab_file": "", **shard}
    stream = {"stream": tf.constant([0, 1, 2], tf.int64), "unique": True, "exact": True}
    scalar = {"num_sampled": tf.constant(1, tf.int64), "true_classes": tf.zeros([1, 1], tf.int64)}
    rows = {
        "num_sampled": tf.constant([1, 0], tf.int64),
        "true_classes": tf.constant([2, 3], tf.int64),
        "true_splits": tf.constant([0, 1, 2], tf.int64),
        "exclude_true": True,
    }
    found = [
        (tfcs.uniform_candidate_sampler, ranged),
        (tfcs.log_uniform_candidate_sampler, ranged),
        (tfcs.fixed_unigram_candidate_sampler, ranged | weights),
        (tfcs.learned_unigram_candidate_sampler, {**ranged, "sampler": None}),
        (tfcs.all_candidate_sampler, batch | {"num_sampled": 10, "seed": None}),
        (
            tfcs.compute_accidental_hits,
            {"true_classes": labels, "sampled_candidates": [1, 2, 1], "num_true": 1},
        ),
        (tfcs.stateless_uniform_candidate_sampler, stateless),
        (tfcs.stateless_log_uniform_candidate_sampler, stateless),
        (tfcs.stateless_fixed_unigram_candidate_sampler, stateless | weights),
        (tfcs.UniformSampler, {"range_max": 10, "seed": 1}),
        (tfcs.LogUniformSampler, {"range_max": 10, "seed": 1}),
        (tfcs.LearnedUnigramSampler, {"range_max": 10, "seed": 1}),
        (tfcs.FixedUnigramSampler, {"unigrams": 0.5 + draw_weights(rng, 10), **shard, "seed": 1}),
        (ops.candsamp_unigram_weights, {"unigrams": [1.0, 2.0], **shard}),
        (ops.candsamp_read_vocabulary, {"vocab_file": "/nowhere"}),
        (ops.candsamp_uniform_probability, {"ids": [1], "range_max": 10}),
        (ops.candsamp_log_uniform_probability, {"ids": [1], "range_max": 10}),
        (
            ops.candsamp_stateless_fixed_unigram_sample,
            {**stream, **scalar, "weights": tf.ones([10]), "range_max": 10},
        ),
    ]
    for kind in spc.OBJECTS:
        sampler = spc.sampler(kind, 10)
        found += [
            (sampler.sample, {"num_sampled": 3, "true_classes": labels, "expected_count": "exact"}),
            (
                sampler.sample_ragged,
                {"num_sampled": [1, 0, 2], "true_classes": labels, "exclude_true": True},
            ),
            (sampler.probability, {"ids": labels}),
        ]
        state = {"range_max": 10}
        prefix = f"candsamp_stateless_{kind}"
        if kind in ("fixed_unigram", "learned_unigram"):
            prefix, state = f"candsamp_{kind}", spc.state_input(sampler)
            found.append((getattr(ops, f"{prefix}_probability"), {"ids": [1], **state}))
        if kind == "learned_unigram":
            found.append((sampler.update, {"classes": labels}))
            found.append((ops.candsamp_learned_unigram_update, {"classes": [1, 2], **state}))
        found.append((getattr(ops, f"{prefix}_sample"), {**stream, **scalar, **state}))
        found.append((getattr(ops, f"{prefix}_ragged_sample"), {**stream, **rows, **state}))
    return found


def too_large(name, value):
    """What would be right, and take memory or time that a test does not have."""
    if name not in ("num_sampled", "range_max", "num_reserved_ids", "num_shards"):
        return False
    try:
        return bool(np.any((np.asarray(value) > 2**20) & (np.asarray(value) <= 2**40)))
    except (TypeError, ValueError, OverflowError, NotImplementedError):
        return False


# Numbers of calls. Samplers are not made in functions.
CALLS = [
    (mode, number)
    for number, (function, _) in enumerate(calls(np.random.default_rng(0)))
    for mode in ("eager", "function")
    if mode == "eager" or not isinstance(function, type)
]


def test_calls_without_mistake():
    for function, arguments in calls(np.random.default_rng(0)):
        if function is not ops.candsamp_read_vocabulary:
            function(**arguments)


def check_batch(sample, given):
    """A sample of arguments that were replaced by others which are right, too."""
    ids, counts = sample.sampled_candidates, sample.sampled_expected_count
    range_max = int(given.get("range_max", len(ids) if "num_true" in given else 10))
    check_ids(ids, range_max, len(ids), given.get("unique") is True, counts)


@pytest.mark.parametrize("mode, number", CALLS)
def test_mistakes(mode, number):
    rng = np.random.default_rng(number)
    function, good = calls(rng)[number]
    is_raw = function.__module__ == ops.__name__
    # TensorFlow's own reading of the attributes of raw ops.
    errors = ERRORS + (AttributeError,) if is_raw else ERRORS
    refused = 0
    tries = 60 if mode == "eager" else 8
    for _ in range(tries):
        changes = {name: anything(rng) for name in rng.choice(list(good), rng.integers(1, 3))}
        if any(too_large(name, value) for name, value in changes.items()):
            continue
        # TensorFlow aborts where an op's attribute is beyond 64 bits and an input a plain number.
        if is_raw and 2**64 in (value for value in changes.values() if isinstance(value, int)):
            continue

        def call(given=good | changes):
            result = function(**given)
            if mode == "eager" and isinstance(result, tfcs.CandidateSample):
                check_batch(result, given)

        try:
            MODES[mode](call)()
        except errors:
            refused += 1
    assert refused > tries / 10
    if function is not ops.candsamp_read_vocabulary:
        function(**good)


# Accidental hits.


def hits(true_classes, candidates):
    """Rows and positions, by row, then column, then position."""
    found = [
        (row, position)
        for row, classes in enumerate(true_classes)
        for label in classes
        for position in np.flatnonzero(candidates == label)
    ]
    return np.array(found, np.int64).reshape(-1, 2).T


def draw_hits(rng):
    classes = int(pick(rng, [1, 3, 50, 10_000]))
    shape = [int(pick(rng, [0, 1, 7, 64])), int(pick(rng, [1, 2, 5]))]
    spread = pick(rng, [1, 2**32, 2**50])  # ids may be any integers
    labels = rng.integers(-classes, classes, shape) * spread
    return labels, rng.integers(-classes, classes, pick(rng, [0, 1, 20, 700])) * spread


@pytest.mark.parametrize("mode", MODES)
def test_accidental_hits(mode):
    rng = np.random.default_rng(5)
    for _ in range(CASES_PER_SEED if mode == "eager" else 10):
        labels, candidates = draw_hits(rng)
        dtype = tf.int32 if abs(labels).max(initial=0) < 2**31 and rng.integers(2) else tf.int64
        if abs(candidates).max(initial=0) >= 2**31:
            dtype = tf.int64
        find = tfcs.compute_accidental_hits
        find = MODES[mode](find)
        indices, ids, weights = find(
            tf.constant(labels, dtype), tf.constant(candidates, dtype), labels.shape[1]
        )
        rows, positions = hits(labels, candidates)
        np.testing.assert_array_equal(indices, rows)
        np.testing.assert_array_equal(ids, positions)
        np.testing.assert_array_equal(weights, np.full(len(rows), np.finfo(np.float32).min))
        assert [indices.dtype, ids.dtype, weights.dtype] == [tf.int32, tf.int64, tf.float32]


def test_accidental_hits_of_tensorflow():
    """The same as sets where no candidate comes twice: TensorFlow's op has an order of its own."""
    rng = np.random.default_rng(6)
    for _ in range(CASES_PER_SEED):
        labels, candidates = draw_hits(rng)
        candidates = rng.permutation(np.unique(candidates))
        found = []
        for function in (tfcs.compute_accidental_hits, tf.nn.compute_accidental_hits):
            indices, ids, weights = function(
                tf.constant(labels, tf.int64), tf.constant(candidates, tf.int64), labels.shape[1]
            )
            columns = (indices.numpy(), ids.numpy(), weights.numpy())
            found.append(sorted(zip(*columns, strict=True)))
        assert found[0] == found[1]
