"""What every benchmark shares: side-by-side timing, peak memory, the machine's bandwidth."""

import os
import platform
import statistics
import time

# TensorFlow counts the memory of its CPU allocator where it uses oneDNN: by default on processors
# with AVX512-VNNI, elsewhere if told to.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import numpy as np
import tensorflow as tf

ROUNDS = 15


def machine():
    """One line that names the processor and the software."""
    with open("/proc/cpuinfo") as lines:
        model = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), "CPU")
    threads = tf.config.threading.get_intra_op_parallelism_threads() or _cores()
    return (
        f"{model}, {threads} threads, TensorFlow {tf.__version__}, Python "
        f"{platform.python_version()}"
    )


def _cores():
    return len(os.sched_getaffinity(0))


def median_seconds(steps, rounds=ROUNDS):
    """Median seconds of each of `steps` (a dict of functions), called in turn, round by round.

    Taking turns spreads what else the machine does over all of them alike. A step is timed right
    after a call that is not: what the others left in the caches, and cores that fell asleep while
    one of them ran on a single core, count for none. A step on the CPU has run when its call
    returns.
    """
    seconds = {name: [] for name in steps}
    for step in steps.values():
        for _ in range(3):
            step()
    for _ in range(rounds):
        for name, step in steps.items():
            step()
            start = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def peak_bytes(step):
    """The most memory that one call holds at a time beyond what was held before.

    TensorFlow's own count; it leaves out allocations below some 300 KB.
    """
    step()
    before = tf.config.experimental.get_memory_info("CPU:0")["current"]
    tf.config.experimental.reset_memory_stats("CPU:0")
    step()
    return max(tf.config.experimental.get_memory_info("CPU:0")["peak"] - before, 0)


def bandwidth(size):
    """Bytes a second that an elementwise op on all cores moves, over `size` bytes.

    It reads its argument, and reads the lines of its result before it writes them.
    """
    values = tf.Variable(tf.zeros([size // 4]))
    one = tf.constant(1.0)

    @tf.function
    def step():
        return tf.raw_ops.AddV2(x=values.read_value(), y=one)

    return 3 * size / median_seconds({"add": step})["add"]


def multiplications(size=2048):
    """How many products of float32 numbers all cores take a second, in a matrix multiplication."""
    matrix = tf.random.normal([size, size])
    seconds = median_seconds({"matmul": lambda: tf.linalg.matmul(matrix, matrix)})["matmul"]
    return size**3 / seconds


def zipf_labels(classes, count, seed):
    """int64 [count, 1]: class k about as often as 1 / (k + 1)."""
    u = np.random.default_rng(seed).random((count, 1))
    return tf.constant((classes**u).astype(np.int64) - 1)
