# SPDX-License-Identifier: Apache-2.0
"""The whole train step of a user: loss, gradients and optimizer, with fresh batches.

Run: .venv/bin/python benchmarks/train_step.py [--quick] [--only TEXT] [--rounds N] [--out FOLDER]

A step is one call from Python of a compiled function, as `fit` makes it. Its batch comes from a
pool, so that the table's rows are not in the caches. B = S = 1024, log-uniform candidates, labels
by Zipf's law, a table and biases, no tower. The sides:

- theirs: `tf.nn.sampled_softmax_loss` and Keras's optimizer;
- v1: `tf.nn.sampled_softmax_loss` and the optimizer of `tf.compat.v1.train`;
- keras: our loss and Keras's optimizer;
- ours: our loss and our optimizer.

Every side also runs as steps that stop early: the call alone, the candidates, the loss with its
gradients. Differences of these are the parts of a step.
"""

import functools
import itertools
import time

import harness
import numpy as np
import tensorflow as tf

import tf_candsamp as tfcs
from tf_candsamp.keras import optimizers

BATCH, SAMPLED = 1024, 1024
SIZES = tuple((v, d) for d in (64, 128) for v in (100_000, 1_000_000, 4_000_000))
POOL = 64
CASES = [
    {"optimizer": name, "V": classes, "D": depth, "B": BATCH, "S": SAMPLED}
    for classes, depth in SIZES
    for name in ("Adam", "Adagrad", "SGD")
]
RATE = 1e-3
STOPS = ("call", "candidates", "loss")
# What a call of a step leaves behind takes a moment: each time is of so many calls.
CALLS = 8


@functools.lru_cache(maxsize=1)
def problem(classes, depth):
    """Table, biases, and a pool of batches."""
    random = np.random.default_rng(0)
    table = tf.keras.Variable(tf.random.stateless_normal([classes, depth], [1, 2], stddev=0.1))
    biases = tf.keras.Variable(tf.zeros([classes]))
    harness.make_trained(table.value, biases.value)
    labels = [harness.zipf_labels(classes, BATCH, seed=k) for k in range(POOL)]
    inputs = [
        tf.constant(random.normal(size=[BATCH, depth]).astype(np.float32)) for _ in range(POOL)
    ]
    return table, biases, list(zip(labels, inputs, strict=True))


def make_optimizer(case, side, made):
    """The function apply(gradients, variables) of a side, or None if there is no such optimizer.

    `made` holds the optimizers of Keras's classes: sides share them, as slots of several gigabytes
    are not there twice.
    """
    name = case["optimizer"]
    if side == "v1":
        if name == "Adam":
            return None  # it reads and writes the whole table, as Keras's
        optimizer = {
            "Adagrad": tf.compat.v1.train.AdagradOptimizer,
            "SGD": tf.compat.v1.train.GradientDescentOptimizer,
        }[name](RATE)
        return lambda grads, variables: optimizer.apply_gradients(
            zip(grads, [v.value for v in variables], strict=True)
        )
    library = optimizers if side == "ours" else tf.keras.optimizers
    if library not in made:
        made[library] = getattr(library, name)(RATE)
        made[library].build(list(problem(case["V"], case["D"])[:2]))
    return made[library].apply


def make_step(case, side, stop=None, made=None):
    """A function of no arguments that makes a step with the next batch of the pool.

    `stop` names the part after which the step ends; None is the whole step.
    """
    table, biases, batches = problem(case["V"], case["D"])
    is_ours = side in ("ours", "keras")
    made = {} if made is None else made
    apply = make_optimizer(case, side, made) if stop is None else None
    if stop is None and apply is None:
        return None
    classes = case["V"]
    draw = (
        tfcs.log_uniform_candidate_sampler if is_ours else tf.random.log_uniform_candidate_sampler
    )
    loss_of = tfcs.sampled_softmax_loss if is_ours else tf.nn.sampled_softmax_loss

    @tf.function(autograph=False)
    def step(labels, inputs):
        if stop == "call":
            return labels[0]
        if stop == "candidates":
            return draw(labels, 1, SAMPLED, True, classes)
        variables = [table.value, biases.value]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            losses = loss_of(*variables, labels, inputs, SAMPLED, classes)
            loss = tf.reduce_mean(losses)
        *gradients, for_inputs = tape.gradient(loss, [*variables, inputs])
        if stop == "loss":
            return loss, [g.values for g in gradients], for_inputs
        apply(gradients, [table, biases])
        return loss, for_inputs

    calls = itertools.cycle(batches)
    return lambda: step(*next(calls))


def seconds_of(step, calls):
    """Seconds of a step, each of which takes the next batch."""
    start = time.perf_counter()
    for _ in range(calls):
        step()
    return (time.perf_counter() - start) / calls


def time_in_turns(steps, rounds):
    """`Times` of the steps, which take turns: a slow one makes a single call in each turn."""
    seconds = {name: [] for name in steps}
    calls = {}
    for name, step in steps.items():
        harness.warm_up(step)
        calls[name] = CALLS if seconds_of(step, 1) < 0.05 else 1
    start = time.perf_counter()
    for done in range(rounds):
        if done >= harness.LEAST_ROUNDS and time.perf_counter() - start > 2 * harness.SECONDS:
            break
        for name, step in steps.items():
            seconds[name].append(seconds_of(step, calls[name]))
    return harness.Times(seconds)


def measure(case, rounds):
    steps, made = {}, {}
    for side in ("ours", "theirs", "v1", "keras"):
        step = make_step(case, side, made=made)
        if step is not None:
            steps[side] = step
    for side in ("ours", "theirs"):
        steps |= {f"{side}, {stop}": make_step(case, side, stop) for stop in STOPS}
    times = time_in_turns(steps, rounds)
    pairs = [f"{other}/ours" for other in ("theirs", "v1", "keras") if other in steps]
    parts = {}
    for side in ("ours", "theirs"):
        call, candidates, loss = (times.median(f"{side}, {stop}") for stop in STOPS)
        parts[side] = {
            "call": call,
            "candidates": max(candidates - call, 0.0),
            "loss": max(loss - candidates, 0.0),
            "optimizer": max(times.median(side) - loss, 0.0),
        }
    return {"seconds": times.spreads(), "ratios": times.ratios(*pairs), "parts": parts}


def growth(run):
    """How much longer our step takes with the largest table than with the smallest."""
    lines = []
    for name in ("Adam", "Adagrad", "SGD"):
        for depth in (64, 128):
            found = {
                case["V"]: case["seconds"]["ours"]["median"]
                for case in run["results"]
                if (case["optimizer"], case["D"]) == (name, depth)
            }
            if len(found) > 1:
                ratio = found[max(found)] / found[min(found)]
                lines.append(f"{name}, D {depth}: {ratio:.2f} from V {min(found)} to {max(found)}")
    return lines


def is_main(case):
    """Whether --quick runs it."""
    return case["D"] == 64 and case["V"] == 1_000_000


if __name__ == "__main__":
    found = harness.run("train_step", __doc__, CASES, measure, is_quick=is_main)
    for case in found["results"]:
        for side, parts in case["parts"].items():
            shown = ", ".join(f"{part} {1e3 * value:.2f}" for part, value in parts.items())
            print(f"{case['optimizer']}, V {case['V']}, D {case['D']}, {side}: ms of {shown}")
    print("\n".join(growth(found)))
