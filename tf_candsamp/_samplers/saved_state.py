# SPDX-License-Identifier: Apache-2.0
"""A sampler's state as values, for Keras's files and for copies; whose state a sampler takes."""

import json
from collections.abc import Callable, MutableMapping
from typing import Any

import numpy as np
import tensorflow as tf


class SavedState:
    """Saves the values of a sampler's variables exactly, and restores them.

    A store is a dict of arrays, or what Keras gives in its place.
    """

    name: str
    _identity: "Identity"
    _may_lack: frozenset[str] = frozenset()  # variables that a store may be without
    _refused = ""  # why an earlier place's state was not taken

    def get_config(self) -> dict[str, Any]:
        """The arguments of a sampler like this one."""
        raise NotImplementedError

    def _state_variables(self) -> dict[str, tf.Variable]:
        """The variables whose values make another sampler of this class and range equal to this."""
        raise NotImplementedError

    def save_own_variables(self, store: MutableMapping[str, Any]) -> None:
        """Puts the state into a store. Keras calls it."""
        values = {key: value_of(v) for key, v in self._state_variables().items()}
        store["identity"] = np.frombuffer(self._identity.serialize().encode(), np.uint8)
        for key, value in values.items():
            store[key] = value

    def load_own_variables(self, store: MutableMapping[str, Any]) -> None:
        """Takes the state out of a store, if it is that of a sampler like this. Keras calls it."""
        _require_eager_execution()
        if "identity" not in store:
            raise ValueError(
                f"There is no sampler's state where that of {self.name!r} should be: what is being "
                f"loaded was saved without this sampler.{self._refused}"
            )
        try:
            self._identity.deserialize(np.asarray(store["identity"]).tobytes().decode())
        except ValueError as error:
            # Keras tries all places that hold the sampler, and reports the error of the last.
            self._refused = f" Or, where it was found before: {error}"
            raise
        for key, variable in self._state_variables().items():
            if key in store or key not in self._may_lack:
                assign(variable, np.asarray(store[key]))
        self._refused = ""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Pickles and copies are samplers of their own, which go on from the same state."""
        store: dict[str, Any] = {}
        self.save_own_variables(store)
        return _restored, (type(self), self.get_config(), store)


def value_of(variable: tf.Variable) -> np.ndarray[Any, Any]:
    """The value of a variable."""
    _require_eager_execution()
    return variable.read_value().numpy()


def _require_eager_execution() -> None:
    if not tf.executing_eagerly():
        raise RuntimeError(
            "A sampler's state can be copied, saved or loaded this way in eager execution only: do "
            "it outside of tf.function. In a graph of TensorFlow 1 use tf.compat.v1.train.Saver."
        )


def _restored(cls: Any, config: dict[str, Any], store: dict[str, Any]) -> Any:
    sampler = cls.from_config(config)
    sampler.load_own_variables(store)
    return sampler


def assign(variable: tf.Variable, value: np.ndarray[Any, Any]) -> None:
    """Assigns a value. Of a variable that a read sums over replicas, the sum becomes the value."""
    replicas = 1
    if isinstance(variable, tf.distribute.DistributedValues):
        strategy = variable.distribute_strategy
        with strategy.scope():
            parts = strategy.experimental_local_results(variable)
        if variable.aggregation == tf.VariableAggregation.SUM:
            replicas = strategy.num_replicas_in_sync
    if replicas == 1 or len(parts) < replicas:
        # With several workers TensorFlow divides the value, and rounds the shares down.
        variable.assign(value)
        return
    share, rest = np.divmod(value, replicas)
    for k, part in enumerate(parts):
        part.assign(share + (k < rest))


class Identity(tf.train.experimental.PythonState):
    """Names a sampler's kind and range in a checkpoint, and refuses one of another sampler.

    TensorFlow restores Python state before it touches any variable.
    """

    def __init__(self, kind: str, range_max: int) -> None:
        self._kind = kind
        self._range_max = range_max

    def serialize(self) -> str:
        return json.dumps({"kind": self._kind, "range_max": self._range_max})

    def deserialize(self, string_value: str) -> None:
        saved = json.loads(string_value)
        if saved != {"kind": self._kind, "range_max": self._range_max}:
            raise ValueError(
                f"What was saved is a {saved['kind']} sampler of range {saved['range_max']}, which "
                f"cannot be restored into a {self._kind} sampler of range {self._range_max}. The "
                "sampler was left as it was."
            )
