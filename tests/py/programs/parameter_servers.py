# SPDX-License-Identifier: Apache-2.0
"""Losses and samplers with variables on parameter servers; test_parameter_servers.py reads on.

Two parameter servers and two workers are processes of their own, and this one is the coordinator.
It prints a JSON object of results by case.
"""

import functools
import json
import sys
import tempfile
import traceback

import cluster
import numpy as np
import tensorflow as tf

import tf_candsamp as tfcs

CLASSES, DEPTH = 23, 4
LABELS = [[3], [17], [3], [22], [0]]
CANDIDATES = [5, 17, 3, 3, 11, 0, 21]
RANDOM = np.random.default_rng(1)
WEIGHTS = RANDOM.normal(size=[CLASSES, DEPTH]).astype(np.float32)
BIASES = RANDOM.normal(size=[CLASSES]).astype(np.float32)
INPUTS = RANDOM.normal(size=[len(LABELS), DEPTH]).astype(np.float32)
SAMPLE = (CANDIDATES, np.full([5, 1], 0.3, np.float32), np.full([7], 0.6, np.float32))
RAGGED = tf.ragged.constant([CANDIDATES, [1, 3], [], [9], [22, 4]], dtype=tf.int64)


def _sampled(loss, **options):
    def call(weights, biases, inputs, labels, strategy):
        return loss(
            weights,
            biases,
            labels,
            inputs,
            7,
            CLASSES,
            sampled_values=SAMPLE,
            partition_strategy=strategy,
            **options,
        )

    return call


def _ragged(loss):
    def call(weights, biases, inputs, labels, strategy):
        del strategy  # ragged losses have none
        return loss(weights, biases, labels[:, 0], inputs, RAGGED)

    return call


def _logits(weights, biases, inputs, labels, strategy):
    del labels, strategy
    return tfcs.ragged_candidate_logits(weights, biases, inputs, RAGGED).values


def _exact(weights, biases, inputs, labels, strategy):
    return tfcs.full_softmax_loss(
        weights, biases, labels, inputs, num_classes=CLASSES, partition_strategy=strategy
    )


def _ranks(weights, biases, inputs, labels, strategy):
    options = {"num_classes": CLASSES, "partition_strategy": strategy}
    rank = tfcs.label_rank(weights, biases, labels, inputs, **options)
    best = tfcs.top_k(weights, biases, inputs, 3, **options)
    return tf.concat([tf.cast(rank, tf.float32), tf.cast(best.indices, tf.float32)], 1)


FUNCTIONS = {
    "softmax": _sampled(tfcs.sampled_softmax_loss),
    "corrected": _sampled(tfcs.sampled_softmax_loss, correction="corrected_log_q"),
    "nce": _sampled(tfcs.nce_loss, normalize=True, recompute=True),
    "ragged softmax": _ragged(tfcs.ragged_sampled_softmax_loss),
    "ragged nce": _ragged(tfcs.ragged_nce_loss),
    "logits": _logits,
    "full softmax": _exact,
    "ranks": _ranks,
}
NO_GRADIENT = ("ranks",)
WITHOUT_STRATEGY = ("ragged softmax", "ragged nce", "logits")


def _in_turn(values, shards):
    return [values[k::shards] for k in range(shards)]


def tables():
    """By layout: weights, biases, and the partition strategy."""
    half = CLASSES // 2 + 1
    whole, whole_biases = tf.Variable(WEIGHTS), tf.Variable(BIASES)
    shards = [tf.Variable(WEIGHTS[:half]), tf.Variable(WEIGHTS[half:])]
    dealt = [tf.Variable(part) for part in _in_turn(WEIGHTS, 3)]
    return {
        "whole": (whole, whole_biases, "div"),
        "list": (shards, [tf.Variable(BIASES[:half]), tf.Variable(BIASES[half:])], "div"),
        "biases whole": (shards, whole_biases, "div"),
        "biases elsewhere": (whole, tf.constant(BIASES), "div"),
        "no biases": (shards, None, "div"),
        "mod": (dealt, [tf.Variable(part) for part in _in_turn(BIASES, 3)], "mod"),
        "mod, biases whole": (dealt, whole_biases, "mod"),
    }


def _joined(parts, strategy):
    """The whole table, of the shards' arrays."""
    if strategy == "div" or len(parts) == 1:
        return np.concatenate(parts)
    out = np.zeros([sum(map(len, parts)), *parts[0].shape[1:]], parts[0].dtype)
    for k, part in enumerate(parts):
        out[k :: len(parts)] = part
    return out


def _shards(table):
    if table is None:
        return []
    return list(table) if not isinstance(table, (tf.Variable, tf.Tensor)) else [table]


def evaluate(function, weights, biases, strategy, run, with_gradient):
    """The value, and dense gradients of whole tables and inputs."""
    sources = [*_shards(weights), *_shards(biases)]

    @tf.function
    def step(inputs, labels):
        with tf.GradientTape() as tape:
            tape.watch([*sources, inputs])
            value = function(weights, biases, inputs, labels, strategy)
        if not with_gradient:
            return value, []
        weight = tf.range(1.0, tf.cast(tf.size(value), tf.float32) + 1)
        gradients = tape.gradient(value, [*sources, inputs], output_gradients=weight)
        return value, [_dense(g, s) for g, s in zip(gradients, [*sources, inputs], strict=True)]

    value, gradients = run(step, (tf.constant(INPUTS), tf.constant(LABELS, tf.int64)))
    found = {"value": np.asarray(value).tolist()}
    if with_gradient:
        count = len(_shards(weights))
        arrays = [np.asarray(g) for g in gradients]
        found["weights"] = _joined(arrays[:count], strategy).tolist()
        if biases is not None:
            found["biases"] = _joined(arrays[count:-1], strategy).tolist()
        found["inputs"] = arrays[-1].tolist()
    return found


def _dense(gradient, source):
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    # Rows must be distinct, and those of a step.
    count = tf.size(tf.unique(gradient.indices)[0])
    tf.debugging.assert_equal(count, tf.size(gradient.indices))
    shape = tf.cast(tf.concat([source.shape[:1], tf.shape(gradient.values)[1:]], 0), tf.int64)
    return tf.scatter_nd(gradient.indices[:, tf.newaxis], gradient.values, shape)


def compared(name, table, run):
    """A function on tables of some layout, and on whole tables of this process."""
    weights, biases, strategy = table
    with_gradient = name not in NO_GRADIENT
    local = (tf.Variable(WEIGHTS), None if biases is None else tf.Variable(BIASES))
    function = FUNCTIONS[name]
    here = evaluate(function, *local, "div", lambda step, a: step(*a), with_gradient)
    there = evaluate(function, weights, biases, strategy, run, with_gradient)
    return {"here": here, "there": there}


def samplers():
    return {
        "uniform": tfcs.UniformSampler(CLASSES, seed=1),
        "log-uniform": tfcs.LogUniformSampler(CLASSES, seed=1),
        "fixed": tfcs.FixedUnigramSampler(np.arange(1.0, CLASSES + 1), seed=1),
        "learned": tfcs.LearnedUnigramSampler(CLASSES, seed=1, halve_every=1000),
    }


def draw(sampler, run, steps):
    @tf.function
    def step():
        return sampler.sample(7, LABELS).sampled_candidates

    return [np.asarray(run(step, ())).tolist() for _ in range(steps)]


def sampler_case(sampler, twin, run):
    """What is drawn, before a checkpoint and after it is restored, and counted."""
    drawn = draw(sampler, run, 3)
    with tempfile.TemporaryDirectory() as folder:
        path = tf.train.Checkpoint(sampler=sampler).write(f"{folder}/saved")
        after = draw(sampler, run, 2)
        tf.train.Checkpoint(sampler=twin).read(path).assert_consumed()
    found = {"drawn": drawn, "after": after, "restored": draw(twin, run, 2)}
    if hasattr(sampler, "counts"):
        found["counts"] = sampler.counts.numpy().tolist()
        found["steps"] = int(sampler._steps.numpy())
    return found


def reads_of_whole_tables(layouts):
    """The types of ops in a training step's graph that would read a table on a server whole."""
    found = {}
    for layout, (weights, biases, strategy) in layouts.items():

        @tf.function
        def step(inputs, labels, weights=weights, biases=biases, strategy=strategy):
            sources = [*_shards(weights), *_shards(biases)]
            with tf.GradientTape() as tape:
                tape.watch(sources)
                loss = FUNCTIONS["softmax"](weights, biases, inputs, labels, strategy)
            for gradient, variable in zip(tape.gradient(loss, sources), sources, strict=True):
                if isinstance(variable, tf.Variable):
                    variable.scatter_sub(gradient)

        graph = step.get_concrete_function(
            tf.TensorSpec([5, DEPTH]), tf.TensorSpec([5, 1], tf.int64)
        ).graph
        found[layout] = sorted({op.type for op in graph.get_operations() if "ReadVar" in op.type})
    return found


def message_of(call):
    try:
        call()
    except (ValueError, tf.errors.InvalidArgumentError) as error:
        return str(error)
    return "no error"


def bad_arguments(weights, biases, run):
    def call(labels=LABELS, classes=CLASSES, **options):
        return tfcs.sampled_softmax_loss(
            weights, biases, labels, INPUTS, 7, classes, sampled_values=SAMPLE, **options
        )

    def traced(**options):
        return message_of(lambda: tf.function(lambda: call(**options)).get_concrete_function())

    @tf.function
    def step():
        return call(labels=[[3], [CLASSES], [3], [22], [0]])

    return {
        "rows": traced(classes=CLASSES + 1),
        "mod": traced(partition_strategy="mod"),
        "label": message_of(lambda: run(step, ())),  # the last: the coordinator stops at an error
    }


def in_graphs(servers):
    """What TensorFlow 1's graphs do, and so Estimator: a session of a worker, tables on both ps."""
    v1 = tf.compat.v1
    with tf.Graph().as_default():
        with v1.device(v1.train.replica_device_setter(cluster=tf.train.ClusterSpec(servers.jobs))):
            partitioner = v1.fixed_size_partitioner(2)
            weights = v1.get_variable(
                "weights", [CLASSES, DEPTH], partitioner=partitioner, use_resource=True
            )
            biases = v1.get_variable("biases", initializer=BIASES, use_resource=True)
            sampler = tfcs.LearnedUnigramSampler(CLASSES, seed=1)
            loss = tf.reduce_mean(
                tfcs.sampled_softmax_loss(
                    weights, biases, LABELS, INPUTS, 7, CLASSES, sampler=sampler
                )
            )
            train_op = v1.train.AdagradOptimizer(0.5).minimize(loss)
        variables = [*weights, biases, sampler.counts]
        with v1.Session(f"grpc://{servers.jobs['worker'][0]}") as session:
            session.run(v1.global_variables_initializer())
            losses = [session.run([loss, train_op])[0] for _ in range(30)]
            counts = session.run(sampler.counts)
    return {
        "devices": sorted({variable.device for variable in variables}),
        "losses": [float(value) for value in losses],
        "counts": counts.tolist(),
    }


def train(strategy, coordinator, servers):
    """Two workers train one table with a learned sampler; one of them is killed, and comes back."""
    with strategy.scope():
        weights = tf.Variable(tf.zeros([CLASSES, DEPTH]))
        sampler = tfcs.LearnedUnigramSampler(CLASSES, seed=1)

    @tf.function
    def step(inputs):
        shards = _shards(weights)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(
                tfcs.sampled_softmax_loss(
                    weights, None, LABELS, inputs, 7, CLASSES, sampler=sampler
                )
            )
        for gradient, shard in zip(tape.gradient(loss, shards), shards, strict=True):
            shard.scatter_sub(tf.IndexedSlices(gradient.values, gradient.indices))
        return loss

    losses = [coordinator.schedule(step, args=(tf.constant(INPUTS),)) for _ in range(60)]
    coordinator.join()
    counts = sampler.counts.numpy().tolist()
    servers.restart("worker", 1)
    losses += [coordinator.schedule(step, args=(tf.constant(INPUTS),)) for _ in range(60)]
    coordinator.join()
    values = [float(loss.fetch()) for loss in losses]
    return {
        "first": float(np.mean(values[:10])),
        "last": float(np.mean(values[-10:])),
        "counts": counts,
        "counts_after_restart": sampler.counts.numpy().tolist(),
    }


def cases_of(servers):
    """The cases' functions, by name."""
    resolver = servers.resolver()
    with tf.distribute.ParameterServerStrategy(resolver).scope():
        layouts = tables()
    partitioner = tf.distribute.experimental.partitioners.FixedShardsPartitioner(2)
    strategy = tf.distribute.ParameterServerStrategy(resolver, variable_partitioner=partitioner)
    coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)
    with strategy.scope():
        layouts["sharded"] = (tf.Variable(WEIGHTS), tf.Variable(BIASES), "div")
        drawing, twins = samplers(), samplers()

    def run(step, arguments):
        return coordinator.schedule(step, args=arguments).fetch()

    cases = {
        f"{name}, {layout}": functools.partial(compared, name, table, run)
        for name in FUNCTIONS
        for layout, table in layouts.items()
        if table[2] == "div" or name not in WITHOUT_STRATEGY
    }
    for kind, sampler in drawing.items():
        cases[f"sampler {kind}"] = functools.partial(sampler_case, sampler, twins[kind], run)
    cases["reads"] = functools.partial(reads_of_whole_tables, layouts)
    cases["graphs"] = functools.partial(in_graphs, servers)
    cases["training"] = functools.partial(train, strategy, coordinator, servers)
    cases["errors"] = functools.partial(bad_arguments, *layouts["sharded"][:2], run)
    return cases


def main():
    results = {}
    with cluster.Cluster(ps=2, worker=2) as servers:
        for name, case in cases_of(servers).items():
            if sys.argv[1:] and name not in sys.argv[1:]:
                continue
            try:
                results[name] = {"result": case()}
            except Exception:
                results[name] = {"error": traceback.format_exc()[-3000:]}
        print(json.dumps(results))


if __name__ == "__main__":
    main()
