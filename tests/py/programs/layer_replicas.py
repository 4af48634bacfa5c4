# SPDX-License-Identifier: Apache-2.0
"""Trains models of one layer on two devices, and on one; test_layer_replicas.py reads the results.

Logical devices must be made before TensorFlow starts, so this runs in a process of its own. It
prints a JSON object: for each kind of layer what came out with two devices and with one, and what
a learned sampler counted with two.
"""

import json

import numpy as np
import tensorflow as tf

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)

import layer_cases as lcs  # noqa: E402
import layer_models as lms  # noqa: E402

keras = lcs.keras


def make(kind):
    """A layer. The sampled one draws all classes, equally likely: its loss has no chance in it."""
    if kind == "RaggedSampledSoftmax":
        return lcs.layers.RaggedSampledSoftmax(lcs.CLASSES)
    return lcs.layers.SampledSoftmax(lcs.CLASSES, lcs.CLASSES, sampler="uniform", seed=1)


def batches(kind):
    """Candidates come padded: Keras's fit distributes no ragged tensors."""

    def padded(batch):
        if kind == "RaggedSampledSoftmax":
            batch["moves"] = batch["moves"].to_tensor(-1)
        return batch

    # Keras reads a batch too many of a dataset under a strategy, so another order would follow.
    return lms.data(kind, shuffle=False).map(padded)


def train(kind, strategy):
    keras.utils.set_random_seed(1)
    with strategy.scope():
        layer = make(kind)
        model, _, _ = lms.model_of(layer)
        model.compile(keras.optimizers.SGD(0.5))
    options = {"verbose": 0, "shuffle": False}
    history = model.fit(batches(kind), epochs=2, validation_data=batches(kind), **options).history
    found = {name: values for name, values in history.items() if "accuracy" not in name}
    found["accuracy"] = history["val_accuracy"]
    found["table"] = np.asarray(tf.convert_to_tensor(layer.table)).tolist()
    return found


def count(strategy):
    """What a learned sampler counted in one epoch, and the number of candidates in the next."""
    with strategy.scope():
        layer = lcs.layers.SampledSoftmax(lcs.CLASSES, 20, sampler="learned_unigram", seed=1)
        model, _, _ = lms.model_of(layer)
    model.fit(batches("SampledSoftmax"), verbose=0, shuffle=False)
    counts = layer.sampler.counts.numpy().tolist()
    with strategy.scope():
        layer.num_sampled = 30
    model.fit(batches("SampledSoftmax"), verbose=0, shuffle=False)
    return {"counts": counts, "num_sampled": layer.num_sampled}


def main():
    mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    single = tf.distribute.get_strategy()
    found = {
        kind: [train(kind, strategy) for strategy in (mirrored, single)]
        for kind in ("SampledSoftmax", "RaggedSampledSoftmax")
    }
    print(json.dumps(found | {"counts": count(mirrored)}))


main()
