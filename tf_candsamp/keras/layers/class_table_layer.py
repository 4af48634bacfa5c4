# SPDX-License-Identifier: Apache-2.0
"""What the layers share: a table and biases of classes, how they are scored, and the losses."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, SupportsIndex

import tensorflow as tf

from tf_candsamp._arguments.scalars import positive
from tf_candsamp._arguments.tables import variable_of_keras
from tf_candsamp._arguments.tensors import to_tensor
from tf_candsamp._devices import tables_on_host
from tf_candsamp.keras.framework import NO_AUTOCAST, dtype_name, is_symbolic, keras
from tf_candsamp.keras.layers.averages import Averages
from tf_candsamp.keras.layers.examples import Examples, examples_of
from tf_candsamp.keras.layers.tied_table import (
    RevivedEmbedding,
    check_embedding,
    embedding_before,
    embedding_table,
    table_dtype,
)

if TYPE_CHECKING:
    from typing_extensions import Self

_HALF_TYPES = ("bfloat16", "float16")
_TYPES = ("float32", "float64", *_HALF_TYPES)


class ClassTableLayer(keras.layers.Layer):
    """A layer that has a row and a bias for each class. Use one of its subclasses.

    Args:
      num_classes: V.
      use_bias: whether classes have biases.
      table_initializer: of the table [V, D]; None draws from a uniform distribution with the
        variance 1 / D, so that logits begin with the scale of `inputs`.
      bias_initializer: of the biases [V].
      embedding: a `keras.layers.Embedding` whose table is used in place of an own one.
      temperature, normalize, logit_softcap: see `tfcs.sampled_softmax_loss`.
      ignore_id: labels that are this id mark examples that do not count, as padding does.
      top_k: the ks of the reported top-k accuracies.
      metric_prefix: what the names of the reported values begin with, to tell apart several layers
        of a model.
      **options: `name`, `dtype` and `trainable`, as of every layer.
    """

    def __init__(
        self,
        num_classes: SupportsIndex,
        *,
        use_bias: bool = True,
        table_initializer: Any = None,
        bias_initializer: Any = "zeros",
        embedding: Any = None,
        temperature: float = 1.0,
        normalize: bool = False,
        logit_softcap: float | None = None,
        ignore_id: int | None = None,
        top_k: SupportsIndex | Sequence[SupportsIndex] = (),
        metric_prefix: str = "",
        **options: Any,
    ) -> None:
        # Keras would cast sample weights to the half types, too.
        super().__init__(autocast=False, **options)
        self.supports_jit = False  # The losses have no XLA kernels: no jit_compile="auto".
        self.supports_masking = True
        self._num_classes = positive("num_classes", num_classes)
        self._top_k = _several_k(top_k, self._num_classes)
        self.use_bias = bool(use_bias)
        self.table_initializer = keras.initializers.get(
            keras.initializers.VarianceScaling(mode="fan_out", distribution="uniform")
            if table_initializer is None
            else table_initializer
        )
        self.bias_initializer = keras.initializers.get(bias_initializer)
        if embedding is not None:
            check_embedding(embedding, self._num_classes)
        self.embedding = embedding
        self._revived: RevivedEmbedding | None = None
        self.temperature = temperature
        self.normalize = bool(normalize)
        self.logit_softcap = logit_softcap
        self.ignore_id = ignore_id
        self.metric_prefix = metric_prefix
        self.averages = Averages(self._reported(), metric_prefix, name=f"{self.name}_averages")

    def _reported(self) -> Mapping[str, Sequence[str]]:
        """The names of the values that are reported, in groups: see `Averages`."""
        raise NotImplementedError

    @property
    def num_classes(self) -> int:
        """V, the number of classes."""
        return self._num_classes

    def build(self, input_shape: Any) -> None:
        """Makes the table and the biases, for inputs of the shape [..., D]."""
        depth = input_shape[-1]
        if depth is None:
            raise ValueError(
                f"inputs must have a known depth, got shape {tuple(input_shape)}: the table has a "
                "column for each of their columns."
            )
        compute = dtype_name(self.compute_dtype)
        if compute not in _TYPES:
            raise TypeError(f"dtype must be one of {', '.join(_TYPES)}, got {compute}.")
        with tables_on_host():
            if self.embedding is None and self._revived is not None:
                self.embedding = self._revived.shared(self.name)
            if self.embedding is None:
                self.own_table = self.add_weight(
                    name="table",
                    shape=(self._num_classes, depth),
                    initializer=self.table_initializer,
                    **NO_AUTOCAST,
                )
            else:
                check_embedding(self.embedding, self._num_classes)
                embedding_table(self.embedding, depth)
            stored = table_dtype(self.table)
            half = compute in _HALF_TYPES
            if stored != compute and not (half and stored == "float32"):
                raise TypeError(
                    f"The table must be of type {compute}{' or float32' if half else ''}, for this "
                    f"layer computes in {compute}, got {stored}: give the layer, or the embedding "
                    "that it is tied to, another dtype."
                )
            if self.use_bias:
                self.bias = self.add_weight(
                    name="bias",
                    shape=(self._num_classes,),
                    initializer=self.bias_initializer,
                    dtype=stored,
                    **NO_AUTOCAST,
                )
            else:
                self.bias = None
        self.built = True

    @property
    def table(self) -> Any:
        """The table, [V, D] or with more rows than V: the Keras variable."""
        if self.embedding is None:
            return self.own_table
        return embedding_table(self.embedding, self.embedding.output_dim)

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Builds the layer on `inputs` if it is not built, and calls it."""
        if self.embedding is None and self._revived is not None and is_symbolic(inputs):
            self.embedding = embedding_before(inputs, self._revived.name)
        return super().__call__(inputs, *args, **kwargs)

    def get_build_config(self) -> dict[str, Any] | None:
        """What the layer is built of when it is loaded; None if its first call has to do it."""
        tied = self.embedding is not None or self._revived is not None
        return None if tied else super().get_build_config()

    def get_config(self) -> dict[str, Any]:
        """The arguments of a layer like this one, for `from_config`."""
        config = super().get_config()
        embedding = self.embedding
        if embedding is None and self._revived is not None:
            embedding = self._revived.layer
        return {
            **config,
            "num_classes": self._num_classes,
            "use_bias": self.use_bias,
            "table_initializer": keras.initializers.serialize(self.table_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "embedding": keras.utils.serialize_keras_object(embedding),
            "temperature": self.temperature,
            "normalize": self.normalize,
            "logit_softcap": self.logit_softcap,
            "ignore_id": self.ignore_id,
            "top_k": list(self._top_k),
            "metric_prefix": self.metric_prefix,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Self":
        """Makes a layer with the arguments that another one's `get_config` gave."""
        config = dict(config)
        embedding = config.get("embedding")
        if embedding is None:
            return cls(**config)
        layer = cls(**{**config, "embedding": None})
        layer._revived = RevivedEmbedding(embedding)
        return layer

    def _logit_options(self) -> dict[str, Any]:
        """The options that differ from the losses' defaults."""
        options: dict[str, Any] = {}
        if self.temperature != 1.0:
            options["temperature"] = self.temperature
        if self.normalize:
            options["normalize"] = True
        if self.logit_softcap is not None:
            options["logit_softcap"] = self.logit_softcap
        return options

    def _examples(self, inputs: Any, labels: Any, sample_weight: Any, mask: Any) -> Examples:
        if mask is None:
            mask = getattr(inputs, "_keras_mask", None)
        _check_labels(labels)
        return examples_of(
            self._checked_inputs(inputs), labels, sample_weight, mask, self.ignore_id
        )

    def _checked_inputs(self, inputs: Any) -> tf.Tensor:
        """`inputs`, of a rank and depth that suit the table, which is built if it was not."""
        inputs = to_tensor("inputs", inputs)
        if not inputs.dtype.is_floating:
            raise TypeError(f"inputs must be of a float type, got {inputs.dtype.name}.")
        if inputs.shape.rank is None or inputs.shape.rank < 2:
            raise ValueError(f"inputs must have shape [B, D] or [B, L, D], got {inputs.shape}.")
        if not self.built:
            self.build(tuple(inputs.shape))
        depth = variable_of_keras(self.table).shape[1]
        if inputs.shape[-1] != depth:
            raise ValueError(
                f"inputs must have the depth of the table's rows, {depth}, got shape "
                f"{inputs.shape}."
            )
        return inputs

    def _checked_k(self, k: SupportsIndex) -> int:
        return _several_k(k, self._num_classes, name="k")[0]

    def _output_dtype(self) -> str:
        return "float64" if dtype_name(self.compute_dtype) == "float64" else "float32"

    def _loss_inputs(self, inputs: tf.Tensor, training: bool) -> tf.Tensor:
        """Inputs in the type of this layer's policy, where the model is trained."""
        return tf.cast(inputs, self.compute_dtype) if training else self._exact_inputs(inputs)

    def _exact_inputs(self, inputs: tf.Tensor) -> tf.Tensor:
        """Inputs in the table's type: where classes are ranked, halves would make ties."""
        return tf.cast(inputs, table_dtype(self.table))


def no_labels_in_training() -> ValueError:
    """The error of a layer that is trained without labels."""
    return ValueError(
        "labels must be given in training, got None: call layer(inputs, ..., labels=labels), with "
        "labels = keras.Input((1,), dtype='int64') among the inputs of the model that is trained. "
        "Another model may call the same layer without labels, for logits."
    )


def _check_labels(labels: Any) -> None:
    dtype = getattr(labels, "dtype", None)
    if dtype is not None and not tf.as_dtype(dtype).is_integer:
        raise TypeError(
            f"labels must be of an integer type, got {dtype_name(dtype)}, whose numbers do not all "
            "name classes: give them an input of dtype='int64', and arrays of integers."
        )


def _several_k(
    top_k: SupportsIndex | Sequence[SupportsIndex], num_classes: int, name: str = "top_k"
) -> tuple[int, ...]:
    several = top_k if isinstance(top_k, (list, tuple)) else (top_k,)
    checked = tuple(positive(name, k) for k in several)
    for k in checked:
        if k > num_classes:
            raise ValueError(f"{name} must be at most num_classes = {num_classes}, got {k}.")
    return checked
