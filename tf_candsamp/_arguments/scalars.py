# SPDX-License-Identifier: Apache-2.0
"""Numbers and options."""

import numbers
import operator
from typing import Any

import numpy as np
import tensorflow as tf

from tf_candsamp._arguments.tensors import int64_tensor
from tf_candsamp._devices import on_host


def integer(name: str, value: Any) -> int:
    """An integer of at most 64 bits, from anything that is an integer."""
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        number = operator.index(value)
    except (TypeError, ValueError, AttributeError):  # the last from TensorFlow's tensors
        raise TypeError(f"{name} must be an integer, got {value!r}.") from None
    if not -(2**63) <= number < 2**63:
        raise ValueError(f"{name} must be an integer of 64 bits, got {number}.")
    return number


def positive(name: str, value: Any) -> int:
    """A positive integer."""
    number = integer(name, value)
    if number < 1:
        raise ValueError(f"{name} must be positive, got {number}.")
    return number


def fraction(name: str, value: Any) -> float:
    """A number of [0, 1]."""
    try:
        if isinstance(value, (bool, np.bool_, str, bytes)):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError, NotImplementedError):  # the last from symbolic tensors
        raise TypeError(f"{name} must be a number, got {value!r}.") from None
    if not 0 <= number <= 1:
        raise ValueError(f"{name} must be in [0, 1], got {number}.")
    return number


def positive_number(name: str, value: Any) -> float:
    """A positive number that float32 holds, from anything that is a real number."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, got {value!r}.")
    number = float(value)
    limits = np.finfo(np.float32)
    if not float(limits.tiny) <= number <= float(limits.max):
        raise ValueError(f"{name} must be positive and finite, got {value!r}.")
    return number


def boolean(name: str, value: Any) -> bool:
    """True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {value!r}.")
    return bool(value)


def positive_or_tensor(name: str, value: Any) -> int | tf.Tensor:
    """A positive integer, or a tensor, of which `host_integers` checks the type and rank."""
    return value if tf.is_tensor(value) else positive(name, value)


def host_integers(name: str, value: Any, *, rank: int) -> tf.Tensor:
    """An int64 tensor in host memory that decides sizes. The op checks its values."""
    with on_host():
        tensor = int64_tensor(name, value)
    if tensor.shape.rank not in (rank, None):
        kind = "a scalar" if rank == 0 else "a vector [B]"
        raise ValueError(f"{name} must be {kind}, got shape {tensor.shape}.")
    return tensor


def wants_exact(expected_count: Any) -> bool:
    """Whether the argument `expected_count` asks for exact expected counts."""
    if expected_count not in ("tf", "exact"):
        raise ValueError(f"expected_count must be 'tf' or 'exact', got {expected_count!r}.")
    return bool(expected_count == "exact")


def wants_update(update: Any) -> bool:
    """Whether the argument `update` asks a sampler to count true classes; None does not."""
    if update is not None and not isinstance(update, (bool, np.bool_)):
        raise TypeError(f"update must be True or False, got {update!r}.")
    return bool(update)
