# SPDX-License-Identifier: Apache-2.0
"""Where variables are: whether one op can read all of them in place."""

from collections.abc import Iterable

import tensorflow as tf


def are_together(variables: Iterable[tf.Variable]) -> bool:
    """Whether the variables are all on one device of the server that runs the present code.

    An op that takes handles runs where they are. On a parameter server that would move the work
    there, and on several devices there is no such place.
    """
    devices = {variable.device or "" for variable in variables} - {""}
    if len(devices) > 1:
        return False
    return not any(_is_on_another_server(device) for device in devices)


def _is_on_another_server(device: str) -> bool:
    there = tf.DeviceSpec.from_string(device)
    if there.job in (None, "localhost"):
        return False
    here = tf.DeviceSpec.from_string(_device_here())
    return (there.job, there.task or 0) != (here.job, here.task or 0)


def _device_here() -> str:
    """A device of the server on which ops run that are made now; "" if none is known."""
    if not tf.executing_eagerly():
        device = tf.no_op().device  # what tf.device, or a device function, gives new ops
        if tf.DeviceSpec.from_string(device).job is not None:
            return str(device)
    with tf.init_scope():
        return str(tf.zeros([]).device) if tf.executing_eagerly() else ""
