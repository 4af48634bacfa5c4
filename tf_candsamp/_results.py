# SPDX-License-Identifier: Apache-2.0
"""What the samplers and the losses return."""

from typing import NamedTuple

import tensorflow as tf


class CandidateSample(NamedTuple):
    """Candidates drawn for a batch.

    sampled_candidates: int64 [S], class ids.
    true_expected_count: float32, the shape of true_classes: how often each true class is expected
      among the candidates. None if no true classes were given.
    sampled_expected_count: float32 [S], how often each candidate is expected among them.
    """

    sampled_candidates: tf.Tensor
    true_expected_count: tf.Tensor | None
    sampled_expected_count: tf.Tensor


class RaggedCandidateSample(NamedTuple):
    """Candidates drawn for each row.

    candidates: ragged int64 [B, None], class ids.
    expected_count: ragged float32 with the same row splits: how often each candidate is expected
      among the row's candidates.
    """

    candidates: tf.RaggedTensor
    expected_count: tf.RaggedTensor


class LossStats(NamedTuple):
    """Statistics of each row of a loss. They are constants for the gradient.

      log_sum_exp: [B], of the type of the losses: the log of the sum of exp(z) over all classes of
        the row, its labels included.
      label_is_top: bool [B], whether no class of the row has a z above that of one of its labels.
        Ties count as top. The mean is the accuracy among the candidates.

    Where a row does not count, by `mask` or `ignore_id`, they are 0 and False.
    """

    log_sum_exp: tf.Tensor
    label_is_top: tf.Tensor
