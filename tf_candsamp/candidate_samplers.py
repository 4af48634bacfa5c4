# SPDX-License-Identifier: Apache-2.0
"""Drop-in replacements for TensorFlow's candidate samplers.

Uniform, log-uniform and fixed-unigram samplers return, for equal op seeds, the ids that
`tf.random.*_candidate_sampler` returns, bit for bit.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any, SupportsIndex

import numpy.typing as npt
import tensorflow as tf

from tf_candsamp._arguments.classes import class_matrix
from tf_candsamp._arguments.scalars import integer, positive, wants_exact
from tf_candsamp._arguments.tensors import int64_tensor
from tf_candsamp._arguments.unigrams import check_one_origin, list_of_weights
from tf_candsamp._library import no_gradient, ops
from tf_candsamp._results import CandidateSample
from tf_candsamp._samplers.random_stream import op_seeds, seeded_stream
from tf_candsamp._types import ExpectedCount, PathLike, TensorLike
from tf_candsamp.samplers import LearnedUnigramSampler

__all__ = [
    "all_candidate_sampler",
    "compute_accidental_hits",
    "fixed_unigram_candidate_sampler",
    "learned_unigram_candidate_sampler",
    "log_uniform_candidate_sampler",
    "uniform_candidate_sampler",
]


def uniform_candidate_sampler(
    true_classes: TensorLike,
    num_true: SupportsIndex,
    num_sampled: SupportsIndex,
    unique: bool,
    range_max: SupportsIndex,
    seed: SupportsIndex | None = None,
    name: str | None = None,
    *,
    expected_count: ExpectedCount = "tf",
) -> CandidateSample:
    """Draws candidates from the uniform distribution, P(k) = 1 / range_max.

    Takes the arguments of `tf.random.uniform_candidate_sampler` and returns, for equal op seeds,
    the same ids.

        sample = tfcs.uniform_candidate_sampler([[3], [7]], 1, 5, True, 1000, seed=1)

    Args:
      true_classes: [batch_size, num_true], of any integer type, a tensor or lists.
      num_true: the number of true classes of each example.
      num_sampled: S, how many candidates to draw for the batch.
      unique: whether all candidates are different.
      range_max: the number of classes. Ids are in [0, range_max).
      seed: an op seed. See `tf.random.set_seed`.
      name: a name for the op.
      expected_count: "tf" for TensorFlow's formula: S p without `unique`, or if S draws gave S
        different classes; otherwise 1 - (1 - p)^n after n draws. "exact", with `unique`, for the
        probability that a class is among the candidates, given when the exponential clocks of all
        other classes rang. Sums over the candidates that are weighted by the inverse of exact
        counts are unbiased. See docs/samplers.md.

    Returns:
      A `CandidateSample`: sampled_candidates int64 [S], true_expected_count float32
      [batch_size, num_true], sampled_expected_count float32 [S].

    Raises:
      TypeError, ValueError: an argument of the wrong type, shape or value, as far as Python sees.
      tf.errors.InvalidArgumentError: true_classes out of range (on a GPU an expected count of NaN
        instead), or `unique` and num_sampled above range_max.
    """
    arguments = _arguments(true_classes, num_true, num_sampled, unique, seed, name)
    op = ops.candsamp_uniform_candidate_sampler
    return _drawn(op, arguments, range_max, expected_count)


def log_uniform_candidate_sampler(
    true_classes: TensorLike,
    num_true: SupportsIndex,
    num_sampled: SupportsIndex,
    unique: bool,
    range_max: SupportsIndex,
    seed: SupportsIndex | None = None,
    name: str | None = None,
    *,
    expected_count: ExpectedCount = "tf",
) -> CandidateSample:
    """Draws candidates from P(k) = log((k + 2) / (k + 1)) / log(range_max + 1), Zipf's law nearly.

    It suits classes that are in descending order of frequency. Takes the arguments of
    `tf.random.log_uniform_candidate_sampler` and returns, for equal op seeds, the same ids.
    Arguments, results and errors are those of `uniform_candidate_sampler`.

        sample = tfcs.log_uniform_candidate_sampler([[3], [7]], 1, 5, True, 50_000, seed=1)
    """
    arguments = _arguments(true_classes, num_true, num_sampled, unique, seed, name)
    op = ops.candsamp_log_uniform_candidate_sampler
    return _drawn(op, arguments, range_max, expected_count)


def fixed_unigram_candidate_sampler(
    true_classes: TensorLike,
    num_true: SupportsIndex,
    num_sampled: SupportsIndex,
    unique: bool,
    range_max: SupportsIndex,
    vocab_file: PathLike = "",
    distortion: float = 1.0,
    num_reserved_ids: SupportsIndex = 0,
    num_shards: SupportsIndex = 1,
    shard: SupportsIndex = 0,
    unigrams: Sequence[float] | npt.ArrayLike | None = (),
    seed: SupportsIndex | None = None,
    name: str | None = None,
    *,
    expected_count: ExpectedCount = "tf",
) -> CandidateSample:
    """Draws candidates from given weights, P(k) proportional to weight[k] ** distortion.

    Takes the arguments of `tf.random.fixed_unigram_candidate_sampler` and returns, for equal op
    seeds, the same ids. As in TensorFlow the weights become an attribute of the op, which is slow
    for many classes: `FixedUnigramSampler` takes them as a tensor, and saves them.

        sample = tfcs.fixed_unigram_candidate_sampler(
            [[1]], 1, 2, True, 4, unigrams=[0.1, 0.2, 0.3, 0.4], seed=1)

    Args:
      true_classes, num_true, num_sampled, unique, seed, name, expected_count: see
        `uniform_candidate_sampler`.
      range_max: the number of weights in this shard, those of reserved ids included.
      vocab_file: a file with a weight in each line: what follows the line's last comma, or the
        whole line. Blank lines are skipped. Give either this or `unigrams`.
      distortion: weights are raised to this power.
      num_reserved_ids: ids [0, num_reserved_ids) come before those of the given weights and have
        weight 0.
      num_shards, shard: of all ids those with id % num_shards == shard are kept, as
        id // num_shards.
      unigrams: a list of weights.

    Returns:
      A `CandidateSample`, see `uniform_candidate_sampler`.

    Raises:
      TypeError, ValueError: an argument of the wrong type, shape or value, as far as Python sees.
      tf.errors.InvalidArgumentError: also for weights that are negative, not finite or all zero, a
        range_max that is not their number, a line of the file that is not a number, or `unique` and
        more candidates than classes of positive weight.
      tf.errors.NotFoundError: there is no such file.
    """
    arguments = _arguments(true_classes, num_true, num_sampled, unique, seed, name)
    weights = list_of_weights(unigrams)
    check_one_origin(len(weights) > 0, vocab_file)
    return _drawn(
        ops.candsamp_fixed_unigram_candidate_sampler,
        arguments,
        range_max,
        expected_count,
        vocab_file=vocab_file,
        distortion=distortion,
        num_reserved_ids=integer("num_reserved_ids", num_reserved_ids),
        num_shards=positive("num_shards", num_shards),
        shard=integer("shard", shard),
        unigrams=weights,
    )


def learned_unigram_candidate_sampler(
    true_classes: TensorLike,
    num_true: SupportsIndex,
    num_sampled: SupportsIndex,
    unique: bool,
    range_max: SupportsIndex,
    seed: SupportsIndex | None = None,
    name: str | None = None,
    *,
    sampler: LearnedUnigramSampler | None = None,
    expected_count: ExpectedCount = "tf",
    update: bool | None = True,
) -> CandidateSample:
    """Draws candidates by how often each class was a true class before: P(k) ~ 1 + count[k].

    Takes the arguments of `tf.random.learned_unigram_candidate_sampler` and has its distribution.
    The op draws the candidates, computes the expected counts, and then counts true_classes (unless
    `update` is False).

    Calls with equal (range_max, seed, name) share one sampler for as long as the process lives,
    whichever function they are traced in. `tf.random.set_seed` restarts the random stream, as for
    the other samplers; the counts stay. To save the counts, pass a `LearnedUnigramSampler` as
    `sampler`.

        sample = tfcs.learned_unigram_candidate_sampler([[3], [7]], 1, 5, True, 1000)

    Args:
      true_classes, num_true, num_sampled, unique, expected_count: see `uniform_candidate_sampler`.
      range_max: the number of classes. Must be that of `sampler`.
      seed: an op seed. Not together with `sampler`, which has its own.
      name: a name for the op.
      sampler: a `LearnedUnigramSampler`.
      update: whether true_classes are counted. Pass False for validation.

    Returns:
      A `CandidateSample`, see `uniform_candidate_sampler`.

    Raises:
      TypeError, ValueError: an argument of the wrong type, shape or value, as far as Python sees.
      tf.errors.InvalidArgumentError: true_classes out of range, or `unique` and num_sampled above
        range_max. Then nothing is counted.
    """
    num_true = positive("num_true", num_true)
    true_classes = class_matrix("true_classes", true_classes, num_true)
    range_max = positive("range_max", range_max)
    num_sampled = positive("num_sampled", num_sampled)
    stream = None
    if sampler is None:
        seed = None if seed is None else integer("seed", seed)
        sampler = _shared_sampler(range_max, seed, name)
        stream = seeded_stream(num_sampled, seed)
    elif not isinstance(sampler, LearnedUnigramSampler):
        raise TypeError(f"sampler must be a LearnedUnigramSampler, got {sampler!r}.")
    elif seed is not None:
        raise ValueError(f"seed must be None where sampler is given, got {seed}.")
    elif sampler.range_max != range_max:
        raise ValueError(
            f"range_max must be that of sampler, {sampler.range_max}, got {range_max}."
        )
    return sampler._draw(
        num_sampled,
        true_classes,
        num_true=num_true,
        unique=unique,
        exact=wants_exact(expected_count),
        update=update,
        stream=stream,
        name=name,
    )


_lock = threading.Lock()
_Key = tuple[int, int | None, str | None]  # range_max, seed, name
_samplers: dict[_Key, LearnedUnigramSampler] = {}  # of eager execution and functions


def _shared_sampler(range_max: int, seed: int | None, name: str | None) -> LearnedUnigramSampler:
    """The sampler that all calls with these arguments share."""
    with tf.init_scope(), _lock:
        samplers = _samplers
        if not tf.executing_eagerly():
            # TensorFlow 1: the samplers belong to the graph, and go with it.
            held = tf.compat.v1.get_collection_ref("candsamp_learned_unigram_samplers")
            if not held:
                held.append({})
            samplers = held[0]
        key = (range_max, seed, name)
        if key not in samplers:
            samplers[key] = LearnedUnigramSampler(range_max, seed=0)
        return samplers[key]


def all_candidate_sampler(
    true_classes: TensorLike,
    num_true: SupportsIndex,
    num_sampled: SupportsIndex,
    unique: bool,
    seed: SupportsIndex | None = None,
    name: str | None = None,
) -> CandidateSample:
    """Returns all classes, 0 to num_sampled - 1, each expected once. For tests.

    Takes the arguments of `tf.random.all_candidate_sampler`; `unique` and `seed` have no effect.

        sample = tfcs.all_candidate_sampler([[3], [7]], 1, 10, True)

    Returns:
      A `CandidateSample`, see `uniform_candidate_sampler`.

    Raises:
      TypeError, ValueError: an argument of the wrong type, shape or value, as far as Python sees.
      tf.errors.InvalidArgumentError: true_classes are not in [0, num_sampled).
    """
    arguments = _arguments(true_classes, num_true, num_sampled, unique, seed, name)
    return CandidateSample(*ops.candsamp_all_candidate_sampler(**arguments))


def compute_accidental_hits(
    true_classes: TensorLike,
    sampled_candidates: TensorLike,
    num_true: SupportsIndex,
    seed: SupportsIndex | None = None,
    name: str | None = None,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Finds the candidates that are true classes of an example, to be masked out of its logits.

    Takes the arguments of `tf.nn.compute_accidental_hits`. If a candidate was drawn several times,
    each of its positions is a hit; TensorFlow reports only the last.

        indices, ids, weights = tfcs.compute_accidental_hits([[1], [2]], [2, 5, 2], 1)
        # [1, 1], [0, 2], [-3.4e38, -3.4e38]

    Args:
      true_classes: [batch_size, num_true], of any integer type.
      sampled_candidates: [S], of any integer type.
      num_true: the number of true classes of each example.
      seed: has no effect.
      name: a name for the op.

    Returns:
      indices int32 [hits], rows of true_classes, ascending; ids int64 [hits], positions among
      sampled_candidates; weights float32 [hits], each -FLT_MAX. A pair comes up once for each
      column of true_classes that has the class.

    Raises:
      TypeError, ValueError, tf.errors.InvalidArgumentError: an argument of the wrong type or shape.
    """
    del seed
    num_true = positive("num_true", num_true)
    return ops.candsamp_compute_accidental_hits(
        true_classes=class_matrix("true_classes", true_classes, num_true),
        sampled_candidates=int64_tensor("sampled_candidates", sampled_candidates),
        num_true=num_true,
        name=name,
    )


def _arguments(
    true_classes: TensorLike,
    num_true: SupportsIndex,
    num_sampled: SupportsIndex,
    unique: bool,
    seed: SupportsIndex | None,
    name: str | None,
) -> dict[str, Any]:
    """What every op takes; seeds are made of the op's and the global one, as TensorFlow's are."""
    seed1, seed2 = op_seeds(seed)
    num_true = positive("num_true", num_true)
    return {
        "true_classes": class_matrix("true_classes", true_classes, num_true),
        "num_true": num_true,
        "num_sampled": positive("num_sampled", num_sampled),
        "unique": unique,
        "seed": seed1 or 0,
        "seed2": seed2 or 0,
        "name": name,
    }


def _drawn(
    op: Callable[..., Any],
    arguments: dict[str, Any],
    range_max: SupportsIndex,
    expected_count: ExpectedCount,
    **distribution: Any,
) -> CandidateSample:
    return CandidateSample(
        *op(
            range_max=positive("range_max", range_max),
            exact=wants_exact(expected_count),
            **arguments,
            **distribution,
        )
    )


no_gradient(
    "UniformCandidateSampler",
    "LogUniformCandidateSampler",
    "FixedUnigramCandidateSampler",
    "AllCandidateSampler",
    "ComputeAccidentalHits",
)
