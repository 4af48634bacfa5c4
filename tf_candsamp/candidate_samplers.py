"""Drop-in replacements for TensorFlow's candidate samplers.

Uniform, log-uniform and fixed-unigram samplers return, for equal op seeds, the ids that
`tf.random.*_candidate_sampler` returns, bit for bit.
"""

import threading

import numpy as np
import tensorflow as tf

from tf_candsamp._devices import on_host
from tf_candsamp._library import ops
from tf_candsamp._sampling import (
    CandidateSample,
    class_ids,
    count_tensor,
    integer,
    op_seeds,
    positive,
    uint64_as_int64,
    wants_exact,
)
from tf_candsamp._tensors import check_dense
from tf_candsamp.samplers import LearnedUnigramSampler


def _matrix(true_classes):
    true_classes = class_ids("true_classes", true_classes)
    if true_classes.shape.rank not in (2, None):
        raise ValueError(
            f"true_classes must be a matrix [batch_size, num_true], got shape {true_classes.shape}."
        )
    return true_classes


def _arguments(true_classes, num_true, num_sampled, unique, seed):
    """What every op takes; seeds are made of the op's and the global one, as TensorFlow's are."""
    seed1, seed2 = op_seeds(seed)
    return {
        "true_classes": _matrix(true_classes),
        "num_true": positive("num_true", num_true),
        "num_sampled": positive("num_sampled", num_sampled),
        "unique": unique,
        "seed": seed1 or 0,
        "seed2": seed2 or 0,
    }


def _weights(unigrams):
    """A list of floats; None, which TensorFlow takes, is an empty one."""
    if unigrams is None:
        return []
    check_dense("unigrams", unigrams)
    try:
        weights = np.asarray(unigrams, np.float32)
    except (TypeError, ValueError, NotImplementedError) as error:  # the last from symbolic tensors
        raise TypeError(f"unigrams must be a list of numbers: {error}") from None
    if weights.ndim != 1:
        raise ValueError(f"unigrams must be a list of numbers, got shape {weights.shape}.")
    return weights.tolist()


def uniform_candidate_sampler(
    true_classes,
    num_true,
    num_sampled,
    unique,
    range_max,
    seed=None,
    name=None,
    *,
    expected_count="tf",
):
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
      expected_count: "tf" for TensorFlow's formula: S p without `unique`, or where S draws gave S
        different classes; else 1 - (1 - p)^n when n draws were made. "exact", with `unique`, makes
        sums over the candidates weighted by the inverse of their expected counts unbiased: it is
        the probability that a class is among the candidates given when the others' exponential
        clocks rang. See docs/samplers.md.

    Returns:
      A `CandidateSample`: sampled_candidates int64 [S], true_expected_count float32
      [batch_size, num_true], sampled_expected_count float32 [S].

    Raises:
      TypeError, ValueError: an argument of the wrong type, shape or value, as far as Python sees.
      tf.errors.InvalidArgumentError: true_classes out of range (on a GPU an expected count of NaN
        instead), or `unique` and num_sampled above range_max.
    """
    return CandidateSample(
        *ops.candsamp_uniform_candidate_sampler(
            **_arguments(true_classes, num_true, num_sampled, unique, seed),
            range_max=positive("range_max", range_max),
            exact=wants_exact(expected_count),
            name=name,
        )
    )


def log_uniform_candidate_sampler(
    true_classes,
    num_true,
    num_sampled,
    unique,
    range_max,
    seed=None,
    name=None,
    *,
    expected_count="tf",
):
    """Draws candidates from P(k) = log((k + 2) / (k + 1)) / log(range_max + 1), Zipf's law nearly.

    For classes in descending order of frequency. Takes the arguments of
    `tf.random.log_uniform_candidate_sampler` and returns, for equal op seeds, the same ids.
    Arguments, results and errors are those of `uniform_candidate_sampler`.

        sample = tfcs.log_uniform_candidate_sampler([[3], [7]], 1, 5, True, 50_000, seed=1)
    """
    return CandidateSample(
        *ops.candsamp_log_uniform_candidate_sampler(
            **_arguments(true_classes, num_true, num_sampled, unique, seed),
            range_max=positive("range_max", range_max),
            exact=wants_exact(expected_count),
            name=name,
        )
    )


def fixed_unigram_candidate_sampler(
    true_classes,
    num_true,
    num_sampled,
    unique,
    range_max,
    vocab_file="",
    distortion=1.0,
    num_reserved_ids=0,
    num_shards=1,
    shard=0,
    unigrams=(),
    seed=None,
    name=None,
    *,
    expected_count="tf",
):
    """Draws candidates from given weights, P(k) proportional to weight[k] ** distortion.

    Takes the arguments of `tf.random.fixed_unigram_candidate_sampler` and returns, for equal op
    seeds, the same ids. The weights become an attribute of the op, as in TensorFlow, which is slow
    for many classes: `FixedUnigramSampler` takes them as a tensor, and saves them.

        sample = tfcs.fixed_unigram_candidate_sampler(
            [[1]], 1, 2, True, 4, unigrams=[0.1, 0.2, 0.3, 0.4], seed=1)

    Args:
      true_classes, num_true, num_sampled, unique, seed, name, expected_count: see
        `uniform_candidate_sampler`.
      range_max: the number of weights in this shard, those of reserved ids included.
      vocab_file: a file with a weight in each line: what follows the line's last comma, or the
        whole line. Blank lines are skipped. Either this or `unigrams`.
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
        range_max that is not their number, a line of the file that is no number, or `unique` and
        more candidates than classes of positive weight.
      tf.errors.NotFoundError: there is no such file.
    """
    return CandidateSample(
        *ops.candsamp_fixed_unigram_candidate_sampler(
            **_arguments(true_classes, num_true, num_sampled, unique, seed),
            range_max=positive("range_max", range_max),
            vocab_file=vocab_file,
            distortion=distortion,
            num_reserved_ids=integer("num_reserved_ids", num_reserved_ids),
            num_shards=positive("num_shards", num_shards),
            shard=integer("shard", shard),
            unigrams=_weights(unigrams),
            exact=wants_exact(expected_count),
            name=name,
        )
    )


def learned_unigram_candidate_sampler(
    true_classes,
    num_true,
    num_sampled,
    unique,
    range_max,
    seed=None,
    name=None,
    *,
    sampler=None,
    expected_count="tf",
    update=True,
):
    """Draws candidates by how often each class was a true class before: P(k) ~ 1 + count[k].

    Takes the arguments of `tf.random.learned_unigram_candidate_sampler` and has its distribution:
    the candidates are drawn and expected counts computed first, then true_classes are counted
    (unless `update` is False).
    Calls with equal (range_max, seed, name) share one sampler for as long as the process lives,
    whichever function they are traced in. `tf.random.set_seed` starts the random stream anew, as
    that of the other samplers; what was counted stays. `sampler` hands over a
    `LearnedUnigramSampler` instead, which can be saved.

        sample = tfcs.learned_unigram_candidate_sampler([[3], [7]], 1, 5, True, 1000)

    Args:
      true_classes, num_true, num_sampled, unique, expected_count: see `uniform_candidate_sampler`.
      range_max: the number of classes. Must be that of `sampler`.
      seed: an op seed. Not together with `sampler`, which has its own.
      name: a name for the op.
      sampler: a `LearnedUnigramSampler`.
      update: whether true_classes are counted. False where a model is validated.

    Returns:
      A `CandidateSample`, see `uniform_candidate_sampler`.

    Raises:
      TypeError, ValueError: an argument of the wrong type, shape or value, as far as Python sees.
      tf.errors.InvalidArgumentError: true_classes out of range, or `unique` and num_sampled above
        range_max. Nothing is counted then.
    """
    true_classes = _matrix(true_classes)
    num_true = positive("num_true", num_true)
    if true_classes.shape.rank == 2 and true_classes.shape[1] not in (num_true, None):
        raise ValueError(
            f"true_classes must have num_true columns, {num_true}, got shape {true_classes.shape}."
        )
    range_max = positive("range_max", range_max)
    num_sampled = positive("num_sampled", num_sampled)
    stream = None
    if sampler is None:
        seed = None if seed is None else integer("seed", seed)
        sampler = _shared_sampler(range_max, seed, name)
        stream = _seeded_stream(num_sampled, seed)
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


def _seeded_stream(num_sampled, seed):
    """A stream like those of the other functions: `tf.random.set_seed` starts it anew."""
    seed1, seed2 = op_seeds(seed)
    if tf.executing_eagerly() and seed is None and seed1 is not None:
        # The global seed gives each call seeds of its own: the kernel, which TensorFlow would keep,
        # would never be used again.
        return tf.constant([0, uint64_as_int64(seed2), uint64_as_int64(seed1)], tf.int64)
    with on_host():
        return ops.candsamp_reserve_stream(
            count_tensor("num_sampled", num_sampled, rank=0), seed=seed1 or 0, seed2=seed2 or 0
        )


_lock = threading.Lock()
_samplers = {}  # of eager execution and functions


def _shared_sampler(range_max, seed, name):
    """The sampler whose counts are those of all calls with these arguments."""
    with tf.init_scope(), _lock:
        samplers = _samplers
        if not tf.executing_eagerly():
            # TensorFlow 1: they belong to the graph, and go with it.
            held = tf.compat.v1.get_collection_ref("candsamp_learned_unigram_samplers")
            if not held:
                held.append({})
            samplers = held[0]
        key = (range_max, seed, name)
        if key not in samplers:
            samplers[key] = LearnedUnigramSampler(range_max, seed=0)
        return samplers[key]


def all_candidate_sampler(true_classes, num_true, num_sampled, unique, seed=None, name=None):
    """All classes, 0 to num_sampled - 1, each expected once. For tests.

    Takes the arguments of `tf.random.all_candidate_sampler`; `unique` and `seed` have no effect.

        sample = tfcs.all_candidate_sampler([[3], [7]], 1, 10, True)

    Returns:
      A `CandidateSample`, see `uniform_candidate_sampler`.

    Raises:
      TypeError, ValueError: an argument of the wrong type, shape or value, as far as Python sees.
      tf.errors.InvalidArgumentError: true_classes are not in [0, num_sampled).
    """
    return CandidateSample(
        *ops.candsamp_all_candidate_sampler(
            **_arguments(true_classes, num_true, num_sampled, unique, seed),
            name=name,
        )
    )


def compute_accidental_hits(true_classes, sampled_candidates, num_true, seed=None, name=None):
    """Finds the candidates that are true classes of an example, to be masked out of its logits.

    Takes the arguments of `tf.nn.compute_accidental_hits`. Where a candidate was drawn several
    times, every position of it is a hit (TensorFlow reports the last).

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
    return ops.candsamp_compute_accidental_hits(
        true_classes=_matrix(true_classes),
        sampled_candidates=class_ids("sampled_candidates", sampled_candidates),
        num_true=positive("num_true", num_true),
        name=name,
    )


for _op in (
    "UniformCandidateSampler",
    "LogUniformCandidateSampler",
    "FixedUnigramCandidateSampler",
    "AllCandidateSampler",
    "ComputeAccidentalHits",
    "ReserveStream",
):
    tf.no_gradient("Candsamp>" + _op)
