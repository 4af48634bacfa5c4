# SPDX-License-Identifier: Apache-2.0
"""Candidate samplers and sampled losses for TensorFlow."""

import importlib
from types import ModuleType

from tf_candsamp import (
    _library,  # First: it says in one sentence what is missing.
    data,  # noqa: F401
)
from tf_candsamp._build_info import VERSION as __version__
from tf_candsamp._results import CandidateSample, LossStats, RaggedCandidateSample
from tf_candsamp._samplers.keras_state import keras_layer
from tf_candsamp.candidate_samplers import (
    all_candidate_sampler,
    compute_accidental_hits,
    fixed_unigram_candidate_sampler,
    learned_unigram_candidate_sampler,
    log_uniform_candidate_sampler,
    uniform_candidate_sampler,
)
from tf_candsamp.exact import TopK, full_softmax_loss, label_rank, top_k
from tf_candsamp.frequency_estimator import FrequencyEstimator
from tf_candsamp.in_batch_losses import in_batch_softmax_loss, mixed_softmax_loss
from tf_candsamp.ragged_losses import (
    ragged_candidate_logits,
    ragged_nce_loss,
    ragged_sampled_softmax_loss,
)
from tf_candsamp.row_optimizers import (
    row_adagrad,
    row_adam,
    row_ftrl,
    row_momentum,
    row_rmsprop,
    row_sgd,
    sum_repeated_rows,
)
from tf_candsamp.sampled_losses import gbce_positive_weight, nce_loss, sampled_softmax_loss
from tf_candsamp.samplers import (
    FixedUnigramSampler,
    LearnedUnigramSampler,
    LogUniformSampler,
    Sampler,
    UniformSampler,
)
from tf_candsamp.serving import export_scorer
from tf_candsamp.split_losses import (
    PartialSoftmax,
    merge_partial_softmax,
    partial_sampled_softmax,
    split_sampled_softmax_loss,
)
from tf_candsamp.stateless_samplers import (
    stateless_fixed_unigram_candidate_sampler,
    stateless_log_uniform_candidate_sampler,
    stateless_uniform_candidate_sampler,
)

library_path = _library.library_path

__all__ = [
    "CandidateSample",
    "FixedUnigramSampler",
    "FrequencyEstimator",
    "LearnedUnigramSampler",
    "LogUniformSampler",
    "LossStats",
    "PartialSoftmax",
    "RaggedCandidateSample",
    "Sampler",
    "TopK",
    "UniformSampler",
    "__version__",
    "all_candidate_sampler",
    "compute_accidental_hits",
    "export_scorer",
    "fixed_unigram_candidate_sampler",
    "full_softmax_loss",
    "gbce_positive_weight",
    "in_batch_softmax_loss",
    "label_rank",
    "learned_unigram_candidate_sampler",
    "library_path",
    "log_uniform_candidate_sampler",
    "merge_partial_softmax",
    "mixed_softmax_loss",
    "nce_loss",
    "partial_sampled_softmax",
    "ragged_candidate_logits",
    "ragged_nce_loss",
    "ragged_sampled_softmax_loss",
    "row_adagrad",
    "row_adam",
    "row_ftrl",
    "row_momentum",
    "row_rmsprop",
    "row_sgd",
    "sampled_softmax_loss",
    "split_sampled_softmax_loss",
    "stateless_fixed_unigram_candidate_sampler",
    "stateless_log_uniform_candidate_sampler",
    "stateless_uniform_candidate_sampler",
    "sum_repeated_rows",
    "top_k",
    "uniform_candidate_sampler",
]

if keras_layer() is not None:
    # Keras, which the samplers have imported, can then load files that name its layers.
    from tf_candsamp import keras  # noqa: F401


def __getattr__(name: str) -> ModuleType:
    """Says why there is no `keras` where there is none."""
    if name == "keras":
        return importlib.import_module("tf_candsamp.keras")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
