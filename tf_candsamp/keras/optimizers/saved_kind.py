# SPDX-License-Identifier: Apache-2.0
"""Which optimizer a file's state is of: that of another one is refused, and nothing is lost."""

from typing import Any

import numpy as np
import tensorflow as tf

_KEY = "optimizer"
_CHILD = "_saved_kind"
_WITHOUT_SLOTS = 2  # variables: the number of steps, and the learning rate


class Kind(tf.train.experimental.PythonState):
    """Names the kind of an optimizer in a checkpoint of TensorFlow.

    TensorFlow restores Python state before it touches any variable.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def serialize(self) -> str:
        """What a checkpoint holds."""
        return self._kind

    def deserialize(self, string_value: Any) -> None:
        """Refuses the kind of another optimizer."""
        saved = string_value.decode() if isinstance(string_value, bytes) else str(string_value)
        _check_kind(saved, self._kind)


class SavedKind:
    """Saves the kind of an optimizer with its state. Keras's own files stay readable."""

    name: str

    def build(self, var_list: Any) -> None:
        """Creates the slots. Keras calls it."""
        super().build(var_list)  # type: ignore[misc]
        if not hasattr(self, "_kind_child"):
            child = Kind(type(self).__name__)
            self.__dict__["_kind_child"] = child
            self._track_trackable(child, name=_CHILD)  # type: ignore[attr-defined]

    def save_own_variables(self, store: Any) -> None:
        """Puts the state into a store. Keras calls it."""
        super().save_own_variables(store)  # type: ignore[misc]
        attributes = _attributes(store)
        if attributes is not None:
            attributes[_KEY] = type(self).__name__

    def load_own_variables(self, store: Any) -> None:
        """Takes the state out of a store, if it is that of such an optimizer. Keras calls it.

        Without slots on either side there is nothing to lose: Keras then warns, and goes on.
        """
        if getattr(self, "built", False) or getattr(self, "_built", False):
            saved = (_attributes(store) or {}).get(_KEY)
            if saved is not None:
                _check_kind(str(saved), type(self).__name__)
            if len(store.keys()) > _WITHOUT_SLOTS:
                self._check_shapes(store)
        super().load_own_variables(store)  # type: ignore[misc]

    def _check_shapes(self, store: Any) -> None:
        shapes = [tuple(np.shape(store[str(k)])) for k in range(len(store.keys()))]
        expected = [tuple(v.shape) for v in self.variables]  # type: ignore[attr-defined]
        if shapes != expected:
            raise ValueError(
                f"The saved state has {len(shapes)} variables of shapes {shapes}, but the "
                f"{type(self).__name__} optimizer {self.name!r} has {len(expected)}, of shapes "
                f"{expected}: it is that of another optimizer or model. Nothing was changed."
            )


def _attributes(store: Any) -> Any:
    """Where a file of Keras takes notes beside the values; None if it does not.

    It is the group of an HDF5 file, which Keras 3 wraps.
    """
    return getattr(getattr(store, "_h5_entry_group", store), "attrs", None)


def _check_kind(saved: str, kind: str) -> None:
    if saved != kind:
        raise ValueError(
            f"The saved state is of an optimizer {saved}, which cannot be restored into one of the "
            f"class {kind}: use {saved}, or leave the optimizer out. Nothing was changed."
        )
