# SPDX-License-Identifier: Apache-2.0
"""The base class of the samplers."""

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, SupportsIndex

import tensorflow as tf

from tf_candsamp._arguments.classes import class_matrix
from tf_candsamp._arguments.ragged import class_rows
from tf_candsamp._arguments.scalars import (
    host_integers,
    integer,
    positive,
    positive_or_tensor,
    wants_exact,
    wants_update,
)
from tf_candsamp._arguments.tensors import int64_tensor
from tf_candsamp._devices import on_host
from tf_candsamp._results import CandidateSample, RaggedCandidateSample
from tf_candsamp._samplers.keras_state import TrackedModule
from tf_candsamp._samplers.random_stream import op_seeds, stream_of_generator, stream_of_seeds
from tf_candsamp._samplers.saved_state import Identity, SavedState
from tf_candsamp._types import ExpectedCount, RaggedLike, TensorLike
from tf_candsamp._variables import kept_whole

if TYPE_CHECKING:
    from typing_extensions import Self


class SamplerOps(NamedTuple):
    """The ops that draw from one kind of distribution, and that give its probabilities."""

    sample: Callable[..., Any]
    ragged_sample: Callable[..., Any]
    probability: Callable[..., Any]


class Sampler(SavedState, TrackedModule):
    """What all samplers have in common. Use one of its subclasses.

    A sampler may be used from several functions, from `tf.data`, and from several threads at once.
    Its random state is a variable that every call advances. `tf.train.Checkpoint`,
    `tf.saved_model.save` and TensorFlow 1's `Saver` save it with the rest of the model, and a
    restored sampler goes on with exactly the candidates that the saved one would have drawn. The
    state of another kind of sampler, or of another range, is refused.

    For Keras a sampler is a layer without a `call`. A layer or model that holds one, in a list or
    dict too, has its state among its `weights`: `.keras` and `.weights.h5` files, callbacks and
    `set_weights(get_weights())` save and restore it. `get_config` and `from_config` make a sampler
    with the same arguments; copies and pickles also carry the state. Keras here means `tf.keras`.

    A sampler draws where its variables are. On a GPU the same state gives the same candidates, but
    classes are not checked: one out of range has an expected count and a probability of NaN and is
    not counted. A row that asks for more candidates than there are beside its true classes gets -1
    for those that are missing, with an expected count of NaN.
    """

    _kind: ClassVar[str]  # in saved states and errors
    _ops: ClassVar[SamplerOps]
    _learns: ClassVar[bool] = False  # whether the ops that draw also count true classes

    def __init__(
        self,
        range_max: SupportsIndex,
        *,
        unique: bool = True,
        seed: SupportsIndex | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self._range_max = positive("range_max", range_max)
        self._unique = bool(unique)
        self._seed = None if seed is None else integer("seed", seed)
        self._identity = Identity(self._kind, self._range_max)
        with tf.init_scope():
            seed1, seed2 = op_seeds(self._seed)
            if seed1 is None or seed2 is None:
                seed1, seed2 = secrets.randbits(64), secrets.randbits(64)
            # Not from_seed: it puts the seed into the counter, so neighbouring seeds overlap.
            state = stream_of_seeds(seed1, seed2)
            with kept_whole():
                self._generator = tf.random.Generator.from_state(state, alg="philox")
        self._random_state = self._generator.state

    @property
    def range_max(self) -> int:
        """The number of classes."""
        return self._range_max

    @property
    def unique(self) -> bool:
        """Whether the candidates of a batch, or of a row, are all different."""
        return self._unique

    def get_config(self) -> dict[str, Any]:
        """The arguments of a sampler like this one, for `from_config`, in JSON's types."""
        return {
            "range_max": self._range_max,
            "unique": self._unique,
            "seed": self._seed,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Self":
        """Makes a sampler with the arguments that another one's `get_config` gave."""
        return cls(**config)

    def sample(
        self,
        num_sampled: SupportsIndex | tf.Tensor,
        true_classes: TensorLike | None = None,
        *,
        expected_count: ExpectedCount = "tf",
        update: bool | None = True,
        name: str | None = None,
    ) -> CandidateSample:
        """Draws candidates for a batch.

            sample = sampler.sample(64, labels[:, tf.newaxis])

        Args:
          num_sampled: S, how many candidates to draw. An integer, or a scalar tensor.
          true_classes: [batch_size, num_true], of any integer type, or None.
          expected_count: "tf" or "exact", see `uniform_candidate_sampler`.
          update: whether a sampler that learns counts true_classes, after it has drawn. Pass False
            for validation; None means False, as for Keras's `training`. It has no effect on other
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
        num_sampled = positive_or_tensor("num_sampled", num_sampled)
        if true_classes is not None:
            true_classes = class_matrix("true_classes", true_classes)
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
        num_sampled: int | tf.Tensor,
        true_classes: tf.Tensor | None,
        *,
        unique: bool,
        exact: bool,
        update: bool | None = True,
        num_true: int = -1,
        stream: tf.Tensor | None = None,
        name: str | None = None,
    ) -> CandidateSample:
        """`sample`, with arguments that are checked already and with `unique` for this call.

        `stream` takes the place of the sampler's random state, which then stays as it is.
        """
        size = host_integers("num_sampled", num_sampled, rank=0)
        learning = self._learning(update)
        if stream is None:
            step = num_sampled if isinstance(num_sampled, int) else size
            stream = stream_of_generator(self._generator, step)
        known = true_classes is not None
        drawn = tuple(
            self._ops.sample(
                stream=stream,
                num_sampled=size,
                true_classes=true_classes if known else tf.zeros([0, 1], tf.int64),
                num_true=num_true,
                unique=unique,
                exact=exact,
                name=name,
                **self._distribution(),
                **learning,
            )
        )
        drawn = self._after_drawing(drawn, known and wants_update(update))
        sample = CandidateSample(*drawn)
        return sample if known else sample._replace(true_expected_count=None)

    def sample_ragged(
        self,
        num_sampled: TensorLike,
        true_classes: RaggedLike | None = None,
        exclude_true: bool = False,
        *,
        expected_count: ExpectedCount = "tf",
        update: bool | None = True,
        name: str | None = None,
    ) -> RaggedCandidateSample:
        """Draws candidates for each row by itself.

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
        sizes = host_integers("num_sampled", num_sampled, rank=1)
        learning = self._learning(update)
        if true_classes is not None:
            rows = class_rows("true_classes", true_classes, vector=True)
            values, splits = rows.values, rows.splits
        elif exclude_true:
            raise ValueError("exclude_true needs true_classes, got None.")
        else:
            values = tf.zeros([0], tf.int64)
            with on_host():
                splits = tf.zeros([tf.size(sizes) + 1], tf.int64)
        drawn = self._ops.ragged_sample(
            stream=stream_of_generator(self._generator, 1),
            num_sampled=sizes,
            true_classes=values,
            true_splits=splits,
            unique=self._unique,
            exact=wants_exact(expected_count),
            exclude_true=bool(exclude_true),
            name=name,
            **self._distribution(),
            **learning,
        )
        counts_classes = true_classes is not None and wants_update(update)
        candidates, splits, counts = self._after_drawing(tuple(drawn), counts_classes)
        return RaggedCandidateSample(
            tf.RaggedTensor.from_row_splits(candidates, splits, validate=False),
            tf.RaggedTensor.from_row_splits(counts, splits, validate=False),
        )

    def probability(self, ids: TensorLike, name: str | None = None) -> tf.Tensor:
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
        return self._ops.probability(
            ids=int64_tensor("ids", ids), name=name, **self._distribution()
        )

    def _distribution(self) -> dict[str, Any]:
        """The ops' arguments that say what to draw from."""
        return {"range_max": self._range_max}

    def _learning(self, update: Any) -> dict[str, bool]:
        """The ops' arguments that say whether to count true classes."""
        update = wants_update(update)
        return {"update": update} if self._learns else {}

    def _after_drawing(self, drawn: Any, update: bool) -> Any:
        """What an op drew. `update`: the sampler was asked to count classes, if it learns."""
        del update
        return drawn

    def _state_variables(self) -> dict[str, tf.Variable]:
        return {"random_state": self._random_state}
