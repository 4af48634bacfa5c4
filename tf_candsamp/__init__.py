"""Candidate samplers and sampled losses for TensorFlow."""

from tf_candsamp import _library  # noqa: F401  First: it says in one sentence what is missing.
from tf_candsamp._build_info import VERSION as __version__
from tf_candsamp.ragged_losses import (
    ragged_candidate_logits,
    ragged_nce_loss,
    ragged_sampled_softmax_loss,
)

__all__ = [
    "__version__",
    "ragged_candidate_logits",
    "ragged_nce_loss",
    "ragged_sampled_softmax_loss",
]
