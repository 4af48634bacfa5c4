# SPDX-License-Identifier: Apache-2.0
"""What all losses take: class tables, and the inputs that are scored against their rows."""

from typing import Any, NamedTuple

import tensorflow as tf

from tf_candsamp._arguments.tables import (
    ClassTable,
    can_be_read_in_place,
    check_partition,
    open_table,
    take_apart,
)
from tf_candsamp._arguments.tensors import to_tensor
from tf_candsamp._library import ops
from tf_candsamp._types import ClassTableLike, PartitionStrategy, TensorLike

_HALF_TYPES = (tf.bfloat16, tf.float16)
_INPUT_TYPES = (tf.float32, tf.float64, *_HALF_TYPES)


class LossInputs(NamedTuple):
    """Class tables, and inputs [B, D] of a type that goes with theirs.

    in_place: whether ops read variables of the tables by their handles. Otherwise they lie
      elsewhere: see `fetch_rows`.
    """

    weights: ClassTable
    biases: ClassTable
    inputs: tf.Tensor
    in_place: bool = True

    def sum_type(self) -> tf.DType:
        """The type in which the ops sum products."""
        return tf.float64 if self.inputs.dtype == tf.float64 else tf.float32

    def has_variable(self) -> bool:
        """Whether any table is a variable, which an op takes by its handle."""
        return self.weights.has_variable or self.biases.has_variable

    def call(self, op_name: str, **arguments: Any) -> Any:
        """Calls an op on these inputs: the one that takes handles if any table is a variable."""
        weights, biases, inputs, _ = self
        resource = "resource_" if self.has_variable() else ""
        int64 = tf.int64 in (weights.shape_dtype, biases.shape_dtype)
        return getattr(ops, f"candsamp_{resource}{op_name}")(
            weights=weights.entries,
            biases=biases.entries,
            inputs=inputs,
            W=weights.dtype,
            Tshape=tf.int64 if int64 else tf.int32,
            **arguments,
        )


def loss_inputs(
    weights: ClassTableLike,
    biases: ClassTableLike | None,
    inputs: TensorLike,
    partition_strategy: PartitionStrategy = "div",
) -> LossInputs:
    """The first three arguments, with their types checked."""
    if weights is None:
        raise ValueError("weights must be a table of classes, got None.")
    of_weights, of_biases = take_apart("weights", weights), take_apart("biases", biases)
    check_partition(partition_strategy, of_weights, of_biases)
    in_place = can_be_read_in_place(of_weights, of_biases)
    weight_table = open_table(of_weights, rank=2, in_place=in_place)
    weight_type = weight_table.dtype
    bias_table = open_table(of_biases, rank=1, dtype=weight_type, in_place=in_place)
    inputs = to_tensor("inputs", inputs, weight_type)
    input_type = inputs.dtype
    if input_type not in _INPUT_TYPES:
        raise TypeError(
            f"inputs must be float32, float64, bfloat16 or float16, got {input_type.name}."
        )
    half = input_type in _HALF_TYPES
    if weight_type != input_type and not (half and weight_type == tf.float32):
        expected = input_type.name + (" or float32" if half else "")
        raise TypeError(
            f"weights must be of type {expected} for inputs of type {input_type.name}, got "
            f"{weight_type.name}."
        )
    return LossInputs(weight_table, bias_table, inputs, in_place)
