# SPDX-License-Identifier: Apache-2.0
"""Trains a class table that is split over worker processes: each holds a part, and samples it.

python examples/split_table/main.py [--workers N] [--classes N] [--steps N] ...

An input is a noisy copy of its class's prototype, and a row of the table learns to find it. Classes
come with Zipf's frequencies. The workers are processes of this machine that talk over its loopback
interface; between machines only TF_CONFIG would be another.
"""

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its log is not for the reader

import numpy as np
import tensorflow as tf

import tf_candsamp as tfcs

DEPTH, NOISE, LEARNING_RATE = 32, 0.5, 0.5


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--classes", type=int, default=200_000)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--batch", type=int, default=512, help="examples of a worker in a step")
    parser.add_argument("--sampled", type=int, default=512, help="candidates of a worker")
    options = parser.parse_args()
    for name, value in vars(options).items():
        if value < 1:
            parser.error(f"--{name} must be at least 1")
    return options


class Part:
    """A worker's part of the table, with its biases, Adagrad's sums and a sampler."""

    def __init__(self, worker: int, workers: int, classes: int) -> None:
        self.first_class = worker * classes // workers
        size = (worker + 1) * classes // workers - self.first_class
        # Outside of the strategy's scope, so the variables are this worker's own.
        self.rows, self.biases = tf.Variable(tf.zeros([size, DEPTH])), tf.Variable(tf.zeros([size]))
        self.sums = [tf.Variable(tf.fill(v.shape, 0.1)) for v in (self.rows, self.biases)]
        self.sampler = tfcs.LearnedUnigramSampler(size, seed=worker)

    def step(self, inputs: tf.Tensor, labels: tf.Tensor, num_sampled: int) -> tf.Tensor:
        """Updates the part by the examples of all workers; returns the loss of this worker's."""
        with tf.GradientTape() as tape:
            losses = tfcs.split_sampled_softmax_loss(
                self.rows,
                self.biases,
                labels,
                inputs,
                num_sampled,
                first_class=self.first_class,
                sampler=self.sampler,
            )
            loss = tf.reduce_mean(losses)
        variables = [self.rows, self.biases]
        gradients = tape.gradient(loss, variables)
        for variable, sums, gradient in zip(variables, self.sums, gradients, strict=True):
            tfcs.row_adagrad(variable, sums, gradient, LEARNING_RATE)
        return loss

    def best_class(self, inputs: tf.Tensor) -> tf.Tensor:
        """The class with the highest score of all parts, for inputs that all workers have."""
        values, ids = tfcs.top_k(self.rows, self.biases, inputs, 1)
        replica = tf.distribute.get_replica_context()
        values = replica.all_gather(values, axis=1)
        ids = replica.all_gather(ids + self.first_class, axis=1)
        return tf.gather(ids, tf.argmax(values, axis=1), batch_dims=1)


def work(options: argparse.Namespace) -> None:
    """What each worker does; the first one tells of it."""
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    worker = strategy.cluster_resolver.task_id
    part = Part(worker, options.workers, options.classes)
    prototypes = np.random.default_rng(0).normal(size=[options.classes, DEPTH]).astype(np.float32)
    # Neighbours in frequency are far apart in the table, so all parts have frequent classes.
    class_of_rank = np.random.default_rng(1).permutation(options.classes)

    def examples(rng: np.random.Generator, count: int) -> tuple[tf.Tensor, tf.Tensor]:
        ranks = np.floor((options.classes + 1.0) ** rng.random(count)).astype(np.int64) - 1
        labels = class_of_rank[ranks.clip(0, options.classes - 1)]
        noise = NOISE * rng.normal(size=[count, DEPTH])
        return tf.constant((prototypes[labels] + noise).astype(np.float32)), tf.constant(labels)

    @tf.function(autograph=False)
    def step(inputs, labels):
        return strategy.run(part.step, args=(inputs, labels, options.sampled))

    @tf.function(autograph=False)
    def best_class(inputs):
        return strategy.run(part.best_class, args=(tf.identity(inputs),))

    asked, answers = examples(np.random.default_rng(2), 2048)
    rng = np.random.default_rng(100 + worker)
    started = time.perf_counter()
    for k in range(options.steps + 1):
        if k % max(options.steps // 4, 1) == 0:
            right = np.mean(best_class(asked).numpy() == answers.numpy())
            if worker == 0:
                print(
                    f"step {k:,}: {right:.1%} of {len(asked):,} new examples right among "
                    f"{options.classes:,} classes, {time.perf_counter() - started:.0f} s",
                    flush=True,
                )
        if k < options.steps:
            step(*examples(rng, options.batch))
    counted = int(part.sampler.counts.numpy().sum())
    print(
        f"worker {worker} holds {part.rows.shape[0]:,} rows; its sampler counted {counted:,} labels"
    )


def main() -> None:
    options = arguments()
    if "TF_CONFIG" in os.environ:
        work(options)
        return
    with contextlib.ExitStack() as sockets:
        held = [sockets.enter_context(socket.socket()) for _ in range(options.workers)]
        for one in held:
            one.bind(("localhost", 0))  # a port that nobody listens at
        addresses = [f"localhost:{one.getsockname()[1]}" for one in held]
    started = []
    for k in range(options.workers):
        config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": k}}
        environment = os.environ | {"TF_CONFIG": json.dumps(config), "CUDA_VISIBLE_DEVICES": "-1"}
        started.append(subprocess.Popen([sys.executable, *sys.argv], env=environment))
    ends = [process.wait() for process in started]
    if any(ends):
        raise SystemExit("tf_candsamp: a worker failed; its error is above.")


if __name__ == "__main__":
    main()
