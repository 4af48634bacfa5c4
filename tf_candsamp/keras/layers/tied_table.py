# SPDX-License-Identifier: Apache-2.0
"""The table of an `Embedding` layer, and which one that is in a model that was rebuilt."""

from typing import Any

from tf_candsamp._arguments.tables import variable_of_keras
from tf_candsamp.keras.framework import KERAS_3, dtype_name, keras


class RevivedEmbedding:
    """The `Embedding` in the config of a layer that is tied to it.

    In a file of a whole model, Keras makes one object of all that have one id. In another config,
    as that of `clone_model`, what it makes is one object more: then the layer of this name is meant
    that the model has. No attribute of a layer but this holds the object, so Keras does not take
    its variables for the model's.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self.layer = keras.utils.deserialize_keras_object(config)
        self._is_shared = "shared_object_id" in config

    @property
    def name(self) -> str:
        """The layer's name."""
        return str(self.layer.name)

    def shared(self, user: str) -> Any:
        """The layer, if it is the one that the model has; `user` is the layer that is tied."""
        if not self._is_shared:
            raise ValueError(
                f"embedding must be the layer {self.name!r} of the model, but a config cannot say "
                f"which object that is. It is found among the layers before {user!r} in a "
                "functional model, and when a whole model is loaded from a .keras file. Otherwise "
                "assign it before the first call: layer.embedding = model.get_layer(...)."
            )
        return self.layer


def check_embedding(embedding: Any, num_classes: int) -> None:
    """Refuses what is no `Embedding` with a row for each class."""
    if not isinstance(embedding, keras.layers.Embedding):
        raise TypeError(
            f"embedding must be a keras.layers.Embedding, whose table is used, got {embedding!r}."
        )
    if embedding.input_dim < num_classes:
        raise ValueError(
            f"embedding must have a row for each of num_classes = {num_classes} classes, got "
            f"input_dim {embedding.input_dim}."
        )


def embedding_table(embedding: Any, depth: int) -> Any:
    """The variable of an `Embedding`, which is built if it was not yet, [input_dim, depth]."""
    if embedding.output_dim != depth:
        raise ValueError(
            f"inputs must have the depth of the embedding's rows, {embedding.output_dim}, got "
            f"{depth}."
        )
    if not embedding.built:
        embedding.build(None)
    for feature in ("lora_enabled", "quantization_mode"):
        if getattr(embedding, feature, None):
            raise ValueError(
                f"embedding must have a plain table of floats, got one with {feature} = "
                f"{getattr(embedding, feature)!r}."
            )
    # Of Keras 3's `embeddings` and `_embeddings`, the second is the variable in any case.
    return embedding._embeddings if KERAS_3 else embedding.embeddings


def table_dtype(table: Any) -> str:
    """The name of the type in which a table is stored."""
    return dtype_name(variable_of_keras(table).dtype)


def embedding_before(tensor: Any, name: str) -> Any:
    """The layer of this name among those that a symbolic tensor of Keras comes from; None if none.

    A copy of a functional model (`keras.models.clone_model`, `from_config`) has an `Embedding` of
    its own, which the config of another layer cannot point at.
    """
    seen = set()
    pending = [tensor]
    while pending:
        history = getattr(pending.pop(), "_keras_history", None)
        if history is None:
            continue
        layer = history[0]
        if getattr(layer, "name", None) == name and isinstance(layer, keras.layers.Embedding):
            return layer
        node = layer._inbound_nodes[history[1]]
        if id(node) not in seen:
            seen.add(id(node))
            pending.extend(keras_inputs(node))
    return None


def keras_inputs(node: Any) -> list[Any]:
    """The symbolic tensors that a node of a functional model takes."""
    return list(node.input_tensors if KERAS_3 else node.keras_inputs)
