# SPDX-License-Identifier: Apache-2.0
"""Candidate samplers beside TensorFlow's: the same ids bit for bit, and right expected counts.

Each case is a few calls in a row with the same attributes, which go on with one random stream, in
eager mode and in a function.
"""

import collections
import functools
import itertools
import json

import numpy as np
import processes
import pytest
import sampler_bits
import sampler_cases as spc
import tensorflow as tf
from calls import MODES
from internals import ops

import tf_candsamp as tfcs

CALLS = 3
GLOBAL_SEED = 20_000

RANGES = (1, 2, 3, 7, 8, 1000, 65_537, 10**6, 2**20, 2**31 + 5, 10**12, 2**40)
SIZES = (1, 2, 5, 8, 100, 700, 4099)

# `weights` names the weights of a fixed-unigram sampler.
Case = collections.namedtuple("Case", "kind seed range_max num_sampled unique weights")


def zipf(size):
    return (1e6 / (3.0 + np.arange(size))).astype(np.float32)


def with_zeros(size):
    rng = np.random.default_rng(size)
    return (rng.pareto(1.0, size) * (rng.random(size) > 0.4)).astype(np.float32)


# Arguments of the fixed-unigram samplers. Those named "file" get their weights from a vocab_file.
WEIGHTS = {
    "one": {"unigrams": [0.25]},
    "two": {"unigrams": [0.25, 3.0]},
    "three": {"unigrams": [1.0, 0.0, 2.0]},
    "eight": {"unigrams": [1.0, 2.0, 0.5, 7.0, 0.4, 9.0, 1.0, 1.0]},
    "zipf": {"unigrams": zipf(300)},
    "distorted": {"unigrams": zipf(300), "distortion": 0.75},
    "zeros": {"unigrams": with_zeros(400), "distortion": 0.5},
    "reserved": {"unigrams": zipf(100), "num_reserved_ids": 3},
    "reserved distorted": {"unigrams": zipf(201), "num_reserved_ids": 47, "distortion": 1.5},
    "shard": {"unigrams": zipf(299), "num_shards": 3, "shard": 1, "distortion": 0.75},
    "file": {"unigrams": with_zeros(4096)},
    "file shard": {"unigrams": zipf(9000), "num_shards": 2, "shard": 1, "distortion": 0.6},
    "big file": {"unigrams": zipf(100_003), "num_reserved_ids": 2},
}


def shard_of(weights):
    """The weights of all classes of a fixed-unigram sampler, as the documentation has them."""
    options = {"distortion": 1.0, "num_reserved_ids": 0, "num_shards": 1, "shard": 0}
    options |= WEIGHTS[weights]
    given = np.asarray(options["unigrams"], np.float64) ** options["distortion"]
    reserved = np.zeros(options["num_reserved_ids"])
    return np.concatenate([reserved, given])[options["shard"] :: options["num_shards"]]


@functools.cache
def vocabulary(folder, weights):
    path = folder / f"{weights}.csv"
    lines = (f"word{k}, {float(w)!r}" for k, w in enumerate(WEIGHTS[weights]["unigrams"]))
    path.write_text("\n".join(lines))
    return str(path)


def arguments(case, folder):
    """Attributes of a sampling op, but for its seeds and true classes."""
    found = {"num_sampled": case.num_sampled, "unique": case.unique, "range_max": case.range_max}
    if case.weights:
        found |= {k: v for k, v in WEIGHTS[case.weights].items() if k != "unigrams"}
        if "file" in case.weights:
            found["vocab_file"] = vocabulary(folder, case.weights)
        else:
            found["unigrams"] = [float(w) for w in WEIGHTS[case.weights]["unigrams"]]
    return found


def can_draw(num_sampled, unique, positive):
    """Whether TensorFlow's sampler comes to an end: for large sizes it needs spare classes."""
    if not unique:
        return num_sampled <= 4100
    return num_sampled <= (positive if positive <= 8 else 0.5 * positive)


CASES = [
    Case(kind, seed, range_max, num_sampled, unique, None)
    for kind, range_max in itertools.product(["uniform", "log_uniform"], RANGES)
    for num_sampled, unique in itertools.product(SIZES, [False, True])
    if can_draw(num_sampled, unique, range_max)
    for seed in ((1, 2**31 - 1) if num_sampled <= 100 else (3,))
]
CASES += [
    Case("fixed_unigram", seed, len(shard_of(weights)), num_sampled, unique, weights)
    for weights in WEIGHTS
    if weights != "big file"
    for num_sampled, unique in itertools.product(SIZES, [False, True])
    if can_draw(num_sampled, unique, np.count_nonzero(shard_of(weights)))
    for seed in ((7, 123) if num_sampled <= 8 else (1,))
]
CASES += [Case("uniform", 5, 1000, 700, True, None), Case("log_uniform", 5, 1000, 700, True, None)]
CASES += [
    Case(kind, 5, range_max, 100_000, unique, None)
    for kind in ("uniform", "log_uniform")
    for range_max in (10**6, 2**40)
    for unique in (False, True)
]
CASES += [
    Case("fixed_unigram", 5, 100_005, num_sampled, unique, "big file")
    for num_sampled, unique in ((5, True), (100_000, False), (30_000, True))
]


def group_of(case):
    return case.kind, case.weights or case.range_max


GROUPS = sorted(set(map(group_of, CASES)), key=str)


def test_number_of_cases():
    assert len(CASES) == len(set(CASES)) >= 500


def labels_of(range_max):
    return tf.constant([[0, range_max - 1], [range_max // 2, range_max // 3]], tf.int64)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("vocabularies")


def check(case, ours, core):
    assert isinstance(ours, tfcs.CandidateSample)
    np.testing.assert_array_equal(
        ours.sampled_candidates, core.sampled_candidates, err_msg=str(case)
    )
    # TensorFlow computes in float32, from logarithms of nearly 1 and a rounded sum of weights.
    for got, want in zip(ours[1:], core[1:], strict=True):
        np.testing.assert_allclose(got, want, rtol=2e-3, err_msg=str(case))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("group", GROUPS, ids=lambda group: " ".join(map(str, group)))
def test_ids_are_those_of_tensorflow(group, mode, folder):
    kind = spc.KINDS[group[0]]
    cases = [case for case in CASES if group_of(case) == group]
    tf.random.set_seed(GLOBAL_SEED)

    def draw():
        samples = []
        for case in cases:
            labels = labels_of(case.range_max)
            options = {**arguments(case, folder), "seed": case.seed}
            samples.append((kind.ours(labels, 2, **options), kind.core(labels, 2, **options)))
        return samples

    draw = MODES[mode](draw)
    for _ in range(CALLS):
        for case, (ours, core) in zip(cases, draw(), strict=True):
            check(case, ours, core)


@pytest.mark.parametrize("kind", spc.KINDS)
def test_global_seed_alone(kind, folder):
    """Every call gets another op seed from the global one, the same for both."""
    ours, core = spc.KINDS[kind].ours, spc.KINDS[kind].core
    weights = "zipf" if kind == "fixed_unigram" else None
    case = Case(kind, None, 300, 90, True, weights)
    samples = []
    for function in (ours, core):
        tf.random.set_seed(99)
        options = arguments(case, folder)
        samples.append([function(labels_of(300), 2, **options) for _ in range(CALLS)])
    for mine, theirs in zip(*samples, strict=True):
        check(case, mine, theirs)
    assert not np.array_equal(samples[0][0][0], samples[0][1][0])


@pytest.mark.parametrize("kind", spc.KINDS)
def test_without_any_seed_samples_differ(kind, folder):
    """Where neither seed is set, both are 0: that is, two random ones for each kernel."""
    raw = getattr(ops, f"candsamp_{kind}_candidate_sampler")
    weights = "zipf" if kind == "fixed_unigram" else None
    options = arguments(Case(kind, None, 300, 90, True, weights), folder)
    samples = []
    for num_true in (1, 2):  # two kernels
        labels = tf.zeros([1, num_true], tf.int64)
        samples.append(raw(true_classes=labels, num_true=num_true, seed=0, seed2=0, **options))
    assert not np.array_equal(samples[0][0], samples[1][0])


@pytest.mark.parametrize("kind", spc.KINDS)
def test_set_seed_starts_over_and_batches_do_not(kind, folder):
    """The batch's size and the op's name leave the stream as it is, as in TensorFlow."""
    function = spc.KINDS[kind].ours
    weights = "eight" if kind == "fixed_unigram" else None
    options = arguments(Case(kind, None, 8, 5, True, weights), folder) | {"seed": 4}
    runs = []
    for sizes in ((1, 3, 2), (5, 5, 5)):
        tf.random.set_seed(3)
        ids = [
            function(np.zeros([n, 1], np.int64), 1, name=f"n{n}", **options).sampled_candidates
            for n in sizes
        ]
        runs.append(np.stack(ids))
    np.testing.assert_array_equal(runs[0], runs[1])


@pytest.mark.parametrize("kind", spc.KINDS)
def test_large_batches(kind, folder):
    """From 2^20 candidates on, TensorFlow's count of random numbers overflows: its second call may
    repeat the first, or parts of it. Ours goes on behind what the first one used."""
    size, seed = 2**20 + 1, 17
    weights = "eight" if kind == "fixed_unigram" else None
    range_max = 8 if weights else 10**9
    options = arguments(Case(kind, None, range_max, size, False, weights), folder)
    functions = spc.KINDS[kind]
    tf.random.set_seed(GLOBAL_SEED)
    first = functions.ours([[0]], 1, seed=seed, **options)
    core = functions.core(tf.zeros([1, 1], tf.int64), 1, seed=seed, **options)
    second = functions.ours([[0]], 1, seed=seed, **options)
    np.testing.assert_array_equal(first.sampled_candidates, core.sampled_candidates)
    assert np.mean(first.sampled_candidates == second.sampled_candidates) < 0.7
    stateless = {"weights": tf.constant(options["unigrams"])} if weights else {}
    behind = getattr(ops, f"candsamp_stateless_{kind}_sample")(
        stream=tf.constant([512 * size, seed, GLOBAL_SEED], tf.int64),
        num_sampled=tf.constant(size, tf.int64),
        true_classes=tf.zeros([1, 1], tf.int64),
        range_max=range_max,
        unique=False,
        exact=False,
        **stateless,
    )
    np.testing.assert_array_equal(second.sampled_candidates, behind[0])


COUNT_CASES = [
    Case(kind, seed, range_max, num_sampled, True, None)
    for kind in ("uniform", "log_uniform")
    for range_max, num_sampled in (
        (1, 1),
        (2, 2),
        (8, 5),
        (1000, 1),
        (1000, 300),
        (10**6, 4000),
        (10**12, 500),
        (2**40, 3000),
    )
    for seed in (3, 4)
]
COUNT_CASES += [
    Case("fixed_unigram", seed, len(shard_of(weights)), num_sampled, True, weights)
    for weights, num_sampled in (
        ("two", 2),
        ("eight", 4),
        ("zipf", 60),
        ("distorted", 100),
        ("zeros", 80),
        ("reserved distorted", 2),
        ("file shard", 1500),
    )
    for seed in (3, 4)
]


def tries_and_ids(case, folder):
    """How many draws give num_sampled different classes, and these: from TensorFlow's draws."""
    size = 4 * case.num_sampled
    while True:
        options = arguments(case, folder) | {"unique": False, "num_sampled": size}
        tf.random.set_seed(0)  # drops kernels and so their states
        options |= {"true_classes": [[0]], "num_true": 1, "seed": GLOBAL_SEED, "seed2": case.seed}
        draws = spc.KINDS[case.kind].raw(**options).sampled_candidates.numpy()
        firsts = np.sort(np.unique(draws, return_index=True)[1])[: case.num_sampled]
        if len(firsts) == case.num_sampled:
            return firsts[-1] + 1, draws[firsts]
        size *= 4


@pytest.mark.parametrize("unique", [False, True])
@pytest.mark.parametrize("case", COUNT_CASES, ids=lambda case: "-".join(map(str, case)))
def test_expected_counts(case, unique, folder):
    """The formula's value in float64, rounded once."""
    case = case._replace(unique=unique)
    tries, ids = tries_and_ids(case, folder) if unique else (case.num_sampled, None)
    tf.random.set_seed(GLOBAL_SEED)
    labels = labels_of(case.range_max)
    sample = spc.KINDS[case.kind].ours(labels, 2, seed=case.seed, **arguments(case, folder))
    if unique:
        np.testing.assert_array_equal(sample.sampled_candidates, ids)
    weights = shard_of(case.weights) if case.weights else None
    for got, classes in ((sample[1], labels), (sample[2], sample[0])):
        assert got.dtype == tf.float32
        p = spc.probabilities(case.kind, classes, case.range_max, weights)
        want = spc.expected_counts(p, case.num_sampled, tries)
        np.testing.assert_allclose(got, want, rtol=3e-7)


@pytest.mark.parametrize("kind", spc.KINDS)
@pytest.mark.parametrize(
    "convert",
    [
        lambda x: x,
        np.array,
        lambda x: np.array(x, np.int32),
        lambda x: tf.constant(x, tf.int32),
        lambda x: tuple(map(tuple, x)),
        lambda x: tf.Variable(x, dtype=tf.int64),
    ],
    ids=["list", "int64 array", "int32 array", "int32 tensor", "tuples", "variable"],
)
def test_forms_of_labels(kind, convert, folder):
    labels = [[0, 7], [5, 5], [3, 1]]
    weights = "eight" if kind == "fixed_unigram" else None
    options = arguments(Case(kind, None, 8, 4, True, weights), folder) | {"seed": 1}
    samples = []
    for given in (tf.constant(labels, tf.int64), convert(labels)):
        tf.random.set_seed(1)
        samples.append(spc.KINDS[kind].ours(given, 2, **options))
    spc.assert_same(*samples)
    assert [part.shape for part in samples[1]] == [[4], [3, 2], [4]]
    assert [part.dtype for part in samples[1]] == [tf.int64, tf.float32, tf.float32]


@pytest.mark.parametrize("num_reserved_ids", [0, 1, 4, 9])
@pytest.mark.parametrize("num_shards", [1, 2, 3, 7])
def test_every_id_is_in_one_shard(num_shards, num_reserved_ids):
    """Of TensorFlow's shards with reserved ids some leave ids out."""
    unigrams = [5.0, 1.0, 2.0, 4.0, 8.0, 3.0, 6.0]
    weights = np.array([0.0] * num_reserved_ids + unigrams)
    found = []
    for shard in range(min(num_shards, len(weights))):
        mine = np.arange(shard, len(weights), num_shards)
        if not weights[mine].any():
            continue
        options = {"num_reserved_ids": num_reserved_ids, "num_shards": num_shards, "shard": shard}
        labels = np.arange(len(mine))[:, np.newaxis]
        sample = tfcs.fixed_unigram_candidate_sampler(
            labels, 1, 2000, False, len(mine), unigrams=unigrams, seed=1, **options
        )
        p = sample.true_expected_count[:, 0] / 2000
        np.testing.assert_allclose(p, weights[mine] / weights[mine].sum(), rtol=1e-6)
        found += list(mine[np.unique(sample.sampled_candidates)])
    assert sorted(found) == list(np.flatnonzero(weights))


def test_same_bits_with_any_threads_and_instruction_set():
    """Ids and expected counts, in this process and in others. A set that the machine lacks falls
    back to one that it has."""
    others = [
        processes.start("sampler_bits.py", threads, CANDSAMP_MAX_ISA=instruction_set)
        for threads, instruction_set in ((1, "baseline"), (4, "avx2"))
    ]
    want = sampler_bits.hashes()
    assert len(want) > 60
    for process in others:
        got = json.loads(processes.output_of(process))
        assert [key for key in want if got[key] != want[key]] == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("loss", [tf.nn.sampled_softmax_loss, tf.nn.nce_loss])
@pytest.mark.parametrize("kind", spc.KINDS)
def test_sample_in_tensorflows_losses(kind, loss, mode, folder):
    """Our sample as sampled_values: the same loss and gradients as with TensorFlow's."""
    range_max = 300
    rng = np.random.default_rng(0)
    weights = tf.Variable(rng.normal(size=[range_max, 16]), dtype=tf.float32)
    biases = tf.Variable(tf.zeros([range_max]))
    inputs = tf.constant(rng.normal(size=[8, 16]), tf.float32)
    labels = tf.constant(rng.integers(0, range_max, [8, 1]))
    name = "distorted" if kind == "fixed_unigram" else None
    options = arguments(Case(kind, None, range_max, 64, True, name), folder) | {"seed": 2}

    def step(sampler):
        with tf.GradientTape() as tape:
            values = sampler(labels, 1, **options)
            value = loss(weights, biases, labels, inputs, 64, range_max, sampled_values=values)
        slices, dense = tape.gradient(value, [weights, biases])
        return value, tf.convert_to_tensor(slices), tf.convert_to_tensor(dense)

    results = []
    for sampler in (spc.KINDS[kind].ours, spc.KINDS[kind].core):
        tf.random.set_seed(8)
        run = MODES[mode](step)
        results.append(run(sampler))
    for got, want in zip(*results, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-4)
    rows = np.abs(results[0][1]).sum(axis=1)
    assert 64 <= np.count_nonzero(rows) <= 72
