# SPDX-License-Identifier: Apache-2.0
"""Trains under a MirroredStrategy of two devices; test_keras_training.py reads the results.

Logical devices must be made before TensorFlow starts, so this runs in a process of its own. It
prints a JSON object: for each case the tables of both replicas, and that of one device which got
the slices of both.
"""

import json
import os

import numpy as np
import tensorflow as tf

from tf_candsamp.keras import optimizers

CASES = {
    "SGD": {"momentum": 0.9},
    "Adagrad": {},
    "RMSprop": {},
    "Adam": {},
    "AdamW": {"weight_decay": 0.1},
    "Ftrl": {},
}
CLASSES = 12


def slices(replica):
    values = tf.reshape(tf.range(8.0), [4, 2]) * 0.1 + tf.cast(replica, tf.float32)
    return values, tf.constant([1, 3, 1, 8]) + replica


def on_replicas(strategy, name, options):
    with strategy.scope():
        table = tf.keras.Variable(np.ones([CLASSES, 2], np.float32))
        optimizer = getattr(optimizers, name)(0.1, **options)
        optimizer.build([table])

    def replica():
        index = tf.distribute.get_replica_context().replica_id_in_sync_group
        values, indices = slices(index)
        optimizer.apply([tf.IndexedSlices(values, indices, tf.constant([CLASSES, 2]))], [table])

    step = tf.function(lambda: strategy.run(replica))
    for _ in range(3):
        step()
    return [v.numpy().tolist() for v in strategy.experimental_local_results(table.value)]


def on_one(name, options):
    table = tf.keras.Variable(np.ones([CLASSES, 2], np.float32))
    optimizer = getattr(optimizers, name)(0.1, **options)
    parts = [slices(k) for k in range(2)]
    values, indices = (tf.concat(part, 0) for part in zip(*parts, strict=True))
    for _ in range(3):
        optimizer.apply([tf.IndexedSlices(values, indices, [CLASSES, 2])], [table])
    return table.numpy().tolist()


if __name__ == "__main__":
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, 2 * [tf.config.LogicalDeviceConfiguration()])
    both = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    print(json.dumps({n: [on_replicas(both, n, o), on_one(n, o)] for n, o in CASES.items()}))
