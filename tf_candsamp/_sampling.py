"""What the samplers share: their results, and the checks of their arguments."""

import collections
import operator

import numpy as np
import tensorflow as tf

from tf_candsamp._devices import on_host
from tf_candsamp._tensors import class_ids

CandidateSample = collections.namedtuple(
    "CandidateSample", "sampled_candidates true_expected_count sampled_expected_count"
)
CandidateSample.__doc__ = """Candidates drawn for a batch.

sampled_candidates: int64 [S], class ids.
true_expected_count: float32, the shape of true_classes: how often each true class is expected among
  the candidates. None where no true classes were given.
sampled_expected_count: float32 [S], the same of each candidate.
"""

RaggedCandidateSample = collections.namedtuple("RaggedCandidateSample", "candidates expected_count")
RaggedCandidateSample.__doc__ = """Candidates drawn for each row.

candidates: ragged int64 [B, None], class ids.
expected_count: ragged float32 with the same row splits: how often each candidate is expected among
  the row's candidates.
"""


def positive(name, value):
    """A positive integer, from anything that is an integer."""
    number = integer(name, value)
    if number < 1:
        raise ValueError(f"{name} must be positive, got {number}.")
    return number


def integer(name, value):
    """An integer of at most 64 bits."""
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        number = operator.index(value)
    except (TypeError, ValueError, AttributeError):  # the last from TensorFlow's tensors
        raise TypeError(f"{name} must be an integer, got {value!r}.") from None
    if not -(2**63) <= number < 2**63:
        raise ValueError(f"{name} must be an integer of 64 bits, got {number}.")
    return number


def op_seeds(seed):
    """An op's two seeds, of its own and the global one. None, None: they are to be random."""
    return tf.compat.v1.get_seed(None if seed is None else integer("seed", seed))


def count_tensor(name, value, rank):
    """An int64 tensor of numbers of samples, whose values the op checks."""
    with on_host():
        tensor = class_ids(name, value)
    if tensor.shape.rank not in (rank, None):
        kind = "a scalar" if rank == 0 else "a vector [B]"
        raise ValueError(f"{name} must be {kind}, got shape {tensor.shape}.")
    return tensor


def wants_exact(expected_count):
    """Whether the argument `expected_count` asks for exact counts."""
    if expected_count not in ("tf", "exact"):
        raise ValueError(f"expected_count must be 'tf' or 'exact', got {expected_count!r}.")
    return expected_count == "exact"


def uint64_as_int64(value):
    """The int64 with the bits of an integer's lowest 64."""
    value &= 2**64 - 1
    return value - 2**64 if value >= 2**63 else value
