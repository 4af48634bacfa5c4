# SPDX-License-Identifier: Apache-2.0
"""Samplers as objects: their state lives in variables, so it is shared, saved and restored."""

import base64
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np
import tensorflow as tf

from tf_candsamp._arguments.scalars import fraction, positive
from tf_candsamp._arguments.tensors import int64_tensor
from tf_candsamp._arguments.unigrams import is_path, unigram_weights
from tf_candsamp._devices import on_host
from tf_candsamp._library import no_gradient, ops
from tf_candsamp._samplers.keras_state import serializable
from tf_candsamp._samplers.learned_state import learned_counts, step_counter
from tf_candsamp._samplers.sampler import Sampler, SamplerOps
from tf_candsamp._samplers.saved_state import value_of
from tf_candsamp._types import PathLike, TensorLike
from tf_candsamp._variables import beside, handle_of

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "FixedUnigramSampler",
    "LearnedUnigramSampler",
    "LogUniformSampler",
    "Sampler",
    "UniformSampler",
]


@serializable
class UniformSampler(Sampler):
    """Draws from the uniform distribution, P(k) = 1 / range_max.

        sampler = tfcs.UniformSampler(1000, seed=1)
        sample = sampler.sample(64)

    Args:
      range_max: the number of classes.
      unique: whether the candidates of a batch, or of a row, are all different.
      seed: an op seed, see `tf.random.set_seed`. If neither it nor a global seed is given, each
        sampler has a random one.
      name: a name for the module.

    Raises:
      TypeError, ValueError: an argument of the wrong type or value.
    """

    _kind = "uniform"
    _ops = SamplerOps(
        sample=ops.candsamp_stateless_uniform_sample,
        ragged_sample=ops.candsamp_stateless_uniform_ragged_sample,
        probability=ops.candsamp_uniform_probability,
    )


@serializable
class LogUniformSampler(Sampler):
    """Draws from P(k) = log((k + 2) / (k + 1)) / log(range_max + 1), Zipf's law nearly.

    It suits classes that are in descending order of frequency.

        sampler = tfcs.LogUniformSampler(50_000)
        sample = sampler.sample(64, [[3], [17]])

    Arguments and errors are those of `UniformSampler`.
    """

    _kind = "log-uniform"
    _ops = SamplerOps(
        sample=ops.candsamp_stateless_log_uniform_sample,
        ragged_sample=ops.candsamp_stateless_log_uniform_ragged_sample,
        probability=ops.candsamp_log_uniform_probability,
    )


@serializable
class FixedUnigramSampler(Sampler):
    """Draws from given weights, P(k) proportional to weight[k] ** distortion.

        sampler = tfcs.FixedUnigramSampler([5.0, 0.0, 2.5])
        sampler = tfcs.FixedUnigramSampler("counts.txt", distortion=0.75)

    The weights are kept in a variable, `unigrams`. After it is assigned, draws follow the new ones.

    Args:
      unigrams: weights, a tensor, array or list; or the path of a vocabulary file. Each line of it
        holds a weight: what follows the line's last comma, or the whole line. Blank lines are
        skipped.
      distortion: weights are raised to this power.
      num_reserved_ids: ids [0, num_reserved_ids) come before those of the given weights and have
        weight 0.
      num_shards, shard: of all ids those with id % num_shards == shard are kept, as
        id // num_shards.
      unique, seed, name: see `UniformSampler`.

    Raises:
      TypeError, ValueError: an argument of the wrong type, shape or value, as far as Python sees.
      tf.errors.InvalidArgumentError: weights that are negative, not finite or all zero, or a line
        of the file that is not a number.
      tf.errors.NotFoundError: there is no such file.
    """

    _kind = "fixed-unigram"
    _ops = SamplerOps(
        sample=ops.candsamp_fixed_unigram_sample,
        ragged_sample=ops.candsamp_fixed_unigram_ragged_sample,
        probability=ops.candsamp_fixed_unigram_probability,
    )

    def __init__(
        self,
        unigrams: TensorLike | PathLike,
        *,
        distortion: float = 1.0,
        num_reserved_ids: SupportsIndex = 0,
        num_shards: SupportsIndex = 1,
        shard: SupportsIndex = 0,
        unique: bool = True,
        seed: SupportsIndex | None = None,
        name: str | None = None,
    ) -> None:
        if unigrams is None:
            raise TypeError("unigrams must be a vector of numbers or a path, got None.")
        with tf.init_scope():
            if tf.executing_eagerly() and tf.is_symbolic_tensor(unigrams):
                raise ValueError(
                    "unigrams must have values when the sampler is made, got a tensor of a "
                    "tf.function: make the sampler outside of it."
                )
            weights = unigram_weights(
                None if is_path(unigrams) else unigrams,
                unigrams if is_path(unigrams) else "",
                distortion,
                num_reserved_ids,
                num_shards,
                shard,
            )
            if weights.shape[0] is None:
                raise ValueError("unigrams must have a known size, got a vector of unknown size.")
            super().__init__(weights.shape[0], unique=unique, seed=seed, name=name)
            with beside(self._random_state):
                self._unigrams = tf.Variable(weights, trainable=False, name="unigrams")

    @property
    def unigrams(self) -> tf.Variable:
        """float32 [range_max], a `tf.Variable`: classes are drawn in proportion to its values."""
        return self._unigrams

    def get_config(self) -> dict[str, Any]:
        """See `Sampler.get_config`. The weights are the present ones, as base64 of float32."""
        config = super().get_config()
        del config["range_max"]
        weights = value_of(self._unigrams).astype("<f4")
        return {"weights_base64": base64.b64encode(weights.tobytes()).decode(), **config}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Self":
        """Makes a sampler with the arguments that another one's `get_config` gave."""
        config = dict(config)
        weights = np.frombuffer(base64.b64decode(config.pop("weights_base64")), "<f4")
        return cls(weights, **config)

    def _state_variables(self) -> dict[str, tf.Variable]:
        return {**super()._state_variables(), "unigrams": self._unigrams}

    def _distribution(self) -> dict[str, Any]:
        return {"weights": handle_of(self._unigrams)}


@serializable
class LearnedUnigramSampler(Sampler):
    """Draws by how often each class was seen, P(k) proportional to (1 + count[k]) ** distortion.

        sampler = tfcs.LearnedUnigramSampler(50_000)
        sample = sampler.sample(64, [[3], [17]])  # draws first, then counts 3 and 17
        sampler.update([5, 5])

    The counts are kept in a variable, `counts`. A draw and an update take constant time on average,
    whatever range_max is. Updates from several threads are never lost. After `counts` is assigned,
    draws follow the new ones.

    Counts that are halved now and then forget: what was seen k halvings ago weighs 2^-k. So draws
    follow frequencies that change.

        sampler = tfcs.LearnedUnigramSampler(
            5, counts=[100, 50, 3, 0, 0], halve_every=1000, distortion=0.75)

    Args:
      range_max: the number of classes, less than 2^32.
      counts: the counts to begin with, integers [range_max]; None for zeros. A frozen vocabulary's
        frequencies, for example. Several replicas divide them, and the first take what is left
        over.
      halve_every: after how many steps all counts are halved, rounded down; None for never. A step
        is a call that counts classes, of `sample`, `sample_ragged` or `update`. Each replica counts
        its own. Halving takes O(range_max) time, on average over the steps that divided by
        halve_every. `halve` does it at any time.
      distortion: a number of [0, 1] to whose power 1 + count is raised: word2vec's 0.75, for
        example, draws rare classes more often. The powers are rounded to multiples of 2^-20, and
        draws follow these exactly. With 0 all classes are equal.
      unique, seed, name: see `UniformSampler`.

    Raises:
      TypeError, ValueError: an argument of the wrong type, shape or value.
      tf.errors.UnimplementedError: on drawing, a distortion other than 1 on a GPU.
    """

    _kind = "learned-unigram"
    _ops = SamplerOps(
        sample=ops.candsamp_learned_unigram_sample,
        ragged_sample=ops.candsamp_learned_unigram_ragged_sample,
        probability=ops.candsamp_learned_unigram_probability,
    )
    _learns = True
    _may_lack = frozenset({"steps"})  # of a sampler without halve_every

    def __init__(
        self,
        range_max: SupportsIndex,
        *,
        counts: TensorLike | None = None,
        halve_every: SupportsIndex | None = None,
        distortion: float = 1.0,
        unique: bool = True,
        seed: SupportsIndex | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(range_max, unique=unique, seed=seed, name=name)
        if self._range_max >= 2**32:
            raise ValueError(f"range_max must be less than 2^32, got {range_max}.")
        self._halve_every = None if halve_every is None else positive("halve_every", halve_every)
        self._distortion = fraction("distortion", distortion)
        with beside(self._random_state):
            self._counts = learned_counts(counts, self._range_max)
            if self._halve_every is not None:
                self._steps = step_counter()

    @property
    def counts(self) -> tf.Variable:
        """int64 [range_max], a `tf.Variable`: how often each class was counted."""
        return self._counts

    @property
    def halve_every(self) -> int | None:
        """After how many steps the counts are halved; None for never."""
        return self._halve_every

    @property
    def distortion(self) -> float:
        """To which power 1 + count is raised."""
        return self._distortion

    def get_config(self) -> dict[str, Any]:
        """See `Sampler.get_config`. The counts are state, not among the arguments."""
        return {
            **super().get_config(),
            "halve_every": self._halve_every,
            "distortion": self._distortion,
        }

    def update(self, classes: TensorLike, name: str | None = None) -> tf.Operation | None:
        """Adds one to the count of each class, as often as it occurs.

            sampler.update([3, 17, 3])

        Args:
          classes: of any integer type and shape.
          name: a name for the op.

        Returns:
          The op, in TensorFlow 1's graphs; else None.

        Raises:
          tf.errors.InvalidArgumentError: classes out of range. Then nothing is counted. On a GPU
            there is no error, and all but these classes are counted.
        """
        op = ops.candsamp_learned_unigram_update(
            classes=int64_tensor("classes", classes), name=name, **self._distribution()
        )
        return _in_graphs(self._step(op))

    def halve(self, name: str | None = None) -> tf.Operation | None:
        """Halves all counts, rounded down, at once for every thread.

            sampler.halve()

        It takes O(range_max) time. To make it depend on anything, call it within `tf.cond`.

        Args:
          name: a name for the op.

        Returns:
          The op, in TensorFlow 1's graphs; else None.
        """
        return _in_graphs(
            ops.candsamp_learned_unigram_halve(when=True, name=name, **self._distribution())
        )

    def _step(self, op: tf.Operation | None) -> tf.Operation | None:
        """The op that comes last in a step that has counted classes by `op`."""
        if self._halve_every is None:
            return op
        with tf.control_dependencies([] if op is None else [op]):
            with on_host():
                step = ops.candsamp_count_step(handle_of(self._steps))
                when = tf.equal(step % self._halve_every, 0)
            return ops.candsamp_learned_unigram_halve(when=when, **self._distribution())

    def _after_drawing(self, drawn: Any, update: bool) -> Any:
        if not update or self._halve_every is None:
            return drawn
        last = self._step(drawn[0].op if not tf.executing_eagerly() else None)
        with tf.control_dependencies([] if last is None else [last]):
            return tf.nest.map_structure(tf.identity, drawn)

    def _state_variables(self) -> dict[str, tf.Variable]:
        steps = {} if self._halve_every is None else {"steps": self._steps}
        return {**super()._state_variables(), "counts": self._counts, **steps}

    def _distribution(self) -> dict[str, Any]:
        return {"counts": handle_of(self._counts), "distortion": self._distortion}


def _in_graphs(op: tf.Operation | None) -> tf.Operation | None:
    """The op, for who builds a graph of TensorFlow 1."""
    return None if tf.compat.v1.executing_eagerly_outside_functions() else op


no_gradient(
    "StatelessUniformRaggedSample",
    "UniformProbability",
    "StatelessLogUniformRaggedSample",
    "LogUniformProbability",
    "FixedUnigramSample",
    "FixedUnigramRaggedSample",
    "FixedUnigramProbability",
    "LearnedUnigramSample",
    "LearnedUnigramRaggedSample",
    "LearnedUnigramProbability",
    "LearnedUnigramUpdate",
    "LearnedUnigramHalve",
    "CountStep",
)
