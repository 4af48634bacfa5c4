# SPDX-License-Identifier: Apache-2.0
"""A SavedModel of a functional model whose inputs or outputs are ragged."""

import os
from typing import Any

import tensorflow as tf

from tf_candsamp._types import PathLike
from tf_candsamp.keras.framework import KERAS_3, keras

_SPLITS = "_row_splits"


def export(model: Any, filepath: PathLike, endpoint: str = "serve") -> None:
    """Writes a functional Keras model as a SavedModel whose signature takes ragged inputs.

    The signature of a SavedModel has dense tensors only, and what `model.export` writes for a
    ragged input is a dense tensor. Here a ragged input NAME becomes two: NAME, the values of all
    rows one after the other, and NAME_row_splits, int64 [B + 1]. A ragged output becomes two in
    the same way. Other inputs and outputs are as they are.

        loaded = tf.saved_model.load(filepath)
        loaded.signatures["serve"](state=..., moves=flat, moves_row_splits=splits)
        # {"scores": flat, "scores_row_splits": splits}

    The function is also an attribute of what is loaded, named like the endpoint, with the same
    keyword arguments. `import tf_candsamp` has to come before a SavedModel is loaded that scores
    ragged candidates: docs/serving.md says how to do without Python.

    Args:
      model: a functional model, usually one that calls its layers without labels.
      filepath: the folder to write.
      endpoint: the name of the signature.

    Raises:
      TypeError: `model` is no functional model.
    """
    if not isinstance(model, keras.Model) or not getattr(model, "inputs", None):
        raise TypeError(
            f"model must be a functional Keras model, made by keras.Model(inputs, outputs), got "
            f"{model!r}."
        )
    inputs = [_input(tensor) for tensor in model.inputs]
    names = [name for name, *_ in inputs]

    def serve(**tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        given = {}
        for name, _, is_ragged in inputs:
            given[name] = tensors[name]
            if is_ragged:
                given[name] = tf.RaggedTensor.from_row_splits(
                    tensors[name], tensors[name + _SPLITS]
                )
        # By position: Keras knows the inputs by names, but not in each structure that it takes.
        flat = [given[name] for name in names]
        outputs = model(tf.nest.pack_sequence_as(_structure(model), flat), training=False)
        return _named_outputs(model, outputs)

    specs: dict[str, tf.TensorSpec] = {}
    for name, spec, is_ragged in inputs:
        specs[name] = spec
        if is_ragged:
            specs[name + _SPLITS] = tf.TensorSpec([None], tf.int64, name + _SPLITS)
    module = tf.Module()
    # A layer of Keras 2 would be saved with functions of its own, for training too.
    module.model = model if KERAS_3 else model.weights
    function = tf.function(serve).get_concrete_function(**specs)
    setattr(module, endpoint, function)
    tf.saved_model.save(module, os.fsdecode(filepath), signatures={endpoint: function})


def _input(tensor: Any) -> tuple[str, tf.TensorSpec, bool]:
    """The name of a model's input, what the signature takes for it, and whether it is ragged."""
    is_ragged = bool(getattr(tensor, "ragged", False)) or isinstance(
        getattr(tensor, "type_spec", None), tf.RaggedTensorSpec
    )
    name = str(tensor.name)
    shape = [None] if is_ragged else [None, *tensor.shape[1:]]
    return name, tf.TensorSpec(shape, tf.as_dtype(tensor.dtype), name), is_ragged


def _structure(model: Any) -> Any:
    """The structure in which the model takes its inputs."""
    return getattr(model, "_inputs_struct", model.inputs)


def _named_outputs(model: Any, outputs: Any) -> dict[str, tf.Tensor]:
    if isinstance(outputs, dict):
        named = dict(outputs)
    else:
        flat = outputs if isinstance(outputs, (list, tuple)) else [outputs]
        named = dict(zip(model.output_names, flat, strict=True))
    dense = {}
    for name, value in named.items():
        if isinstance(value, tf.RaggedTensor):
            dense[name] = value.flat_values
            dense[name + _SPLITS] = tf.cast(value.row_splits, tf.int64)
        else:
            dense[name] = tf.identity(value)
    return dense
