# SPDX-License-Identifier: Apache-2.0
"""Stateless samplers are functions of their arguments; what they return is pinned."""

import functools
import json

import numpy as np
import pytest
import sampler_cases as spc
import sampler_goldens
import tensorflow as tf

import tf_candsamp as tfcs

V = 500
LABELS = [[0, 499], [3, 17], [3, 3]]
WEIGHTS = np.random.default_rng(0).pareto(1.0, V).astype(np.float32)
WEIGHTS[3] = 0


def draw(kind, num_sampled=40, unique=True, seed=(5, 6), labels=LABELS, **options):
    if kind == "fixed_unigram":
        options = {"unigrams": WEIGHTS, **options}
    sampler = spc.KINDS[kind].stateless
    return sampler(labels, len(labels[0]), num_sampled, unique, V, seed=seed, **options)


@pytest.mark.parametrize("expected_count", ["tf", "exact"])
@pytest.mark.parametrize("unique", [False, True])
@pytest.mark.parametrize("kind", spc.KINDS)
def test_the_seed_alone_decides(kind, unique, expected_count):
    options = {"unique": unique, "expected_count": expected_count}
    first = draw(kind, **options)
    draw(kind, seed=[5, 7], **options)
    tf.random.set_seed(1)
    spc.assert_same(draw(kind, name="another", **options), first)
    spc.assert_same(tf.function(lambda: draw(kind, **options))(), first)
    for seed in ([5, 7], [6, 6], [6, 5], [-5, 6], [5 + 2**32, 6], [5, 6 + 2**32]):
        assert not np.array_equal(draw(kind, seed=seed, **options)[0], first[0]), seed


@pytest.mark.parametrize(
    "convert",
    [
        lambda x: list(x),
        lambda x: np.array(x),
        lambda x: tf.constant(x, tf.int32),
        lambda x: tf.constant(x, tf.int64),
        lambda x: tf.Variable(x, dtype=tf.int64),
    ],
    ids=["list", "array", "int32", "int64", "variable"],
)
@pytest.mark.parametrize("kind", spc.KINDS)
def test_forms_of_seeds(kind, convert):
    spc.assert_same(draw(kind, seed=convert((5, 6))), draw(kind))


@pytest.mark.parametrize("kind", spc.KINDS)
def test_seed_that_is_known_when_it_runs(kind):
    @tf.function
    def steps(first):
        return [draw(kind, seed=tf.stack([first, step])) for step in range(3)]

    for step, sample in enumerate(steps(tf.constant(2**40))):
        spc.assert_same(sample, draw(kind, seed=[2**40, step]))


@pytest.mark.parametrize("form", [np.int64, tf.constant, lambda n: tf.constant(n, tf.int64)])
@pytest.mark.parametrize("kind", spc.KINDS)
def test_forms_of_num_sampled(kind, form):
    spc.assert_same(draw(kind, num_sampled=form(40)), draw(kind))


@pytest.mark.parametrize("dtype", [tf.int32, tf.int64])
@pytest.mark.parametrize("kind", spc.KINDS)
def test_num_sampled_that_is_known_when_it_runs(kind, dtype):
    traces = []

    @tf.function(input_signature=[tf.TensorSpec([], dtype)])
    def function(num_sampled):
        traces.append(draw(kind, num_sampled=num_sampled))
        return traces[-1]

    for size in (1, 40, 333):
        spc.assert_same(function(size), draw(kind, num_sampled=size))
    (traced,) = traces
    assert [part.shape.as_list() for part in traced] == [[None], [3, 2], [None]]


@pytest.mark.parametrize("rank", ["rank known", "rank unknown"])
@pytest.mark.parametrize("kind", spc.KINDS)
def test_labels_of_unknown_shape(kind, rank):
    shape = [None, None] if rank == "rank known" else None
    function = tf.function(
        lambda labels: spc.KINDS[kind].stateless(
            labels,
            2,
            40,
            True,
            V,
            seed=(5, 6),
            **({"unigrams": WEIGHTS} if kind == "fixed_unigram" else {}),
        ),
        input_signature=[tf.TensorSpec(shape, tf.int64)],
    )
    spc.assert_same(function(tf.constant(LABELS, tf.int64)), draw(kind))


@pytest.mark.parametrize("kind", spc.KINDS)
def test_static_shapes(kind):
    def trace(size, rows):
        spec = tf.TensorSpec([rows, 2], tf.int64)
        options = {"unigrams": WEIGHTS} if kind == "fixed_unigram" else {}
        sampler = spc.KINDS[kind].stateless
        function = tf.function(
            lambda labels: sampler(labels, 2, size, True, V, seed=[1, 2], **options)
        )
        return [s.as_list() for s in function.get_concrete_function(spec).output_shapes]

    assert trace(40, 3) == trace(tf.constant(40), 3) == [[40], [3, 2], [40]]
    assert trace(40, None) == [[40], [None, 2], [40]]


# Of both, seed is the key and seed2 the upper half of the counter.
@pytest.mark.parametrize("seed", [[1, 0], [0, 1], [3, 2**31 - 1], [-7, -(2**62)], [2**63 - 1, 1]])
@pytest.mark.parametrize("unique", [False, True])
@pytest.mark.parametrize("kind", spc.KINDS)
def test_first_call_of_tensorflows_op(kind, unique, seed):
    options = {"unigrams": [float(w) for w in WEIGHTS]} if kind == "fixed_unigram" else {}
    tf.random.set_seed(0)  # drops kernels and so their states
    core = spc.KINDS[kind].raw(
        true_classes=LABELS,
        num_true=2,
        num_sampled=40,
        unique=unique,
        range_max=V,
        seed=seed[0],
        seed2=seed[1],
        **options,
    )
    sample = draw(kind, unique=unique, seed=seed)
    np.testing.assert_array_equal(sample.sampled_candidates, core.sampled_candidates)
    np.testing.assert_allclose(sample[1], core.true_expected_count, rtol=2e-3)
    np.testing.assert_allclose(sample[2], core.sampled_expected_count, rtol=2e-3)


@pytest.mark.parametrize("expected_count", ["tf", "exact"])
@pytest.mark.parametrize("kind", spc.KINDS)
def test_a_new_object_of_the_same_seeds_draws_the_same(kind, expected_count):
    tf.random.set_seed(5)
    unigrams = [WEIGHTS] if kind == "fixed_unigram" else [V]
    make = {
        "uniform": tfcs.UniformSampler,
        "log_uniform": tfcs.LogUniformSampler,
        "fixed_unigram": tfcs.FixedUnigramSampler,
    }
    sample = make[kind](*unigrams, seed=6).sample(40, LABELS, expected_count=expected_count)
    spc.assert_same(sample, draw(kind, expected_count=expected_count))


@pytest.mark.parametrize(
    "range_max, options",
    [
        (50, {}),
        (50, {"distortion": 0.5}),
        (28, {"num_reserved_ids": 7, "num_shards": 2, "shard": 1}),
    ],
    ids=str,
)
def test_forms_of_unigrams(tmp_path, range_max, options):
    unigrams = np.tile(np.float32([0.1, 3.0, 0.0, 2.5e-3, 7.0]), 10)
    path = tmp_path / "counts.txt"
    path.write_text("\r\n".join(f"w{k},x , {float(w)!r} " for k, w in enumerate(unigrams)) + "\n\n")

    def sample(**given):
        return tfcs.stateless_fixed_unigram_candidate_sampler(
            [[3]], 1, 6, True, range_max, seed=[1, 2], **given, **options
        )

    forms = [unigrams.tolist(), unigrams, tf.constant(unigrams), tf.Variable(unigrams)]
    samples = [sample(unigrams=form) for form in forms]
    samples += [sample(vocab_file=str(path)), tf.function(sample)(vocab_file=str(path))]
    samples.append(tf.function(lambda w: sample(unigrams=w))(tf.constant(unigrams)))
    unknown = [tf.TensorSpec([None])]
    samples.append(tf.function(lambda w: sample(unigrams=w), unknown)(tf.constant(unigrams)))
    for other in samples[1:]:
        spc.assert_same(other, samples[0])


def disjoint_weights(size=64):
    """Two rows of weights: of classes below half of size, and of those from there on."""
    halves = np.repeat(np.eye(2, dtype=np.float32), size // 2, axis=1)
    return tf.constant(halves)


@pytest.mark.parametrize("how", ["other tensor", "rows", "slices", "assigned", "sparse update"])
def test_weights_that_changed(how):
    """The table of the last weights is kept: it must not be taken for that of others."""
    both = disjoint_weights()
    variable = tf.Variable(both[0])

    def weights(row):
        if how == "other tensor":
            return tf.constant(both[row].numpy())
        if how == "rows":  # which share one buffer
            return tf.unstack(both)[row]
        if how == "slices":
            return tf.reshape(both, [-1])[row * 64 : (row + 1) * 64]
        if how == "assigned":
            variable.assign(both[row].numpy())
        else:
            variable.scatter_update(tf.IndexedSlices(both[row].numpy(), tf.range(64)))
        return variable

    for row in (0, 1, 0, 1):
        sample = tfcs.stateless_fixed_unigram_candidate_sampler(
            [[row * 32]], 1, 20, True, 64, unigrams=weights(row), seed=[1, 2]
        )
        assert set(sample.sampled_candidates.numpy() // 32) == {row}
        assert sample.true_expected_count.numpy() > 0


def test_counts_alone_decide_what_a_learned_sampler_draws():
    """Not in which order and how many at a time they came."""
    rng = np.random.default_rng(0)
    labels = np.minimum(rng.pareto(0.4, 20_000), 999).astype(np.int64)
    samples = []
    for steps in (1, 7, 1000):
        tf.random.set_seed(3)
        sampler = spc.sampler("learned_unigram", 1000, seed=4)
        for part in np.array_split(rng.permutation(labels), steps):
            sampler.update(part)
        samples.append([sampler.sample(500), sampler.sample_ragged([50, 60])])
    tf.random.set_seed(3)
    sampler = spc.sampler("learned_unigram", 1000, seed=4)
    sampler.counts.assign(np.bincount(labels, minlength=1000))
    samples.append([sampler.sample(500), sampler.sample_ragged([50, 60])])
    for others in samples[1:]:
        for got, want in zip(others, samples[0], strict=True):
            spc.assert_same(got, want)


@pytest.mark.parametrize("kind", spc.OBJECTS)
def test_a_row_does_not_depend_on_the_others(kind):
    """But on its number, what it asks for and excludes."""

    def rows(num_sampled, labels):
        tf.random.set_seed(3)
        sampler = spc.sampler(kind, 50, seed=4)
        return sampler.sample_ragged(num_sampled, tf.ragged.constant(labels), True)

    one = rows([5, 0, 20, 3], [[1], [], [2, 3], [4]])
    other = rows([30, 9, 20, 3, 7], [[], [7, 8], [3, 2, 2], [4], []])
    for row in (2, 3):
        np.testing.assert_array_equal(one.candidates[row], other.candidates[row])
        np.testing.assert_array_equal(one.expected_count[row], other.expected_count[row])


GOLDENS = json.loads(sampler_goldens.PATH.read_text())


@functools.cache
def samples():
    return dict(sampler_goldens.samples())


def test_goldens_are_of_all_samples():
    assert list(GOLDENS) == list(samples())


@pytest.mark.parametrize("key", GOLDENS)
def test_goldens(key):
    """Seeds and checkpoints mean the same candidates and counts in every release: a change here is
    a breaking change, see sampler_goldens.py."""
    assert sampler_goldens.values(samples()[key]) == GOLDENS[key]
