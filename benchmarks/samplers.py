"""Candidate samplers, ours and TensorFlow's, side by side in one process: time and peak memory.

Run: .venv/bin/python benchmarks/samplers.py [--quick] [--kinds uniform,learned_unigram]

Each sampler is called 32 times within a compiled function, one call after the other (8 times for
the largest S). The learned one has counted TRAINED labels before and counts TRUE ones with each
call; labels and the weights of the fixed one follow Zipf's law. TensorFlow's fixed one takes its
weights as an attribute of the op, which is not done for 100M classes; ours is then a
`FixedUnigramSampler`.

The floor is what no implementation of the same draws avoids, each at a rate measured in this run:
- an op: TensorFlow's all-candidate sampler with one candidate, called in the same way;
- memory: 12 bytes written for each candidate, and with a table a line of 64 bytes read for each
  draw, at the bandwidth of an elementwise op over as large a table;
- random words: two for each draw, of five products of 32-bit numbers each (Philox), at half the
  rate of the products in a matrix multiplication, as vectors hold half as many such products.
Distinct candidates take more draws than candidates; how many follows from the expected counts.
Logarithms, exponentials and the set of classes seen are not in it.

Peak memory is by TensorFlow's count: the hash set of its own samplers is not in it, ours is.
"""

import argparse
import functools
import gc
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import harness
import numpy as np
import tensorflow as tf

import tf_candsamp as tfcs

CLASSES = (1_000_000, 100_000_000)
SIZES = (64, 1024, 8192, 65536)
TRUE = 128
CALLS = 32
TRAINED = 2_000_000


def repeated(sample):
    """A function of true classes that calls `sample` with them, one call after the other."""

    @tf.function(autograph=False)
    def step(true_classes):
        outputs = []
        for _ in range(CALLS):
            with tf.control_dependencies(outputs):
                outputs = list(sample(true_classes))
        return outputs[0][0]

    return step


def looped(sample):
    """The same with a single node, for ops that keep a table in each."""

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None, 1], tf.int64)])
    def step(true_classes):
        def body(k, _):
            return k + 1, sample(true_classes)[0][0]

        first = tf.constant(0, tf.int64)
        return tf.while_loop(lambda k, _: k < CALLS, body, (0, first), parallel_iterations=1)[1]

    return step


REPEAT = {
    "uniform": repeated,
    "log_uniform": repeated,
    "learned_unigram": looped,
    "fixed_unigram": looped,
}


def zipf_weights(classes):
    return 1 / np.arange(1, classes + 1, dtype=np.float32)


def samplers(kind, classes, size, unique):
    """Functions of true classes, ours and TensorFlow's, and one of our sampler objects."""
    arguments = {"num_true": 1, "num_sampled": size, "unique": unique, "range_max": classes}
    name = f"{kind}_candidate_sampler"
    ours = functools.partial(getattr(tfcs, name), seed=1, **arguments)
    core = functools.partial(getattr(tf.random, name), seed=1, **arguments)
    if kind == "uniform":
        return ours, core, tfcs.UniformSampler(classes, unique=unique)
    if kind == "log_uniform":
        return ours, core, tfcs.LogUniformSampler(classes, unique=unique)
    if kind == "learned_unigram":
        sampler = tfcs.LearnedUnigramSampler(classes, unique=unique, seed=1)
        ours = functools.partial(getattr(tfcs, name), sampler=sampler, **arguments)
        return ours, core, sampler
    sampler = tfcs.FixedUnigramSampler(zipf_weights(classes), unique=unique)
    if classes > CLASSES[0]:
        return functools.partial(sampler.sample, size), None, sampler
    weights = zipf_weights(classes).tolist()
    return (
        functools.partial(ours, unigrams=weights),
        functools.partial(core, unigrams=weights),
        sampler,
    )


def draws_made(sampler, size):
    """How many draws a call of the sampler makes: it says so in the expected count of a class."""
    if not sampler.unique:
        return size
    rare = sampler.range_max - 1
    count = sampler.sample(size, [[rare]]).true_expected_count.numpy().item()
    return np.log1p(-count) / np.log1p(-sampler.probability(rare).numpy().item())


@functools.cache
def op_seconds(repeat):
    """What a call takes that has next to nothing to do."""
    true_classes = tf.zeros([1, 1], tf.int64)
    step = repeat(lambda t: tf.random.all_candidate_sampler(t, 1, 1, False))
    return harness.median_seconds({"op": lambda: step(true_classes)})["op"] / CALLS


@functools.cache
def bandwidth(size):
    return harness.bandwidth(size)


@functools.cache
def multiplications():
    return harness.multiplications()


def floor_seconds(kind, classes, size, draws):
    has_table = kind.endswith("unigram")
    bytes_moved = 12 * size + (64 * draws if has_table else 0)
    table_size = max(8 * classes if has_table else 0, 2**23)
    return (
        op_seconds(REPEAT[kind])
        + bytes_moved / bandwidth(table_size)
        + 2 * draws * 5 / (multiplications() / 2)
    )


def row(kind, classes, size, unique, rounds):
    """One line of the table."""
    ours, core, sampler = samplers(kind, classes, size, unique)
    true_classes = harness.zipf_labels(classes, TRUE, seed=1)
    steps = {}
    for name, sample in (("ours", ours), ("core", core)):
        if sample:
            step = REPEAT[kind](sample)
            if kind == "learned_unigram":
                step(harness.zipf_labels(classes, TRAINED // CALLS, seed=2))
            steps[name] = functools.partial(step, true_classes)
    seconds = {name: all / CALLS for name, all in harness.median_seconds(steps, rounds).items()}
    peak = {name: harness.peak_bytes(step) for name, step in steps.items()}
    floor = floor_seconds(kind, classes, size, draws_made(sampler, size))

    def ns(seconds):
        return f"{seconds / size * 1e9:.1f}"

    return [
        kind,
        f"{classes:,}",
        f"{size:,}",
        "yes" if unique else "no",
        ns(seconds["ours"]),
        ns(seconds["core"]) if core else "-",
        f"{seconds['core'] / seconds['ours']:.1f}x" if core else "-",
        f"{peak['ours'] / 1e6:.1f}",
        f"{peak['core'] / 1e6:.1f}" if core else "-",
        ns(floor),
        f"{floor / seconds['ours']:.0%}",
    ]


def build_seconds(make):
    """Until the first candidates of what `make` returns are there, less what others take."""
    start = time.perf_counter()
    sample = tf.function(make(), autograph=False)
    sample()
    first = time.perf_counter()
    sample()
    return (first - start) - (time.perf_counter() - first)


def print_builds(classes, size=64):
    """What it takes to make a table of a tensor of weights, or of an attribute."""
    weights = tf.constant(zipf_weights(classes))
    attribute = weights.numpy().tolist()

    def core():
        return lambda: tf.random.fixed_unigram_candidate_sampler(
            [[0]], 1, size, True, classes, unigrams=attribute
        )

    def ours():
        sampler = tfcs.FixedUnigramSampler(weights)
        return lambda: sampler.sample(size)

    slow = build_seconds(core)
    fast = min(build_seconds(ours) for _ in range(5))
    print(
        f"\nA fixed-unigram table of {classes:,} weights: ours of a tensor in {fast:.3f} s, "
        f"TensorFlow's of an attribute in {slow:.1f} s, {slow / fast:.0f}x."
    )


def print_looks(classes, rounds, size=64):
    """What a learned sampler's draw takes after its counts were looked at from outside."""
    labels = harness.zipf_labels(classes, TRUE, seed=1)
    trained = harness.zipf_labels(classes, TRAINED, seed=2)

    def make():
        sampler = tfcs.LearnedUnigramSampler(classes)
        sampler.update(trained)
        return sampler, tf.function(lambda: sampler.sample(size, labels), autograph=False)

    (_, never), (once, after), (often, each) = make(), make(), make()
    tf.gather(once.counts, [0])
    seconds = harness.median_seconds(
        {
            "never": never,
            "once": after,
            "each": lambda: (tf.gather(often.counts, [0]), each()),
        },
        rounds,
    )
    print(
        f"\nA draw of {size} of {classes:,} learned classes and {TRUE} updates: "
        f"{seconds['never'] * 1e3:.2f} ms; after a tf.gather of the counts "
        f"{seconds['once'] / seconds['never']:.2f}x; with a tf.gather before each draw "
        f"{seconds['each'] / seconds['never']:.1f}x."
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="1M classes, few rounds")
    parser.add_argument("--kinds", default=",".join(REPEAT), help="which, with commas between")
    options = parser.parse_args()
    kinds = options.kinds.split(",")
    if not set(kinds) <= set(REPEAT):
        parser.error(f"--kinds must be of {', '.join(REPEAT)}, got {options.kinds}")
    heads = (
        "kind|V|S|unique|ours ns/sample|TF ns/sample|ratio|ours peak MB|TF peak MB|floor ns/sample"
        "|share of it"
    ).split("|")
    print(f"{harness.machine()}\n\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for kind in kinds:
        for classes in CLASSES[: 1 if options.quick else None]:
            sizes = SIZES
            if kind == "fixed_unigram" and classes == CLASSES[0]:
                sizes = SIZES[:: len(SIZES) - 1]  # TensorFlow's op takes seconds to build
            for size in sizes:
                for unique in (False, True):
                    rounds = 3 if options.quick else harness.ROUNDS
                    print(f"| {' | '.join(row(kind, classes, size, unique, rounds))} |", flush=True)
                    gc.collect()  # the ops' tables
    if "fixed_unigram" in kinds:
        print_builds(CLASSES[0])
    if "learned_unigram" in kinds:
        print_looks(CLASSES[0], 3 if options.quick else harness.ROUNDS)


if __name__ == "__main__":
    main()
