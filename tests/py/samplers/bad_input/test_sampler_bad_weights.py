# SPDX-License-Identifier: Apache-2.0
"""Fixed-unigram samplers: a mistake in weights, shards or a file is an error that names it."""

import numpy as np
import pytest
import tensorflow as tf
from calls import ERRORS, MODES, refused
from sampler_arguments import FIXED, call

import tf_candsamp as tfcs


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
    refused(message, fixed, kind, range_max=3, unigrams=[1.0] * size)
    options = {"num_reserved_ids": 5, "num_shards": 2, "shard": 1}
    message = rf"(range is 9|range_max must be).*\b{(5 + size) // 2}\b"
    refused(message, fixed, kind, range_max=9, unigrams=[1.0] * size, **options)


@pytest.mark.parametrize("size", [1, 2, 4])
def test_number_of_weights_that_is_known_when_it_runs(size):
    @tf.function(input_signature=[tf.TensorSpec([None])])
    def sample(weights):
        return fixed("stateless_fixed_unigram", range_max=3, unigrams=weights)

    refused(f"range_max must be the number of weights, {size}, got 3", sample, tf.ones([size]))


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
        refused(message, fixed, kind, range_max=3, unigrams=form(bad))


@pytest.mark.parametrize("kind", FIXED)
def test_weights_after_distortion(kind):
    weights = [0.0, 2.0, 1e30]
    message = "unigrams must .*got inf"
    refused(message, fixed, kind, range_max=3, unigrams=weights, distortion=-1.0)
    refused(message, fixed, kind, range_max=3, unigrams=weights, distortion=2.0)
    for bad in (np.nan, np.inf, 1e39):
        message = f"distortion must be finite, got {bad if bad != 1e39 else 'inf'}"
        refused(message, fixed, kind, range_max=3, unigrams=weights, distortion=bad)
    refused("distortion", fixed, kind, range_max=3, unigrams=weights, distortion="a")


@pytest.mark.parametrize("kind", FIXED)
def test_a_shard_without_weight(kind):
    options = {"unigrams": [0.0, 1.0, 0.0, 1.0], "num_shards": 2, "shard": 0}
    refused("unigrams must have a positive weight", fixed, kind, range_max=2, **options)


@pytest.mark.parametrize("kind", FIXED)
@pytest.mark.parametrize("bad", [["a", "b"], [[1.0, 2.0]], [], None, 3.0], ids=str)
def test_no_vector_of_weights(kind, bad):
    """Whatever it is, the argument is named."""
    refused("unigrams", fixed, kind, range_max=2, unigrams=bad)


@pytest.mark.parametrize("bad", [tf.constant(["a", "b"]), tf.ones([1, 2]), tf.ones([])])
@pytest.mark.parametrize("kind", FIXED)
def test_no_vector_of_weights_but_a_tensor(kind, bad):
    refused("unigrams", fixed, kind, range_max=2, unigrams=bad)


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
    errors = ERRORS + (OverflowError,)
    refused(message, fixed, kind, range_max=3, unigrams=[1.0] * 3, **bad, errors=errors)


@pytest.mark.parametrize("kind", FIXED)
def test_an_empty_shard(kind):
    options = {"unigrams": [1.0, 1.0], "num_shards": 4, "shard": 3}
    refused(r"weights.*\b0\b", fixed, kind, range_max=1, **options)


@pytest.mark.parametrize("kind", FIXED[:2])
def test_weights_from_nowhere_or_two_places(kind, tmp_path):
    refused("Must provide either vocab_file or unigrams", fixed, kind, range_max=2)
    path = tmp_path / "file"
    path.write_text("1\n2\n")
    message = "Must only provide one of vocab_file and unigrams"
    options = {"vocab_file": str(path), "unigrams": [1.0, 2.0]}
    refused(message, fixed, kind, range_max=2, **options)


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
    refused(message, fixed, kind, range_max=2, vocab_file=str(path), errors=error)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", FIXED)
def test_files_that_cannot_be_read(kind, mode, tmp_path):
    def sample(path):
        function = lambda: fixed(kind, range_max=2, vocab_file=str(path))  # noqa: E731
        return MODES[mode](function)()

    message = "vocab_file '.*none' cannot be read"
    refused(message, sample, tmp_path / "none", errors=tf.errors.NotFoundError)
    message = "vocab_file '.*' cannot be read: it is a directory"
    refused(message, sample, tmp_path, errors=tf.errors.InvalidArgumentError)
