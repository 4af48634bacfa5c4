# SPDX-License-Identifier: Apache-2.0
"""Names for the types of the public functions' arguments."""

import os
from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy.typing as npt
import tensorflow as tf

# Whatever converts to a dense tensor: tensors, variables, arrays, numbers, lists of these.
TensorLike: TypeAlias = tf.Tensor | tf.Variable | npt.ArrayLike

# Whatever has rows of different lengths: see `ragged_sampled_softmax_loss` for the forms.
RaggedLike: TypeAlias = (
    TensorLike
    | tf.RaggedTensor
    | tf.SparseTensor
    | tf.compat.v1.ragged.RaggedTensorValue
    | tf.compat.v1.SparseTensorValue
    | Sequence[TensorLike]
)

# A row for each class: a tensor, a variable of TensorFlow or Keras, or a list of shards.
ClassTableLike: TypeAlias = TensorLike | Sequence[TensorLike]

PathLike: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]

ExpectedCount: TypeAlias = Literal["tf", "exact"]
PartitionStrategy: TypeAlias = Literal["div", "mod"]
