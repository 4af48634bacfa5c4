"""Samplers: every mistake in the arguments is an error that names argument, value and need.

Mistakes in tensors are made in eager mode, in a function that knows no shapes (so that the kernel
finds them), and in one that knows all shapes (so that building the graph may find them).
"""

import functools
import re

import numpy as np
import pytest
import sampler_cases as sc
import tensorflow as tf

import tf_candsamp as tfcs
from tf_candsamp._library import ops

MODES = ("eager", "unknown_shapes", "known_shapes")
V = 10
WEIGHTS = [1.0 + k for k in range(V)]
LABELS = [[1], [2]]

# Functions with the labels first and the arguments num_true, num_sampled, unique and range_max.
FUNCTIONS = {kind: functions.ours for kind, functions in sc.KINDS.items()}
FUNCTIONS["learned_unigram"] = tfcs.learned_unigram_candidate_sampler
FUNCTIONS |= {f"stateless_{kind}": functions.stateless for kind, functions in sc.KINDS.items()}
STATELESS = tuple(kind for kind in FUNCTIONS if "stateless" in kind)
FIXED = ("fixed_unigram", "stateless_fixed_unigram", "object")


def call(kind, labels=LABELS, **changes):
    """A function's sample of valid arguments, but for the changes."""
    options = {"num_true": 1, "num_sampled": 4, "unique": True, "range_max": V}
    if "stateless" in kind:
        options["seed"] = [1, 2]
    if "fixed" in kind:
        options["unigrams"] = WEIGHTS
    options |= changes
    return FUNCTIONS[kind](labels, **options)


def in_mode(mode, function, value):
    """function(value), where value is a tensor whose shape is known, or not."""
    if mode == "eager":
        return function(value)
    value = tf.convert_to_tensor(value)
    spec = tf.TensorSpec(None if mode == "unknown_shapes" else value.shape, value.dtype)
    return tf.function(function, input_signature=[spec])(value)


def state_of(sampler):
    """Everything that a checkpoint saves of a sampler, its random state first."""
    random = sampler._generator.state
    return [random.numpy(), *(v.numpy() for v in sampler.variables if v is not random)]


def assert_state(sampler, state):
    for got, want in zip(state_of(sampler), state, strict=True):
        np.testing.assert_array_equal(got, want)


def test_arguments_without_mistake_are_fine():
    for kind in FUNCTIONS:
        for mode in MODES:
            sample = in_mode(
                mode, lambda labels, kind=kind: call(kind, labels), tf.constant(LABELS)
            )
            assert [part.shape for part in sample] == [[4], [2, 1], [4]]


# Numbers.


@pytest.mark.parametrize("bad", [0, -1, -(2**63)])
@pytest.mark.parametrize("name", ["range_max", "num_sampled", "num_true"])
@pytest.mark.parametrize("kind", FUNCTIONS)
def test_not_positive(kind, name, bad):
    sc.refused(f"{name} must be positive, got {bad}", call, kind, **{name: bad}, errors=ValueError)


@pytest.mark.parametrize("bad", [1.0, "4", True, None, [4], np.float32(4), tf.ones([])], ids=str)
@pytest.mark.parametrize("name", ["range_max", "num_sampled", "num_true"])
@pytest.mark.parametrize("kind", FUNCTIONS)
def test_no_integer(kind, name, bad):
    message = f"{name} must be an integer, got {re.escape(repr(bad))}"
    if tf.is_tensor(bad) and name == "num_sampled" and kind in STATELESS:  # may be a tensor
        message = "num_sampled must be of an integer type, got float32"
    sc.refused(message, call, kind, **{name: bad}, errors=TypeError)


@pytest.mark.parametrize("name", ["range_max", "num_sampled", "num_true"])
@pytest.mark.parametrize("kind", FUNCTIONS)
def test_beyond_64_bits(kind, name):
    sc.refused(name, call, kind, **{name: 2**63}, errors=sc.ERRORS + (OverflowError,))


@pytest.mark.parametrize("bad", [0, -1, -(2**63)])
@pytest.mark.parametrize("make", [tfcs.UniformSampler, tfcs.LogUniformSampler])
def test_range_of_objects(make, bad):
    sc.refused(f"range_max must be positive, got {bad}", make, bad, errors=ValueError)
    sc.refused(r"range_max must be an integer, got 2\.0", make, 2.0, errors=TypeError)


@pytest.mark.parametrize("bad, text", [(0, "positive"), (-3, "positive"), (2**32 + 1, "2\\^32")])
def test_range_of_a_learned_object(bad, text):
    message = f"range_max must be .*{text}.*, got {bad}"
    sc.refused(message, tfcs.LearnedUnigramSampler, bad, errors=ValueError)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("bad", [0, -1, 2**40 + 1, 2**63 - 1])
@pytest.mark.parametrize("kind", STATELESS)
def test_num_sampled_tensor(kind, bad, mode):
    message = f"num_sampled must be (positive|between 1 and .*), got {bad}"
    bad = tf.constant(bad, tf.int64)
    sc.refused(message, in_mode, mode, lambda n: call(kind, num_sampled=n), bad)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("bad", [0, -1, 2**40 + 1, 2**63 - 1])
@pytest.mark.parametrize("kind", sc.OBJECTS)
def test_num_sampled_tensor_of_objects(kind, bad, mode):
    """A sampler does not go back to candidates that it drew before."""
    sampler = sc.sampler(kind, V)
    sampler.sample(8)
    before, *others = state_of(sampler)
    bad = tf.constant(bad, tf.int64)
    message = f"num_sampled must be (positive|between 1 and .*), got {int(bad)}"
    sc.refused(message, in_mode, mode, lambda n: sampler.sample(n, LABELS), bad)
    after, *same = state_of(sampler)
    np.testing.assert_array_equal(after[1:], before[1:])
    assert before[0] <= after[0] < before[0] + 2**60
    for got, want in zip(same, others, strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("bad", [0, -1])
@pytest.mark.parametrize("kind", sc.OBJECTS)
def test_num_sampled_of_objects(kind, bad):
    sampler = sc.sampler(kind, V)
    state = state_of(sampler)
    message = f"num_sampled must be positive, got {bad}"
    sc.refused(message, sampler.sample, bad, LABELS, errors=ValueError)
    sc.refused("num_sampled must be an integer, got 2.0", sampler.sample, 2.0, errors=TypeError)
    sc.refused("num_sampled must be an integer, got True", sampler.sample, True, errors=TypeError)
    assert_state(sampler, state)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("bad", [[4, 5], []], ids=str)
@pytest.mark.parametrize("kind", STATELESS + sc.OBJECTS)
def test_num_sampled_is_no_scalar(kind, bad, mode):
    sampler = sc.sampler(kind, V) if kind in sc.OBJECTS else None
    sample = sampler.sample if sampler else lambda n: call(kind, num_sampled=n)
    # Where the rank is not known, TensorFlow's own op is the first to see a sampler's num_sampled.
    message = r"num_sampled must be a scalar, got shape|must have shape \[\], not"
    sc.refused(message, in_mode, mode, sample, tf.constant(bad, tf.int64))


@pytest.mark.parametrize("dtype", [tf.float32, tf.string, tf.bool])
@pytest.mark.parametrize("kind", STATELESS + sc.OBJECTS)
def test_type_of_num_sampled(kind, dtype):
    bad = tf.constant("4") if dtype == tf.string else tf.cast(4, dtype)
    message = f"num_sampled must be of an integer type, got {dtype.name}"
    if kind in STATELESS:
        sc.refused(message, call, kind, num_sampled=bad, errors=TypeError)
    else:
        sc.refused(message, sc.sampler(kind, V).sample, bad, errors=TypeError)


TOO_MANY = "Sampler's range is too small: num_sampled must be at most {most}, .*, got {got}"


@pytest.mark.parametrize("form", [int, tf.constant])
@pytest.mark.parametrize("got", [V + 1, 10_000])
@pytest.mark.parametrize("kind", [*FUNCTIONS, *sc.OBJECTS])
def test_more_candidates_than_classes(kind, got, form):
    def sample(unique):
        if kind in FUNCTIONS:
            return call(kind, num_sampled=form(got), unique=unique)
        return sc.sampler(kind, V, unique=unique).sample(form(got))

    sc.refused(TOO_MANY.format(most=V, got=got), sample, True)
    assert sample(False).sampled_candidates.shape == [got]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", FIXED)
def test_more_candidates_than_classes_with_weight(kind, mode):
    weights = [0.0, 1.0, 0.0, 2.0, 0.5]
    sampler = tfcs.FixedUnigramSampler(weights)

    def sample(labels, size=4):
        if kind == "object":
            return sampler.sample(size, labels)
        return call(kind, labels, num_sampled=size, range_max=5, unigrams=weights)

    labels = tf.constant([[0], [4]], tf.int64)
    sc.refused(TOO_MANY.format(most=3, got=4), in_mode, mode, sample, labels)
    ids = in_mode(mode, lambda labels: sample(labels, 3), labels).sampled_candidates
    assert sorted(ids.numpy()) == [1, 3, 4]


@pytest.mark.parametrize("bad", [None, "yes", 2], ids=repr)
@pytest.mark.parametrize("kind", FUNCTIONS)
def test_unique_is_no_bool(kind, bad):
    message = f"bool for argument 'unique' not {bad!r}"
    sc.refused(message, call, kind, unique=bad, errors=TypeError)


@pytest.mark.parametrize("bad", ["bogus", None, True, "TF"], ids=repr)
def test_expected_count(bad):
    message = f"expected_count must be 'tf' or 'exact', got {bad!r}"
    for kind in FUNCTIONS:
        sc.refused(message, call, kind, expected_count=bad, errors=ValueError)
    for kind in sc.OBJECTS:
        sampler = sc.sampler(kind, V)
        sc.refused(message, sampler.sample, 2, LABELS, expected_count=bad, errors=ValueError)
        sc.refused(message, sampler.sample_ragged, [2], expected_count=bad, errors=ValueError)


# Seeds.


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("bad", [[], [1], [1, 2, 3], [[1, 2]], 1], ids=str)
@pytest.mark.parametrize("kind", STATELESS)
def test_shape_of_a_stateless_seed(kind, bad, mode):
    message = "seed must be two integers, got shape" if mode != "unknown_shapes" else r"seed|\[2\]"
    bad = tf.constant(bad, tf.int64)
    sc.refused(message, in_mode, mode, lambda seed: call(kind, seed=seed), bad)


@pytest.mark.parametrize("bad", [[1.0, 2.0], ["a", "b"], np.array([True, False])], ids=str)
@pytest.mark.parametrize("kind", STATELESS)
def test_type_of_a_stateless_seed(kind, bad):
    sc.refused("seed must be of an integer type, got", call, kind, seed=bad, errors=TypeError)


@pytest.mark.parametrize("kind", STATELESS)
def test_no_stateless_seed(kind):
    """Which is what the fixed-unigram sampler gets where seed is left out."""
    sc.refused("seed must be", call, kind, seed=None)


@pytest.mark.parametrize("bad", [1.5, [1, 2]], ids=str)
@pytest.mark.parametrize("kind", sc.OBJECTS)
def test_seed_of_objects(kind, bad):
    sc.refused("seed must be an integer, got", sc.sampler, kind, V, seed=bad)


@pytest.mark.parametrize("form", [np.int64, np.int32])
@pytest.mark.parametrize("kind", sc.OBJECTS)
def test_seeds_that_numpy_made_are_fine(kind, form):
    tf.random.set_seed(1)
    sc.assert_same(
        sc.sampler(kind, V, seed=form(3)).sample(5), sc.sampler(kind, V, seed=3).sample(5)
    )


# Labels.


def samplers_of_labels():
    """(name, function of labels) of everything that takes them as a matrix."""
    found = {kind: lambda labels, kind=kind: call(kind, labels) for kind in FUNCTIONS}
    for kind in sc.OBJECTS:
        sampler = sc.sampler(kind, V)
        found[f"object_{kind}"] = lambda labels, sampler=sampler: sampler.sample(4, labels)
    found["all"] = lambda labels: tfcs.all_candidate_sampler(labels, 1, V, True)
    found["hits"] = lambda labels: tfcs.compute_accidental_hits(labels, [1, 2], 1)
    return found


BY_LABELS = samplers_of_labels()
CHECK_RANGE = [name for name in BY_LABELS if name != "hits"]
CHECK_COLUMNS = [name for name in BY_LABELS if "object" not in name]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("bad", [V, -1])
@pytest.mark.parametrize("name", CHECK_RANGE)
def test_class_ids(name, bad, mode):
    labels = tf.constant([[0], [bad]], tf.int64)
    message = rf"true_classes .*out of range \[0, {V}\), received {bad}"
    sc.refused(message, in_mode, mode, BY_LABELS[name], labels)


@pytest.mark.parametrize("bad", [V + 1, 2**31, 2**32, 2**63 - 1, -(2**31), -(2**63)])
@pytest.mark.parametrize("name", CHECK_RANGE)
def test_class_ids_far_out(name, bad):
    message = rf"true_classes .*out of range \[0, {V}\), received {bad}"
    sc.refused(message, BY_LABELS[name], [[0], [bad]])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", [[], [2], [2, 1, 1]], ids=str)
@pytest.mark.parametrize("name", BY_LABELS)
def test_rank_of_labels(name, shape, mode):
    message = "true_classes must be a matrix.* got shape"
    sc.refused(message, in_mode, mode, BY_LABELS[name], tf.zeros(shape, tf.int64))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("columns", [0, 2])
@pytest.mark.parametrize("name", CHECK_COLUMNS)
def test_columns_of_labels(name, columns, mode):
    message = rf"true_classes must .*num_true.* 1\b.*got (shape .*)?{columns}"
    sc.refused(message, in_mode, mode, BY_LABELS[name], tf.zeros([3, columns], tf.int64))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", [tf.float32, tf.string, tf.bool], ids=lambda t: t.name)
@pytest.mark.parametrize("name", BY_LABELS)
def test_type_of_labels(name, dtype, mode):
    labels = tf.constant([["1"]]) if dtype == tf.string else tf.ones([1, 1], dtype)
    message = f"true_classes must be of an integer type, got {dtype.name}"
    sc.refused(message, in_mode, mode, BY_LABELS[name], labels, errors=TypeError)


@pytest.mark.parametrize("labels", [[[1.0]], [["1"]], [[True]], np.ones([1, 1])], ids=str)
@pytest.mark.parametrize("name", BY_LABELS)
def test_type_of_lists_of_labels(name, labels):
    sc.refused("true_classes must be of an integer type", BY_LABELS[name], labels, errors=TypeError)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", BY_LABELS)
def test_no_example_is_fine(name, mode):
    sample = in_mode(mode, BY_LABELS[name], tf.zeros([0, 1], tf.int64))
    if name == "hits":
        assert [part.shape for part in sample] == [[0]] * 3
    else:
        size = V if name == "all" else 4
        assert [part.shape for part in sample] == [[size], [0, 1], [size]]
        assert np.isfinite(sample.sampled_expected_count).all()


def test_shape_of_sampled_candidates():
    for bad in (1, [[1]]):
        message = "sampled_candidates must be a vector, got shape"
        sc.refused(message, tfcs.compute_accidental_hits, LABELS, bad, 1)
    message = "sampled_candidates must be of an integer type, got float64"
    sc.refused(message, tfcs.compute_accidental_hits, LABELS, [1.0], 1, errors=TypeError)


# Weights of the fixed-unigram samplers.


def fixed(kind, *, range_max, **options):
    """A sample with weights that are given as the tests' arguments say."""
    if kind != "object":
        options = {"unigrams": (), **options}
        return call(kind, [[0]], num_sampled=1, range_max=range_max, **options)
    return tfcs.FixedUnigramSampler(
        options.pop("vocab_file", None) or options.pop("unigrams"), **options
    ).sample(1)


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("kind", FIXED[:2])
def test_number_of_weights(kind, size):
    message = rf"(range is 3|range_max must be).*\b{size}\b"
    sc.refused(message, fixed, kind, range_max=3, unigrams=[1.0] * size)
    options = {"num_reserved_ids": 5, "num_shards": 2, "shard": 1}
    message = rf"(range is 9|range_max must be).*\b{(5 + size) // 2}\b"
    sc.refused(message, fixed, kind, range_max=9, unigrams=[1.0] * size, **options)


@pytest.mark.parametrize("size", [1, 2, 4])
def test_number_of_weights_that_is_known_when_it_runs(size):
    @tf.function(input_signature=[tf.TensorSpec([None])])
    def sample(weights):
        return fixed("stateless_fixed_unigram", range_max=3, unigrams=weights)

    sc.refused(f"range_max must be the number of weights, {size}, got 3", sample, tf.ones([size]))


@pytest.mark.parametrize("kind", FIXED)
@pytest.mark.parametrize(
    "bad, message",
    [
        ([1.0, -2.0, 1.0], r"not negative, got -2\.0* for class 1"),
        ([1.0, 1.0, np.nan], "finite and not negative, got nan for class 2"),
        ([np.inf, 1.0, 1.0], "finite and not negative, got inf for class 0"),
        ([-np.inf, 1.0, 1.0], "finite and not negative, got -inf for class 0"),
        ([0.0, 0.0, 0.0], "have a positive weight, got zeros only"),
    ],
    ids=str,
)
def test_weights(kind, bad, message):
    message = f"unigrams must .*{message}"
    for form in (list, np.array, tf.constant):
        sc.refused(message, fixed, kind, range_max=3, unigrams=form(bad))


@pytest.mark.parametrize("kind", FIXED)
def test_weights_after_distortion(kind):
    weights = [0.0, 2.0, 1e30]
    message = "unigrams must .*got inf"
    sc.refused(message, fixed, kind, range_max=3, unigrams=weights, distortion=-1.0)
    sc.refused(message, fixed, kind, range_max=3, unigrams=weights, distortion=2.0)
    for bad in (np.nan, np.inf, 1e39):
        message = f"distortion must be finite, got {bad if bad != 1e39 else 'inf'}"
        sc.refused(message, fixed, kind, range_max=3, unigrams=weights, distortion=bad)
    sc.refused("distortion", fixed, kind, range_max=3, unigrams=weights, distortion="a")


@pytest.mark.parametrize("kind", FIXED)
def test_a_shard_without_weight(kind):
    options = {"unigrams": [0.0, 1.0, 0.0, 1.0], "num_shards": 2, "shard": 0}
    sc.refused("unigrams must have a positive weight", fixed, kind, range_max=2, **options)


@pytest.mark.parametrize("kind", FIXED)
@pytest.mark.parametrize("bad", [["a", "b"], [[1.0, 2.0]], [], None, 3.0], ids=str)
def test_no_vector_of_weights(kind, bad):
    """Whatever it is, the argument is named."""
    sc.refused("unigrams", fixed, kind, range_max=2, unigrams=bad)


@pytest.mark.parametrize("bad", [tf.constant(["a", "b"]), tf.ones([1, 2]), tf.ones([])])
@pytest.mark.parametrize("kind", FIXED)
def test_no_vector_of_weights_but_a_tensor(kind, bad):
    sc.refused("unigrams", fixed, kind, range_max=2, unigrams=bad)


@pytest.mark.parametrize("kind", FIXED)
@pytest.mark.parametrize(
    "bad, message",
    [
        ({"num_shards": 0}, "num_shards must be positive, got 0"),
        ({"num_shards": -1}, "num_shards must be positive, got -1"),
        ({"num_shards": 1.5}, r"num_shards must be an integer, got 1\.5"),
        ({"shard": 1}, r"shard must be in \[0, num_shards = 1\), got 1"),
        ({"shard": -1}, "shard.* -1 "),
        ({"shard": 3, "num_shards": 3}, r"shard must be in \[0, num_shards = 3\), got 3"),
        ({"shard": "a"}, "shard must be an integer, got 'a'"),
        ({"num_reserved_ids": -1}, "num_reserved_ids must be .*, got -1"),
        ({"num_reserved_ids": 2**62}, f"num_reserved_ids must be .*, got {2**62}"),
        ({"num_reserved_ids": 1.5}, r"num_reserved_ids must be an integer, got 1\.5"),
        ({"num_shards": 2**63}, "num_shards"),
        ({"shard": 2**63}, "shard"),
        ({"num_reserved_ids": 2**63}, "num_reserved_ids"),
    ],
    ids=str,
)
def test_shards(kind, bad, message):
    errors = sc.ERRORS + (OverflowError,)
    sc.refused(message, fixed, kind, range_max=3, unigrams=[1.0] * 3, **bad, errors=errors)


@pytest.mark.parametrize("kind", FIXED)
def test_an_empty_shard(kind):
    options = {"unigrams": [1.0, 1.0], "num_shards": 4, "shard": 3}
    sc.refused(r"weights.*\b0\b", fixed, kind, range_max=1, **options)


@pytest.mark.parametrize("kind", FIXED[:2])
def test_weights_from_nowhere_or_two_places(kind, tmp_path):
    sc.refused("Must provide either vocab_file or unigrams", fixed, kind, range_max=2)
    path = tmp_path / "file"
    path.write_text("1\n2\n")
    message = "Must only provide one of vocab_file and unigrams"
    options = {"vocab_file": str(path), "unigrams": [1.0, 2.0]}
    sc.refused(message, fixed, kind, range_max=2, **options)


@pytest.mark.parametrize("kind", FIXED)
@pytest.mark.parametrize(
    "text, message",
    [
        ("", "at least one weight, got none"),
        ("\n \r\n\t\n", "at least one weight, got none"),
        ("a,1\nb,x\n", "line 2 .*got 'b,x'"),
        ("1\n\n 3 4\n", "line 3 .*got '3 4'"),
        ("1\n2,\n", "line 2 .*got '2,'"),
        ("1\nword\n", "line 2 .*got 'word'"),
        ("1\n2\n3\n-1", "line 4 .*got -1"),
        ("1\nb,nan\n", "line 2 .*got nan"),
        ("a,inf", "line 1 .*got inf"),
        ("1e39", "line 1 .*got inf"),
        ("1\n" + "x" * 1000, "line 2 .*got 'xxx"),
        ("1\n2\0003", "line 2 "),
    ],
    ids=lambda text: repr(text[:12]),
)
def test_lines_of_a_file(kind, text, message, tmp_path):
    path = tmp_path / "file.csv"
    path.write_text(text, newline="")
    message = rf"Wrong vocabulary format in vocab_file '.*file\.csv': .*{message}"
    error = tf.errors.InvalidArgumentError
    sc.refused(message, fixed, kind, range_max=2, vocab_file=str(path), errors=error)


@pytest.mark.parametrize("mode", ["eager", "function"])
@pytest.mark.parametrize("kind", FIXED)
def test_files_that_cannot_be_read(kind, mode, tmp_path):
    def sample(path):
        function = lambda: fixed(kind, range_max=2, vocab_file=str(path))  # noqa: E731
        return tf.function(function)() if mode == "function" else function()

    message = "vocab_file '.*none' cannot be read"
    sc.refused(message, sample, tmp_path / "none", errors=tf.errors.NotFoundError)
    message = "vocab_file '.*' cannot be read: it is a directory"
    sc.refused(message, sample, tmp_path, errors=tf.errors.InvalidArgumentError)


# Variables that were given other values.


BAD_COUNTS = [
    ([0, 0, -1, 0], "-1 for class 2"),
    ([0, -(2**63), 0, 0], f"-{2**63} for class 1"),
    ([2**62, 0, 0, 0], f"{2**62} for class 0"),
    ([2**61, 2**61, 0, 0], f"{2**61} for class 1"),
    ([2**63 - 1] * 4, f"{2**63 - 1} for class 0"),
    ([2**62 - 3, 0, 0, 0], f"{2**62 - 3} for class 0"),
]


@pytest.mark.parametrize("mode", ["eager", "function"])
@pytest.mark.parametrize("bad, message", BAD_COUNTS, ids=str)
def test_assigned_counts(bad, message, mode):
    sampler = tfcs.LearnedUnigramSampler(4)
    wrap = tf.function if mode == "function" else lambda function: function
    uses = [
        wrap(lambda: sampler.sample(2, LABELS)),
        wrap(lambda: sampler.sample_ragged([2])),
        wrap(lambda: sampler.probability([0])),
        wrap(lambda: sampler.update([1])),
    ]
    for use in uses:
        use()
    for good in ([0, 0, 0, 96], [96, 0, 0, 0]):
        sampler.counts.assign(bad)
        for use in uses:
            sc.refused(f"counts must .*got {message}", use)
            np.testing.assert_array_equal(sampler.counts, bad)
        sampler.counts.assign(good)
        np.testing.assert_allclose(sampler.probability(range(4)), (1 + np.array(good)) / 100)
        for use in uses:
            use()
        assert sampler.counts.numpy().sum() == 96 + 3


def test_counts_that_would_be_too_many():
    """The sum of 1 + count may be 2^62."""
    sampler = tfcs.LearnedUnigramSampler(4)
    sampler.counts.assign([2**62 - 6, 0, 0, 0])
    sampler.update([1, 1])
    sc.refused("counts must sum to at most", sampler.update, [2])
    sc.refused("counts must sum to at most", sampler.sample, 2, LABELS)
    np.testing.assert_array_equal(sampler.counts, [2**62 - 6, 2, 0, 0])
    assert sampler.sample(4)[0].shape == [4]


@pytest.mark.parametrize("mode", ["eager", "function"])
@pytest.mark.parametrize(
    "bad, message",
    [([1, -1, 1], "-1"), ([1, 1, np.nan], "nan"), ([np.inf, 1, 1], "inf"), ([0, 0, 0], "zeros")],
    ids=str,
)
def test_assigned_weights(bad, message, mode):
    sampler = tfcs.FixedUnigramSampler([1.0, 2.0, 3.0])
    wrap = tf.function if mode == "function" else lambda function: function
    uses = [
        wrap(lambda: sampler.sample(1, LABELS)),
        wrap(lambda: sampler.sample_ragged([1])),
        wrap(lambda: sampler.probability([0])),
    ]
    for good in ([0.0, 0.0, 4.0], [1.0, 0.0, 0.0]):
        sampler.unigrams.assign(bad)
        for use in uses:
            sc.refused(f"(unigrams|weights) must .*got {message}", use)
        sampler.unigrams.assign(good)
        for use in uses:
            use()
        np.testing.assert_array_equal(sampler.probability(range(3)), np.array(good) / sum(good))


@pytest.mark.parametrize("kind", ["fixed_unigram", "learned_unigram"])
def test_values_assigned_from_one_tensor(kind):
    """Parts of one tensor share its memory, and yet they are different values."""
    sampler = sc.sampler(kind, 64, unique=False)
    learned = kind == "learned_unigram"
    variable = sampler.counts if learned else sampler.unigrams
    halves = np.repeat(np.eye(2), 32, axis=1) * 2**40
    for row, part in enumerate(tf.unstack(tf.constant(halves, variable.dtype))):
        variable.assign(part)
        assert set(sampler.sample(100)[0].numpy() // 32) == {row}
        np.testing.assert_allclose(sampler.probability(range(64)), halves[row] / 2**45, atol=1e-9)


def test_counts_of_another_size():
    """Through the raw ops a variable can change its shape: no id outside it is counted."""
    big = tf.zeros([4096], tf.int64)
    counts = tf.Variable(big, shape=[None])
    for size in (4096, 32, 1024, 16):
        counts.assign(big[:size])
        probability = functools.partial(
            ops.candsamp_learned_unigram_probability, counts=counts.handle
        )
        np.testing.assert_allclose(probability(ids=[0]), [1 / size])
        sc.refused(rf"out of range \[0, {size}\)", probability, ids=[size])


# Checkpoints.


@pytest.mark.parametrize("other_range", [V, V + 1])
@pytest.mark.parametrize("other", sc.OBJECTS)
@pytest.mark.parametrize("kind", sc.OBJECTS)
def test_checkpoint_of_another_sampler(kind, other, other_range, tmp_path):
    saved = sc.sampler(kind, V)
    saved.sample(3, LABELS)
    path = tf.train.Checkpoint(sampler=saved, step=tf.Variable(5)).write(str(tmp_path / "ckpt"))
    live, step = sc.sampler(other, other_range), tf.Variable(1)
    live.sample(2, [[other_range - 1]])
    state = state_of(live)
    checkpoint = tf.train.Checkpoint(sampler=live, step=step)
    if kind == other and other_range == V:
        checkpoint.read(path).assert_consumed()
        assert_state(live, state_of(saved))
        return
    name, other_name = kind.replace("_", "-"), other.replace("_", "-")
    message = f"{name} sampler of range {V}.* {other_name} sampler of range {other_range}"
    sc.refused(message, checkpoint.read, path)
    assert_state(live, state)
    assert int(step) == 1
    sample = live.sample(3, LABELS)
    assert len(set(sample.sampled_candidates.numpy())) == 3


# Rows.


@pytest.mark.parametrize("kind", sc.OBJECTS)
@pytest.mark.parametrize(
    "num_sampled, labels, exclude, message",
    [
        ([2], None, True, "exclude_true needs true_classes, got None"),
        ([2, 1], [[1]], True, "true_classes must have a row for each .*num_sampled, 2, got 1"),
        ([2], [[1], [2]], False, "true_classes must have a row for each .*num_sampled, 1, got 2"),
        ([2, 1], [1, 2, 3], True, "true_classes must have a row for each .*num_sampled, 2, got 3"),
        ([2, -1], None, False, r"num_sampled\[1\] must not be negative.*, got -1"),
        ([-(2**63)], None, False, rf"num_sampled\[0\] must not be negative.*, got -{2**63}"),
        ([2**40, 2**40, 3], None, False, rf"num_sampled\[1\] .*sum at most .*, got {2**40}"),
        ([2**63 - 1], None, False, rf"num_sampled\[0\] .*sum at most .*, got {2**63 - 1}"),
        ([1, V + 1], None, False, rf"num_sampled\[1\] must be at most {V}, .*, got {V + 1}"),
        (
            [1, 8],
            [[1, 1], [2, 2, 3, 3, 4]],
            True,
            r"num_sampled\[1\] must be at most 7, .*true classes, got 8",
        ),
        ([1], [list(range(V))], True, r"num_sampled\[0\] must be at most 0, .*, got 1"),
        ([1], [[V]], False, rf"true_classes .*out of range \[0, {V}\), received {V}"),
        ([1], [[-1]], True, rf"true_classes .*out of range \[0, {V}\), received -1"),
        ([1.0], None, False, "num_sampled must be of an integer type, got float64"),
        (["1"], None, False, "num_sampled must be of an integer type, got string"),
        (np.array([True]), None, False, "num_sampled must be of an integer type, got bool"),
        (3, None, False, r"num_sampled must be a vector \[B\], got shape \(\)"),
        ([[3]], None, False, r"num_sampled must be a vector \[B\], got shape \(1, 1\)"),
        ([1], np.array([[1.5]]), False, "true_classes must be of an integer type, got float64"),
        ([1], [[1.5]], False, r"true_classes\[0\] must be of an integer type, got float64"),
        ([1], 1, False, "true_classes must have shape .*, got"),
        ([1], [[[1]]], False, r"true_classes\[0\] must have .*, got"),
    ],
    ids=lambda x: str(x)[:30],
)
def test_rows(kind, num_sampled, labels, exclude, message):
    sampler = sc.sampler(kind, V)
    if isinstance(labels, list) and labels and isinstance(labels[0], list) and len(labels) > 1:
        labels = tf.ragged.constant(labels, dtype=tf.int64)
    counts = state_of(sampler)[1:]
    sc.refused(message, sampler.sample_ragged, num_sampled, labels, exclude)
    for got, want in zip(state_of(sampler)[1:], counts, strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("kind", sc.OBJECTS)
def test_all_classes_excluded_without_unique(kind):
    sampler = sc.sampler(kind, V, unique=False)
    labels = tf.ragged.constant([[0], list(range(V))])
    message = r"num_sampled\[1\] must be at most 0, .*classes.*, got 1"
    sc.refused(message, sampler.sample_ragged, [5, 1], labels, True)
    assert sampler.sample_ragged([5, 0], labels, True).candidates.row_lengths().numpy().max() == 5


def test_excluded_classes_with_all_weight():
    sampler = tfcs.FixedUnigramSampler([0.0, 1.0, 0.0, 2.0])
    sc.refused("must be at most 0, .*got 1", sampler.sample_ragged, [1], [[1, 3]], True)
    sc.refused("must be at most 1, .*got 2", sampler.sample_ragged, [2], [[0, 2, 3]], True)
    assert sampler.sample_ragged([1], [[0, 2, 3]], True).candidates.to_list() == [[1]]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", sc.OBJECTS)
def test_num_sampled_of_rows_is_no_vector(kind, mode):
    sampler = sc.sampler(kind, V)
    for bad in (3, [[3]]):
        message = "num_sampled must be a vector.*, got shape"
        sc.refused(message, in_mode, mode, sampler.sample_ragged, tf.constant(bad, tf.int64))


@pytest.mark.parametrize("splits", [[], [1, 2], [0, 3], [0, 1], [0, 3, 2], [0, -1, 2]], ids=str)
@pytest.mark.parametrize("kind", sc.OBJECTS)
def test_row_splits(kind, splits):
    labels = tf.RaggedTensor.from_row_splits(
        tf.constant([1, 2]), tf.constant(splits, tf.int64), validate=False
    )
    sampler = sc.sampler(kind, V)
    message = "true_classes: row splits must"
    sc.refused(message, sampler.sample_ragged, [1] * (len(splits) - 1), labels, True)


# Probabilities and updates.


@pytest.mark.parametrize("bad", [V, -1, 2**40, -(2**63)])
@pytest.mark.parametrize("kind", sc.OBJECTS)
def test_probability(kind, bad):
    sampler = sc.sampler(kind, V)
    message = rf"ids .*out of range \[0, {V}\), received {bad}"
    sc.refused(message, sampler.probability, [[0, bad]])
    sc.refused("ids must be of an integer type, got float64", sampler.probability, [1.0])
    assert sampler.probability(tf.zeros([0, 3], tf.int32)).shape == [0, 3]


@pytest.mark.parametrize("mode", ["eager", "function"])
def test_nothing_of_a_refused_update_is_counted(mode):
    sampler = tfcs.LearnedUnigramSampler(V)
    wrap = tf.function if mode == "function" else lambda function: function
    update, sample = wrap(sampler.update), wrap(lambda labels: sampler.sample(3, labels))
    rows = wrap(lambda labels: sampler.sample_ragged([1, 1], labels))
    update(tf.constant([1, 1, 3]))
    for bad in (V, -1, 2**62):
        text = rf"out of range \[0, {V}\), received {bad}"
        sc.refused(f"(^| )classes .*{text}", update, tf.constant([2, 2, bad], tf.int64))
        labels = tf.constant([[5], [bad]], tf.int64)
        sc.refused(f"true_classes .*{text}", sample, labels)
        sc.refused(f"true_classes .*{text}", rows, labels)
    for bad in ([1.0], ["a"], np.array([True])):
        sc.refused("classes must be of an integer type, got", sampler.update, bad, errors=TypeError)
    np.testing.assert_array_equal(sampler.counts, [0, 2, 0, 1] + [0] * 6)
    np.testing.assert_allclose(sampler.probability([0, 1, 3]), np.array([1, 3, 2]) / 13)


def test_sampler_of_the_learned_function():
    sampler = tfcs.LearnedUnigramSampler(V)

    def sample(**options):
        return call("learned_unigram", **options)

    message = f"range_max must be that of sampler, {V}, got 11"
    sc.refused(message, sample, sampler=sampler, range_max=11, errors=ValueError)
    message = "seed must be None where sampler is given, got 4"
    sc.refused(message, sample, sampler=sampler, seed=4, errors=ValueError)
    for bad in (tfcs.UniformSampler(V), "sampler", tfcs.LearnedUnigramSampler):
        message = "sampler must be a LearnedUnigramSampler, got"
        sc.refused(message, sample, sampler=bad, errors=TypeError)
    sc.refused("Sampler's range is too small", sample, sampler=sampler, num_sampled=11)
    assert not sampler.counts.numpy().any()
    sample(sampler=sampler)
    assert sampler.counts.numpy().sum() == 2


# Raw ops: what the Python functions never do.

STREAM = tf.constant([0, 1, 2], tf.int64)
NONE = tf.zeros([0, 1], tf.int64)
OPS = {
    "uniform": ("stateless_uniform", {"range_max": V}),
    "log_uniform": ("stateless_log_uniform", {"range_max": V}),
    "fixed_unigram": ("fixed_unigram", {}),
    "learned_unigram": ("learned_unigram", {}),
}


def int64(value):
    return tf.constant(value, tf.int64)


def raw_op(kind, what, **changes):
    """A kind's raw op, "sample", "ragged_sample" or "probability", with good arguments but for the
    changes."""
    prefix, options = OPS[kind]
    prefix = kind if what == "probability" else prefix
    good = {"ids": int64([1])}
    if what != "probability":
        good = {"stream": STREAM, "unique": True, "exact": False}
    if what == "sample":
        good |= {"num_sampled": int64(2), "true_classes": NONE}
    if what == "ragged_sample":
        good |= {"num_sampled": int64([2, 1]), "true_classes": int64([1, 2])}
        good |= {"true_splits": int64([0, 1, 2]), "exclude_true": True}
    if not options:
        sampler = sc.sampler(kind, V)  # lives until the op has run
        good |= sc.state_input(sampler)
    op = getattr(ops, f"candsamp_{prefix}_{what}")
    return op(**good | options | changes)


@pytest.mark.parametrize("kind", OPS)
def test_raw_ops_without_mistake(kind):
    for what in ("sample", "ragged_sample", "probability"):
        raw_op(kind, what)


@pytest.mark.parametrize("what", ["sample", "ragged_sample"])
@pytest.mark.parametrize("stream", [[], [1], [1, 2], [1, 2, 3, 4], [[1, 2, 3]], 5], ids=str)
@pytest.mark.parametrize("kind", OPS)
def test_streams(kind, stream, what):
    message = "stream must have 3 values, got shape"
    sc.refused(message, raw_op, kind, what, stream=int64(stream))
    spec = [tf.TensorSpec(None, tf.int64)]
    function = tf.function(lambda s: raw_op(kind, what, stream=s), input_signature=spec)
    if kind in ("uniform", "log_uniform"):
        sc.refused(message, function, int64(stream))


@pytest.mark.parametrize("kind", OPS)
@pytest.mark.parametrize(
    "splits, message",
    [
        ([], "must hold at least one value, got none"),
        ([0], "must end at the number of values, 2, got 0"),
        ([0, 1, 3], "must end at the number of values, 2, got 3"),
        ([1, 1, 2], "must start at 0, got 1"),
        ([0, 3, 2], "must not decrease, got 3 then 2"),
        ([0, -(2**62), 2], "must not decrease, got 0 then -"),
        ([0, 2], "must have a row for each value of num_sampled, 2, got 1"),
        ([0, 1, 2, 2], "must have a row for each value of num_sampled, 2, got 3"),
        ([[0, 1, 2]], "must be a vector, got shape"),
        (2, "must be a vector, got shape"),
    ],
    ids=str,
)
def test_raw_splits(kind, splits, message):
    message = rf"true_(classes|splits).*{message}"
    sc.refused(message, raw_op, kind, "ragged_sample", true_splits=int64(splits))


@pytest.mark.parametrize("kind", OPS)
def test_raw_shapes(kind):
    for bad in ([], [1, 2]):
        message = "num_sampled must be a scalar, got shape"
        sc.refused(message, raw_op, kind, "sample", num_sampled=int64(bad))
    for bad in ([1], [[[1]]]):
        message = "true_classes must be a matrix, got shape"
        sc.refused(message, raw_op, kind, "sample", true_classes=int64(bad))
    for name in ("num_sampled", "true_classes"):
        message = f"{name} must be a vector, got shape"
        sc.refused(message, raw_op, kind, "ragged_sample", **{name: int64([[1, 2]])})
    message = "expected to be a int64 tensor"
    sc.refused(message, raw_op, kind, "sample", num_sampled=tf.constant(2, tf.int32))


@pytest.mark.parametrize("bad", [0, -1, -(2**63)])
@pytest.mark.parametrize("kind", ["uniform", "log_uniform"])
def test_raw_ranges(kind, bad):
    for what in ("sample", "ragged_sample", "probability"):
        message = f"range_max must be positive, got {bad}"
        sc.refused(message, raw_op, kind, what, range_max=bad)


def variable_handle(name):
    return tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=[3], shared_name=f"sampler {name}")


def destroyed_variable():
    handle = variable_handle("destroyed")
    tf.raw_ops.AssignVariableOp(resource=handle, value=tf.ones([3]))
    tf.raw_ops.DestroyResourceOp(resource=handle)
    return handle


# No sampler's variable.
BAD_HANDLES = {
    "uninitialized": lambda: variable_handle("uninitialized"),
    "destroyed": destroyed_variable,
    "hash table": lambda: tf.raw_ops.MutableHashTableV2(key_dtype=tf.int64, value_dtype=tf.int64),
    "two handles": lambda: tf.stack([tf.Variable(1.0).handle] * 2),
    "no handle": lambda: tf.zeros([3]),
    "float64": lambda: tf.Variable(tf.ones([3], tf.float64)).handle,
    "int32": lambda: tf.Variable(tf.ones([3], tf.int32)).handle,
    "string": lambda: tf.Variable(["a"]).handle,
}
HANDLE_ERRORS = (tf.errors.InvalidArgumentError, tf.errors.FailedPreconditionError)


@pytest.mark.parametrize("what", ["sample", "ragged_sample", "probability"])
@pytest.mark.parametrize("handle", BAD_HANDLES)
@pytest.mark.parametrize(
    "kind, name", [("fixed_unigram", "weights"), ("learned_unigram", "counts")]
)
def test_handles(kind, name, handle, what):
    bad = BAD_HANDLES[handle]()
    with pytest.raises(HANDLE_ERRORS):
        raw_op(kind, what, **{name: bad})
    if kind == "learned_unigram":
        with pytest.raises(HANDLE_ERRORS):
            ops.candsamp_learned_unigram_update(classes=int64([1]), counts=bad)


@pytest.mark.parametrize("what", ["sample", "ragged_sample", "probability"])
def test_variables_that_were_swapped(what):
    fixed, learned = (sc.sampler(kind, V) for kind in ("fixed_unigram", "learned_unigram"))
    for kind, changes in (
        ("fixed_unigram", {"weights": learned.counts.handle}),
        ("learned_unigram", {"counts": fixed.unigrams.handle}),
    ):
        sc.refused("weights|unigrams|counts|resource", raw_op, kind, what, **changes)


@pytest.mark.parametrize("shape", [[], [0], [2, 2]], ids=str)
@pytest.mark.parametrize("kind", ["fixed_unigram", "learned_unigram"])
def test_shape_of_a_samplers_variable(kind, shape):
    name, dtype = ("counts", tf.int64) if kind == "learned_unigram" else ("weights", tf.float32)
    variable = tf.Variable(tf.ones(shape, dtype))
    message = rf"(unigrams|counts) must be .*vector of 1 to .* shape \[{','.join(map(str, shape))}"
    for what in ("sample", "probability"):
        sc.refused(message, raw_op, kind, what, **{name: variable.handle})


def test_uninitialized_variables_are_named():
    for kind, name in (("fixed_unigram", "weights"), ("learned_unigram", "counts")):
        handle = variable_handle("uninitialized")
        error = tf.errors.FailedPreconditionError
        message = f"{name} is a variable that is not initialized"
        sc.refused(message, raw_op, kind, "sample", **{name: handle}, errors=error)


def test_raw_weights_and_files():
    def weights(unigrams, distortion=1.0, num_reserved_ids=0, num_shards=1, shard=0):
        return ops.candsamp_unigram_weights(
            unigrams=unigrams,
            distortion=distortion,
            num_reserved_ids=num_reserved_ids,
            num_shards=num_shards,
            shard=shard,
        )

    sc.refused("unigrams must be a vector, got shape", weights, [[1.0]])
    sc.refused("num_shards must be positive, got 0", weights, [1.0], num_shards=0)
    sc.refused(r"shard must be in \[0, num_shards = 1\), got -1", weights, [1.0], shard=-1)
    sc.refused(f"got {2**40 + 1}", weights, [1.0], num_reserved_ids=2**40)
    sc.refused("vocab_file must be one path", ops.candsamp_read_vocabulary, vocab_file=["a", "b"])
    sc.refused(
        r"unigrams must be .*vector of .* shape \[1,2\]",
        ops.candsamp_stateless_fixed_unigram_sample,
        stream=STREAM,
        num_sampled=int64(2),
        true_classes=NONE,
        weights=[[1.0, 2.0]],
        range_max=2,
        unique=True,
        exact=False,
    )
