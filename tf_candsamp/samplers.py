"""Samplers as objects: their state lives in variables, so it is shared, saved and restored."""

import base64
import secrets

import numpy as np
import tensorflow as tf

from tf_candsamp import _ragged
from tf_candsamp._devices import on_host
from tf_candsamp._keras_state import TrackedModule, serializable
from tf_candsamp._library import ops
from tf_candsamp._sampler_state import Identity, SamplerState, value_of
from tf_candsamp._sampling import (
    CandidateSample,
    RaggedCandidateSample,
    class_ids,
    count_tensor,
    integer,
    op_seeds,
    positive,
    uint64_as_int64,
    wants_exact,
)
from tf_candsamp._tables import variable_of_replica
from tf_candsamp._unigram_weights import unigram_weights

_MOST_SAMPLED = 2**40

# An odd 64-bit number: its multiples are far apart.
_REPLICA_STEP = uint64_as_int64(0x9E3779B97F4A7C15)


class Sampler(SamplerState, TrackedModule):
    """What all samplers have in common. Use one of its subclasses.

    A sampler may be used from several functions, from `tf.data`, and from several threads at once.
    Its random state is a variable that every call advances. `tf.train.Checkpoint`,
    `tf.saved_model.save` and TensorFlow 1's `Saver` save it with the rest of the model, and a
    restored sampler goes on with exactly the candidates that the saved one would have drawn. The
    state of another kind of sampler, or of another range, is refused.

    For Keras a sampler is a layer without a `call`: a layer or model that holds one, in a list or
    dict too, has its state among its `weights`, and `.keras` and `.weights.h5` files, callbacks
    and `set_weights(get_weights())` save and restore it. `get_config` and `from_config` make a
    sampler with the same arguments; copies and pickles also carry the state. Keras is here
    what `tf.keras` is.

    On a GPU (the variables' device says where) the same state gives the same candidates. There
    classes are not checked: one out of range has an expected count and a probability of NaN and is
    not counted; a row that asks for more candidates than there are beside its true classes gets -1
    for those that are missing, with an expected count of NaN.
    """

    _kind = None
    _learns = False  # whether sampling ops count true classes

    def __init__(self, range_max, *, unique=True, seed=None, name=None):
        super().__init__(name=name)
        self._range_max = range_max
        self._unique = bool(unique)
        self._seed = None if seed is None else integer("seed", seed)
        self._identity = Identity(self._kind, range_max)
        with tf.init_scope():
            key, high = op_seeds(seed)
            if key is None:
                key, high = secrets.randbits(64), secrets.randbits(64)
            state = np.array([0, uint64_as_int64(high), uint64_as_int64(key)], np.int64)
            # Not from_seed: it puts the seed into the counter, so neighbouring seeds overlap.
            self._generator = tf.random.Generator.from_state(state, alg="philox")
        self._random_state = self._generator.state

    @property
    def range_max(self):
        """The number of classes."""
        return self._range_max

    @property
    def unique(self):
        """Whether the candidates of a batch, or of a row, are all different."""
        return self._unique

    def get_config(self):
        """The arguments of a sampler like this one, for `from_config`, as JSON can hold them."""
        return {
            "range_max": self._range_max,
            "unique": self._unique,
            "seed": self._seed,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config):
        """Makes a sampler with the arguments that another one's `get_config` gave."""
        return cls(**config)

    def sample(
        self, num_sampled, true_classes=None, *, expected_count="tf", update=True, name=None
    ):
        """Draws candidates for a batch.

            sample = sampler.sample(64, labels[:, tf.newaxis])

        Args:
          num_sampled: S, how many candidates to draw. An integer, or a scalar tensor.
          true_classes: [batch_size, num_true], of any integer type, or None.
          expected_count: "tf" or "exact", see `uniform_candidate_sampler`.
          update: whether a sampler that learns counts true_classes, after it has drawn. False for
            validation; None is False, as it is for Keras's `training`. Without effect on other
            samplers.
          name: a name for the op.

        Returns:
          A `CandidateSample`: sampled_candidates int64 [S], true_expected_count float32 with the
          shape of true_classes or None, sampled_expected_count float32 [S].

        Raises:
          TypeError, ValueError: an argument of the wrong type, shape or value, as far as Python
            sees.
          tf.errors.InvalidArgumentError: true_classes out of range, num_sampled not positive, or
            too many for unique candidates.
        """
        if not tf.is_tensor(num_sampled):
            num_sampled = positive("num_sampled", num_sampled)
        if true_classes is not None:
            true_classes = class_ids("true_classes", true_classes)
            if true_classes.shape.rank not in (2, None):
                raise ValueError(
                    "true_classes must be a matrix [batch_size, num_true], got shape "
                    f"{true_classes.shape}."
                )
        return self._draw(
            num_sampled,
            true_classes,
            unique=self._unique,
            exact=wants_exact(expected_count),
            update=update,
            name=name,
        )

    def _draw(
        self,
        num_sampled,
        true_classes,
        *,
        unique,
        exact,
        update=True,
        num_true=-1,
        stream=None,
        name=None,
    ):
        """`sample` with what is checked already, and with `unique` for this call.

        `stream` takes the place of the sampler's random state, which then stays as it is.
        """
        step = num_sampled
        num_sampled = count_tensor("num_sampled", num_sampled, rank=0)
        learning = self._learning(update)
        if stream is None:
            if tf.is_tensor(step):
                # A bad number is refused by the op; the random state must not go back before that.
                with on_host():
                    step = tf.clip_by_value(num_sampled, 0, _MOST_SAMPLED)
            stream = self._advance(step)
        known = true_classes is not None
        sample = CandidateSample(
            *self._sample_op(
                stream=stream,
                num_sampled=num_sampled,
                true_classes=true_classes if known else tf.zeros([0, 1], tf.int64),
                num_true=num_true,
                unique=unique,
                exact=exact,
                name=name,
                **learning,
            )
        )
        return sample if known else sample._replace(true_expected_count=None)

    def sample_ragged(
        self,
        num_sampled,
        true_classes=None,
        exclude_true=False,
        *,
        expected_count="tf",
        update=True,
        name=None,
    ):
        """Draws candidates of their own for each row.

            sample = sampler.sample_ragged([5, 200], labels, exclude_true=True)
            loss = tfcs.ragged_sampled_softmax_loss(
                weights, biases, labels, inputs, sample.candidates,
                candidate_log_q=tf.math.log(sample.expected_count))

        Rows are independent. With `unique` the candidates of a row are different.

        Args:
          num_sampled: integers [B], how many candidates to draw for each row. May be 0.
          true_classes: [B], [B, num_true] or ragged [B, None], of any integer type, or None.
          exclude_true: draw from the distribution without the row's true classes. Expected counts
            are those of that distribution.
          expected_count: "tf" or "exact", see `uniform_candidate_sampler`.
          update: see `sample`.
          name: a name for the op.

        Returns:
          A `RaggedCandidateSample`: candidates ragged int64 [B, None], expected_count ragged
          float32 with the same splits.

        Raises:
          TypeError, ValueError: an argument of the wrong type, shape or value, as far as Python
            sees.
          tf.errors.InvalidArgumentError: true_classes out of range or of another number of rows, a
            negative number of candidates, or more than there are classes to draw from.
        """
        num_sampled = count_tensor("num_sampled", num_sampled, rank=1)
        learning = self._learning(update)
        if true_classes is not None:
            rows = _ragged.class_ids("true_classes", true_classes, vector=True)
            values, splits = rows.values, rows.splits
        elif exclude_true:
            raise ValueError("exclude_true needs true_classes, got None.")
        else:
            values = tf.zeros([0], tf.int64)
            with on_host():
                splits = tf.zeros([tf.size(num_sampled) + 1], tf.int64)
        candidates, splits, counts = self._ragged_sample_op(
            stream=self._advance(1),
            num_sampled=num_sampled,
            true_classes=values,
            true_splits=splits,
            unique=self._unique,
            exact=wants_exact(expected_count),
            exclude_true=bool(exclude_true),
            name=name,
            **learning,
        )
        return RaggedCandidateSample(
            tf.RaggedTensor.from_row_splits(candidates, splits, validate=False),
            tf.RaggedTensor.from_row_splits(counts, splits, validate=False),
        )

    def probability(self, ids, name=None):
        """The probability of classes in a single draw.

            sampler.probability([0, 1, 2])

        Args:
          ids: of any integer type and shape.
          name: a name for the op.

        Returns:
          float32, the shape of ids.

        Raises:
          tf.errors.InvalidArgumentError: ids out of range.
        """
        return self._probability_op(ids=class_ids("ids", ids), name=name)

    def _advance(self, num_sampled):
        """The random state for a call, which the next one starts behind.

        A step of the generator is 256 blocks of 128 bits; TensorFlow sets 512 aside for each
        candidate.
        """
        with on_host():
            steps = tf.cast(2 * num_sampled, tf.uint64)
        stream = self._generator.skip(steps)
        replica = tf.distribute.get_replica_context()
        if replica is not None and replica.num_replicas_in_sync > 1:
            # Replicas share the state; each draws from counters of its own.
            upper = tf.cast(replica.replica_id_in_sync_group, tf.int64) * _REPLICA_STEP
            stream += tf.stack([tf.zeros([], tf.int64), upper, tf.zeros([], tf.int64)])
        return stream

    def _state_variables(self):
        """What a sampler of this class and range has to be given to be this one."""
        return {"random_state": self._random_state}

    def _learning(self, update):
        """What sampling ops take besides, from the argument `update`."""
        if update is not None and not isinstance(update, (bool, np.bool_)):
            raise TypeError(f"update must be True or False, got {update!r}.")
        return {"update": bool(update)} if self._learns else {}

    def _sample_op(self, **arguments):
        raise NotImplementedError

    def _ragged_sample_op(self, **arguments):
        raise NotImplementedError

    def _probability_op(self, **arguments):
        raise NotImplementedError


@serializable
class UniformSampler(Sampler):
    """Draws from the uniform distribution, P(k) = 1 / range_max.

        sampler = tfcs.UniformSampler(1000, seed=1)
        sample = sampler.sample(64)

    Args:
      range_max: the number of classes.
      unique: whether the candidates of a batch, or of a row, are all different.
      seed: an op seed, see `tf.random.set_seed`. None without a global seed: another one each time.
      name: a name for the module.

    Raises:
      TypeError, ValueError: an argument of the wrong type or value.
    """

    _kind = "uniform"

    def __init__(self, range_max, *, unique=True, seed=None, name=None):
        super().__init__(positive("range_max", range_max), unique=unique, seed=seed, name=name)

    def _sample_op(self, **arguments):
        return ops.candsamp_stateless_uniform_sample(range_max=self._range_max, **arguments)

    def _ragged_sample_op(self, **arguments):
        return ops.candsamp_stateless_uniform_ragged_sample(range_max=self._range_max, **arguments)

    def _probability_op(self, **arguments):
        return ops.candsamp_uniform_probability(range_max=self._range_max, **arguments)


@serializable
class LogUniformSampler(Sampler):
    """Draws from P(k) = log((k + 2) / (k + 1)) / log(range_max + 1), Zipf's law nearly.

    For classes in descending order of frequency.

        sampler = tfcs.LogUniformSampler(50_000)
        sample = sampler.sample(64, [[3], [17]])

    Arguments and errors are those of `UniformSampler`.
    """

    _kind = "log-uniform"

    def __init__(self, range_max, *, unique=True, seed=None, name=None):
        super().__init__(positive("range_max", range_max), unique=unique, seed=seed, name=name)

    def _sample_op(self, **arguments):
        return ops.candsamp_stateless_log_uniform_sample(range_max=self._range_max, **arguments)

    def _ragged_sample_op(self, **arguments):
        return ops.candsamp_stateless_log_uniform_ragged_sample(
            range_max=self._range_max, **arguments
        )

    def _probability_op(self, **arguments):
        return ops.candsamp_log_uniform_probability(range_max=self._range_max, **arguments)


@serializable
class FixedUnigramSampler(Sampler):
    """Draws from given weights, P(k) proportional to weight[k] ** distortion.

        sampler = tfcs.FixedUnigramSampler([5.0, 0.0, 2.5])
        sampler = tfcs.FixedUnigramSampler("counts.txt", distortion=0.75)

    The weights are kept in a variable, `unigrams`. After it is assigned, draws follow the new ones.

    Args:
      unigrams: weights, a tensor, array or list, or the path of a vocabulary file: a weight in each
        line, what follows the line's last comma or the whole line; blank lines are skipped.
      distortion: weights are raised to this power.
      num_reserved_ids: ids [0, num_reserved_ids) come before those of the given weights and have
        weight 0.
      num_shards, shard: of all ids those with id % num_shards == shard are kept, as
        id // num_shards.
      unique, seed, name: see `UniformSampler`.

    Raises:
      TypeError, ValueError: an argument of the wrong type, shape or value, as far as Python sees.
      tf.errors.InvalidArgumentError: weights that are negative, not finite or all zero, or a line
        of the file that is no number.
      tf.errors.NotFoundError: there is no such file.
    """

    _kind = "fixed-unigram"

    def __init__(
        self,
        unigrams,
        *,
        distortion=1.0,
        num_reserved_ids=0,
        num_shards=1,
        shard=0,
        unique=True,
        seed=None,
        name=None,
    ):
        if unigrams is None:
            raise TypeError("unigrams must be a vector of numbers or a path, got None.")
        is_path = isinstance(unigrams, (str, bytes)) or hasattr(unigrams, "__fspath__")
        with tf.init_scope():
            if tf.executing_eagerly() and tf.is_symbolic_tensor(unigrams):
                raise ValueError(
                    "unigrams must have values when the sampler is made, got a tensor of a "
                    "tf.function: make the sampler outside of it."
                )
            weights = unigram_weights(
                None if is_path else unigrams,
                unigrams if is_path else "",
                distortion,
                num_reserved_ids,
                num_shards,
                shard,
            )
            if weights.shape[0] is None:
                raise ValueError("unigrams must have a known size, got a vector of unknown size.")
            super().__init__(weights.shape[0], unique=unique, seed=seed, name=name)
            self._unigrams = tf.Variable(weights, trainable=False, name="unigrams")

    @property
    def unigrams(self):
        """float32 [range_max], a `tf.Variable`: what classes are drawn in proportion to."""
        return self._unigrams

    def get_config(self):
        """See `Sampler.get_config`: the weights are those of now, as base64 of float32."""
        config = super().get_config()
        del config["range_max"]
        weights = value_of(self._unigrams).astype("<f4")
        return {"weights_base64": base64.b64encode(weights).decode(), **config}

    @classmethod
    def from_config(cls, config):
        """Makes a sampler with the arguments that another one's `get_config` gave."""
        config = dict(config)
        weights = np.frombuffer(base64.b64decode(config.pop("weights_base64")), "<f4")
        return cls(weights, **config)

    def _state_variables(self):
        return {**super()._state_variables(), "unigrams": self._unigrams}

    def _sample_op(self, **arguments):
        return ops.candsamp_fixed_unigram_sample(weights=_handle(self._unigrams), **arguments)

    def _ragged_sample_op(self, **arguments):
        return ops.candsamp_fixed_unigram_ragged_sample(
            weights=_handle(self._unigrams), **arguments
        )

    def _probability_op(self, **arguments):
        return ops.candsamp_fixed_unigram_probability(weights=_handle(self._unigrams), **arguments)


@serializable
class LearnedUnigramSampler(Sampler):
    """Draws by how often each class was seen, P(k) = (1 + count[k]) / sum of (1 + count).

        sampler = tfcs.LearnedUnigramSampler(50_000)
        sample = sampler.sample(64, [[3], [17]])  # drawn first, then 3 and 17 are counted
        sampler.update([5, 5])

    The counts are kept in a variable, `counts`. A draw and an update take constant time on average,
    whatever range_max is. Updates from several threads are never lost. After `counts` is assigned,
    draws follow the new ones.

    Args:
      range_max: the number of classes, less than 2^32.
      unique, seed, name: see `UniformSampler`.

    Raises:
      TypeError, ValueError: an argument of the wrong type or value.
    """

    _kind = "learned-unigram"
    _learns = True

    def __init__(self, range_max, *, unique=True, seed=None, name=None):
        range_max = positive("range_max", range_max)
        if range_max >= 2**32:
            raise ValueError(f"range_max must be less than 2^32, got {range_max}.")
        super().__init__(range_max, unique=unique, seed=seed, name=name)
        # Replicas count for themselves, and what reads or saves them gets the sum. Assigned or
        # restored from a checkpoint it is divided evenly, rounded down, as TensorFlow does.
        with tf.init_scope():
            self._counts = tf.Variable(
                lambda: tf.zeros([range_max], tf.int64),
                trainable=False,
                name="counts",
                synchronization=tf.VariableSynchronization.ON_READ,
                aggregation=tf.VariableAggregation.SUM,
            )

    @property
    def counts(self):
        """int64 [range_max], a `tf.Variable`: how often each class was counted."""
        return self._counts

    def update(self, classes, name=None):
        """Adds one to the count of each class, as often as it occurs.

            sampler.update([3, 17, 3])

        Args:
          classes: of any integer type and shape.
          name: a name for the op.

        Returns:
          The op, in TensorFlow 1's graphs; else None.

        Raises:
          tf.errors.InvalidArgumentError: classes out of range. Nothing is counted then. On a GPU
            only those are not counted, and there is no error.
        """
        op = ops.candsamp_learned_unigram_update(
            classes=class_ids("classes", classes), counts=_handle(self._counts), name=name
        )
        return None if tf.compat.v1.executing_eagerly_outside_functions() else op

    def _state_variables(self):
        return {**super()._state_variables(), "counts": self._counts}

    def _sample_op(self, **arguments):
        return ops.candsamp_learned_unigram_sample(counts=_handle(self._counts), **arguments)

    def _ragged_sample_op(self, **arguments):
        return ops.candsamp_learned_unigram_ragged_sample(counts=_handle(self._counts), **arguments)

    def _probability_op(self, **arguments):
        return ops.candsamp_learned_unigram_probability(counts=_handle(self._counts), **arguments)


def _handle(variable):
    """The handle of a variable, or of its part on this replica."""
    if isinstance(variable, tf.distribute.DistributedValues):
        variable = variable_of_replica(variable)
    # A function keeps the variables alive that it knows of. Reading this one, densely or sparsely,
    # would make it known too, but copies it.
    graph = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
    if hasattr(graph, "watch_variable"):
        graph.watch_variable(variable)
    return variable.handle


for _op in ("Uniform", "LogUniform", "FixedUnigram", "LearnedUnigram"):
    _prefix = "Stateless" if _op in ("Uniform", "LogUniform") else ""
    if not _prefix:
        tf.no_gradient(f"Candsamp>{_op}Sample")
    tf.no_gradient(f"Candsamp>{_prefix}{_op}RaggedSample")
    tf.no_gradient(f"Candsamp>{_op}Probability")
tf.no_gradient("Candsamp>LearnedUnigramUpdate")
