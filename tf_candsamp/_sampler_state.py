"""A sampler's state as values: what Keras's files and copies hold, and who may take it."""

import json

import numpy as np
import tensorflow as tf


class SamplerState:
    """Saves the values of a sampler's variables exactly, and restores them.

    A store is a dict of arrays, or what Keras gives in its place.
    """

    _refused = ""

    def save_own_variables(self, store):
        """Puts the state into a store. Keras calls it."""
        values = {key: value_of(v) for key, v in self._state_variables().items()}
        store["identity"] = np.frombuffer(self._identity.serialize().encode(), np.uint8)
        for key, value in values.items():
            store[key] = value

    def load_own_variables(self, store):
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
            # Keras tries all places where the sampler is held, and reports the last.
            self._refused = f" Or, where it was found before: {error}"
            raise
        for key, variable in self._state_variables().items():
            _assign(variable, np.asarray(store[key]))
        self._refused = ""

    def __reduce__(self):
        """Pickles and copies are samplers of their own, which go on from the same state."""
        store = {}
        self.save_own_variables(store)
        return _restored, (type(self), self.get_config(), store)


def value_of(variable):
    """The value of a variable, an array."""
    _require_eager_execution()
    return variable.read_value().numpy()


def _require_eager_execution():
    if not tf.executing_eagerly():
        raise RuntimeError(
            "A sampler's state can be copied, saved or loaded this way in eager execution only: do "
            "it outside of tf.function. In a graph of TensorFlow 1 use tf.compat.v1.train.Saver."
        )


def _restored(cls, config, store):
    sampler = cls.from_config(config)
    sampler.load_own_variables(store)
    return sampler


def _assign(variable, value):
    """Assigns a value; what is summed over replicas when read, so that the sum is the value."""
    replicas = 1
    if isinstance(variable, tf.distribute.DistributedValues):
        strategy = variable.distribute_strategy
        with strategy.scope():
            parts = strategy.experimental_local_results(variable)
        if variable.aggregation == tf.VariableAggregation.SUM:
            replicas = strategy.num_replicas_in_sync
    if replicas == 1 or len(parts) < replicas:
        variable.assign(value)  # TensorFlow rounds the shares of several workers down.
        return
    share, rest = np.divmod(value, replicas)
    for k, part in enumerate(parts):
        part.assign(share + (k < rest))


class Identity(tf.train.experimental.PythonState):
    """Says in a checkpoint what sampler it holds, and refuses one of another sampler.

    TensorFlow restores Python state before it touches any variable.
    """

    def __init__(self, kind, range_max):
        self._kind = kind
        self._range_max = range_max

    def serialize(self):
        return json.dumps({"kind": self._kind, "range_max": self._range_max})

    def deserialize(self, string_value):
        saved = json.loads(string_value)
        if saved != {"kind": self._kind, "range_max": self._range_max}:
            raise ValueError(
                f"What was saved is a {saved['kind']} sampler of range {saved['range_max']}, which "
                f"cannot be restored into a {self._kind} sampler of range {self._range_max}. The "
                "sampler was left as it was."
            )
