# SPDX-License-Identifier: Apache-2.0
"""An Estimator under a MirroredStrategy of two logical CPUs: estimator_replicas.py SAMPLER STEPS.

The label of x is the place of its one. Prints how many labels the sampler counted, what each
replica drew in the last step, and for which share of all x the label has the highest score.
"""

import json
import sys
import tempfile

import tensorflow as tf

import tf_candsamp as tfcs

CLASSES, BATCH, SAMPLED = 40, 20, 10


def main():
    kind, steps = sys.argv[1], int(sys.argv[2])
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, 2 * [tf.config.LogicalDeviceConfiguration()])
    # The default all-reduce waits for ever in a session with as few threads as here, whatever the
    # loss is.
    strategy = tf.distribute.MirroredStrategy(
        ["CPU:0", "CPU:1"], cross_device_ops=tf.distribute.ReductionToOneDevice()
    )

    def model_fn(features, labels, mode):
        table = tf.compat.v1.get_variable("rows", [CLASSES, CLASSES])
        if mode == tf.estimator.ModeKeys.EVAL:
            logits = tf.matmul(features, table, transpose_b=True)
            right = tf.compat.v1.metrics.accuracy(labels[:, 0], tf.argmax(logits, 1))
            metrics = {"right": right}
            return tf.estimator.EstimatorSpec(mode, loss=tf.zeros([]), eval_metric_ops=metrics)
        sampler = {
            "learned": tfcs.LearnedUnigramSampler,
            "fixed": tfcs.UniformSampler,
        }[kind](CLASSES, seed=1)
        drawn = tf.compat.v1.get_variable(
            "drawn",
            [2, SAMPLED],  # each replica writes its own row
            tf.int64,
            initializer=tf.zeros_initializer(),
            trainable=False,
            synchronization=tf.VariableSynchronization.ON_READ,
            aggregation=tf.VariableAggregation.SUM,
        )
        sampled = sampler.sample(SAMPLED, labels)
        losses = tfcs.sampled_softmax_loss(
            table, None, labels, features, SAMPLED, CLASSES, sampled_values=sampled
        )
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        note = drawn.assign(tf.one_hot(replica, 2, dtype=tf.int64)[:, tf.newaxis] * sampled[0])
        loss = tf.reduce_mean(losses)
        step = tf.compat.v1.train.AdagradOptimizer(1.0).minimize(
            loss, tf.compat.v1.train.get_global_step()
        )
        return tf.estimator.EstimatorSpec(mode, loss=loss, train_op=tf.group(step, note))

    def input_fn():
        rows = tf.range(CLASSES, dtype=tf.int64)
        data = tf.data.Dataset.from_tensor_slices((tf.one_hot(rows, CLASSES), rows[:, tf.newaxis]))
        return data.repeat().batch(BATCH)

    config = tf.estimator.RunConfig(tempfile.mkdtemp(), train_distribute=strategy, tf_random_seed=1)
    estimator = tf.estimator.Estimator(model_fn, config=config)
    estimator.train(input_fn, max_steps=steps)
    counts = [name for name in estimator.get_variable_names() if name.endswith("counts")]
    result = {
        "counted": [int(estimator.get_variable_value(name).sum()) for name in counts],
        "drawn": estimator.get_variable_value("drawn").tolist(),
        "right": float(estimator.evaluate(input_fn, steps=2)["right"]),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
