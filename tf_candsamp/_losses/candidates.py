# SPDX-License-Identifier: Apache-2.0
"""The candidates that all rows of a loss share: given, drawn by a sampler, or drawn by default."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, SupportsIndex

import tensorflow as tf

from tf_candsamp._arguments.classes import class_vector
from tf_candsamp._arguments.scalars import host_integers, integer, positive, wants_exact
from tf_candsamp._arguments.tensors import to_tensor
from tf_candsamp._results import CandidateSample
from tf_candsamp._types import ExpectedCount, TensorLike
from tf_candsamp.candidate_samplers import log_uniform_candidate_sampler
from tf_candsamp.samplers import Sampler


class Candidates(NamedTuple):
    """The losses' arguments of these names."""

    num_sampled: SupportsIndex | tf.Tensor
    sampled_values: CandidateSample | Sequence[TensorLike] | None
    sampler: Sampler | None
    seed: SupportsIndex | None
    expected_count: ExpectedCount
    update: bool | None

    def num_classes(self, num_classes: SupportsIndex | tf.Tensor | None) -> int:
        """The op's attribute num_classes; -1 if it is known at run time only, or not given."""
        if self.sampled_values is not None:
            return -1 if num_classes is None else _attribute("num_classes", num_classes, positive)
        try:
            return positive("num_classes", num_classes)
        except TypeError as error:
            raise TypeError(
                f"{error} It may be a tensor or None where sampled_values are given: to draw "
                "candidates it must be known."
            ) from None

    def arguments(
        self,
        labels: tf.Tensor,
        num_classes: int,
        num_true: int,
        count_type: tf.DType,
        *,
        counted: bool = True,
    ) -> dict[str, Any]:
        """What a loss op takes of the candidates; expected counts are of type `count_type`.

        Unless they are `counted`, all expected counts are 1.
        """
        num_sampled = _attribute("num_sampled", self.num_sampled, integer)
        ids, true_count, sampled_count = self._given_or_drawn(labels, num_classes, num_true)
        ids = class_vector("sampled_candidates", ids)
        if not counted:
            true_count = sampled_count = tf.ones([], count_type)
        size = ids.shape[0] if ids.shape.rank else None
        if num_sampled != size and size is not None and not tf.is_tensor(self.num_sampled):
            raise ValueError(
                f"sampled_values must hold num_sampled = {num_sampled} candidates, got {size}."
            )
        return {
            "num_sampled": num_sampled,
            "sampled_candidates": ids,
            "true_expected_count": _expected_count(
                "true_expected_count", true_count, "labels", labels, count_type
            ),
            "sampled_expected_count": _expected_count(
                "sampled_expected_count", sampled_count, "sampled_candidates", ids, count_type
            ),
        }

    def _given_or_drawn(
        self, labels: tf.Tensor, num_classes: int, num_true: int
    ) -> CandidateSample | tuple[TensorLike, TensorLike | None, TensorLike]:
        """Candidates, and the expected counts of labels and candidates."""
        exact = wants_exact(self.expected_count)
        if self.sampler is not None:
            return self._drawn_by(self.sampler, labels, num_classes)
        if self.sampled_values is None:
            return log_uniform_candidate_sampler(
                labels,
                num_true,
                self.num_sampled,
                True,
                num_classes,
                seed=self.seed,
                expected_count=self.expected_count,
            )
        if exact:
            raise ValueError(
                "expected_count must be 'tf' where sampled_values are given, for they hold the "
                f"counts, got {self.expected_count!r}."
            )
        try:
            ids, true_count, sampled_count = self.sampled_values
        except (TypeError, ValueError):
            raise TypeError(
                "sampled_values must be a tuple (sampled_candidates, true_expected_count, "
                f"sampled_expected_count), got {self.sampled_values!r}."
            ) from None
        return ids, true_count, sampled_count

    def _drawn_by(self, sampler: Sampler, labels: tf.Tensor, num_classes: int) -> CandidateSample:
        if not isinstance(sampler, Sampler):
            raise TypeError(
                f"sampler must be one of tf_candsamp's sampler objects, got {sampler!r}."
            )
        if self.sampled_values is not None:
            raise ValueError("Only one of sampler and sampled_values may be given, got both.")
        if self.seed is not None:
            raise ValueError(f"seed must be None where sampler is given, got {self.seed}.")
        if sampler.range_max != num_classes:
            raise ValueError(
                f"sampler must draw from num_classes = {num_classes} classes, got one with "
                f"range_max {sampler.range_max}."
            )
        return sampler.sample(
            self.num_sampled, labels, expected_count=self.expected_count, update=self.update
        )


def _attribute(name: str, value: Any, check: Callable[[str, Any], int]) -> int:
    """check(name, value) for an attribute of the op; -1 for a tensor, known at run time only."""
    if not tf.is_tensor(value):
        return check(name, value)
    host_integers(name, value, rank=0)
    return -1


def _expected_count(
    name: str, count: Any, of: str, classes: tf.Tensor, dtype: tf.DType
) -> tf.Tensor:
    """Expected counts of `classes`, of their shape or one that broadcasts to it."""
    if count is None:
        raise TypeError(f"{name} must be a tensor, got None.")
    count = to_tensor(name, count, dtype)
    if not count.dtype.is_floating:
        raise TypeError(f"{name} must be a float type, got {count.dtype.name}.")
    try:
        fits = tf.broadcast_static_shape(count.shape, classes.shape).is_compatible_with(
            classes.shape
        )
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"{name} must have the shape of {of}, {classes.shape}, or broadcast to it, got "
            f"{count.shape}."
        )
    return tf.cast(count, dtype)
