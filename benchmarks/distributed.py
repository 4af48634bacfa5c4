# SPDX-License-Identifier: Apache-2.0
"""A train step of several processes, ours beside tf.nn's: time, and bytes between the processes.

Run: .venv/bin/python benchmarks/distributed.py [--quick] [--only TEXT] [--rounds N] [--out FOLDER]

All processes are on this machine. A step draws log-uniform candidates, computes the loss and its
gradients, and applies these. B = 128 examples a worker, S = 512, D = 64, labels by Zipf's law.
Strategies:

- parameter servers: one worker, one or two servers. The table and biases are whole, shared out by
  a partitioner, or lists of two shards;
- several workers: two processes, each with a copy of the table, that add up their gradients;
- mirrored: the same with two devices of one process, logical CPUs here, between which nothing
  crosses a network.

Bytes are those of the loopback interface: leave the machine alone meanwhile.
"""

import json
import os
import pathlib
import subprocess
import sys
import time

import harness
import numpy as np
import results
import tensorflow as tf

import tf_candsamp as tfcs

sys.path.append(str(results.ROOT / "tests/py/helpers"))
import cluster

DEPTH, BATCH, SAMPLED = 64, 128, 512
CALLS = 10  # a time is of so many steps
CASES = [
    {"strategy": "parameter servers", "servers": servers, "table": table, "V": classes}
    for classes in (20_000, 1_000_000)
    for table in ("whole", "sharded", "listed")
    for servers in (1, 2)
] + [
    {"strategy": strategy, "servers": 0, "table": "whole", "V": classes}
    for strategy in ("several workers", "mirrored")
    for classes in (20_000, 1_000_000)
]
LOSSES = {"theirs": tf.nn.sampled_softmax_loss, "ours": tfcs.sampled_softmax_loss}


def bytes_on_loopback():
    for line in pathlib.Path("/proc/net/dev").read_text().splitlines():
        name, _, counters = line.partition(":")
        if name.strip() == "lo":
            return int(counters.split()[0])
    raise SystemExit("There is no loopback interface.")


def make_tables(case):
    """Weights and biases of a case."""
    if case["table"] != "listed":
        return tf.Variable(tf.zeros([case["V"], DEPTH])), tf.Variable(tf.zeros([case["V"]]))
    half = case["V"] // 2
    weights = [tf.Variable(tf.zeros([half, DEPTH])) for _ in range(2)]
    return weights, [tf.Variable(tf.zeros([half])) for _ in range(2)]


def shards(table):
    return [table] if isinstance(table, tf.Variable) else list(table)


def make_step(loss_of, case, tables, reduced):
    """A training step. `reduced(gradients)` adds up those of all workers."""
    sources = [shard for table in tables for shard in shards(table)]

    @tf.function(autograph=False)
    def step(labels, inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            losses = loss_of(*tables, labels, inputs, SAMPLED, case["V"])
            loss = tf.reduce_mean(losses)
        *gradients, for_inputs = tape.gradient(loss, [*sources, inputs])
        for variable, gradient in zip(sources, reduced(gradients), strict=True):
            variable.scatter_sub(tf.IndexedSlices(0.1 * gradient.values, gradient.indices))
        return loss, tf.reduce_sum(for_inputs)

    return step


def batches(case):
    inputs = np.random.default_rng(1).normal(size=[BATCH, DEPTH]).astype(np.float32)
    while True:
        for seed in range(16):
            yield harness.zipf_labels(case["V"], BATCH, seed), tf.constant(inputs)


def measured(case, rounds, run_of):
    """Times and bytes of a step; run_of(loss) makes a function that runs `calls` steps."""
    runs = {side: run_of(loss) for side, loss in LOSSES.items()}
    seconds = {side: [] for side in runs}
    moved = {side: [] for side in runs}
    for run in runs.values():
        run(CALLS)
    for _ in range(rounds):
        for side, run in runs.items():
            before, start = bytes_on_loopback(), time.perf_counter()
            run(CALLS)
            seconds[side].append((time.perf_counter() - start) / CALLS)
            moved[side].append((bytes_on_loopback() - before) / CALLS)
    times = harness.Times(seconds)
    found = {side: results.spread(values) for side, values in moved.items()}
    return {
        "seconds": times.spreads(),
        "ratios": times.ratios("theirs/ours"),
        "bytes": {side: round(value["median"]) for side, value in found.items()},
    }


def on_parameter_servers(case, rounds):
    with cluster.Cluster(ps=case["servers"], worker=1) as servers:
        partitioner = None
        if case["table"] == "sharded":
            partitioner = tf.distribute.experimental.partitioners.FixedShardsPartitioner(2)
        strategy = tf.distribute.ParameterServerStrategy(
            servers.resolver(), variable_partitioner=partitioner
        )
        coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)

        def run_of(loss):
            with strategy.scope():
                tables = make_tables(case)
            step = make_step(loss, case, tables, lambda gradients: gradients)
            data = batches(case)

            def run(calls):
                for _ in range(calls):
                    coordinator.schedule(step, args=next(data)).fetch()

            return run

        return measured(case, rounds, run_of)


def on_workers(case, rounds):
    """What each of two workers does; the first one's result counts."""
    return on_replicas(case, rounds, tf.distribute.MultiWorkerMirroredStrategy())


def on_mirrors(case, rounds):
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, 2 * [tf.config.LogicalDeviceConfiguration()])
    return on_replicas(case, rounds, tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))


def on_replicas(case, rounds, strategy):

    def run_of(loss):
        with strategy.scope():
            tables = make_tables(case)

        def reduced(gradients):
            return tf.distribute.get_replica_context().all_reduce("sum", gradients)

        step = make_step(loss, case, tables, reduced)
        data = batches(case)

        @tf.function(autograph=False)
        def on_each(labels, inputs):
            return strategy.run(step, args=(labels, inputs))

        def run(calls):
            for _ in range(calls):
                on_each(*next(data))

        return run

    return measured(case, rounds, run_of)


def measure(case, rounds):
    """Measures a case in processes of its own: TensorFlow joins one cluster in its life."""
    command = [sys.executable, __file__, "--process", json.dumps([case, rounds])]
    if case["strategy"] != "several workers":
        done = subprocess.run(command, capture_output=True, text=True)
        return result_of(done.returncode, done.stdout, done.stderr)
    workers = cluster.addresses(2)
    started = []
    for task in range(len(workers)):
        config = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": task}}
        environment = os.environ | {"TF_CONFIG": json.dumps(config)}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen(command, env=environment, text=True, **pipes))
    outputs = [process.communicate() for process in started]
    return result_of(started[0].returncode, *outputs[0])


def result_of(status, output, errors):
    if status:
        raise SystemExit(errors[-2000:])
    return json.loads(output.splitlines()[-1])


ON = {
    "parameter servers": on_parameter_servers,
    "several workers": on_workers,
    "mirrored": on_mirrors,
}


def is_main(case):
    """Whether --quick runs it."""
    return case["V"] == 20_000 and case["servers"] != 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--process"]:
        of_case, of_rounds = json.loads(sys.argv[2])
        print(json.dumps(ON[of_case["strategy"]](of_case, of_rounds)))
    else:
        harness.run("distributed", __doc__, CASES, measure, is_quick=is_main)
