# SPDX-License-Identifier: Apache-2.0
"""What a sampler's table costs beside the draws: to build it, and after a look at its variable.

Run: .venv/bin/python benchmarks/sampler_tables.py [--quick] [--only TEXT] [--rounds N]
     [--out FOLDER]

- build: a fixed-unigram table of V weights: ours of a tensor, TensorFlow's of an op's attribute.
  It is the time of a first call less that of a second one.
- look: a draw of S candidates of a learned sampler, and an update with TRUE labels: with no look at
  its counts, after one `tf.gather` of them, and with a `tf.gather` before each draw.
"""

import time

import harness
import tensorflow as tf
from samplers import TRAINED, TRUE, zipf_weights

import tf_candsamp as tfcs

CASES = [
    {"what": "build", "kind": "fixed_unigram", "V": 1_000_000},
    {"what": "look", "kind": "learned_unigram", "V": 1_000_000},
]
SIZE = 64
BUILDS = 3


def build_seconds(make):
    """Until the first candidates of what `make` returns are there, less what the next ones take."""
    start = time.perf_counter()
    sample = tf.function(make(), autograph=False)
    sample()
    first = time.perf_counter()
    sample()
    return (first - start) - (time.perf_counter() - first)


def measure_build(case, rounds):
    weights = tf.constant(zipf_weights(case["V"]))
    attribute = weights.numpy().tolist()

    def core():
        return lambda: tf.random.fixed_unigram_candidate_sampler(
            [[0]], 1, SIZE, True, case["V"], unigrams=attribute
        )

    def ours():
        drawn_from = tfcs.FixedUnigramSampler(weights)
        return lambda: drawn_from.sample(SIZE)

    builds = min(rounds, BUILDS)
    build_seconds(ours)  # the first one also loads code
    times = harness.Times(
        {
            "ours": [build_seconds(ours) for _ in range(builds)],
            "core": [build_seconds(core) for _ in range(builds)],
        }
    )
    return {"seconds": times.spreads(), "ratios": times.ratios("core/ours")}


def measure_look(case, rounds):
    labels = harness.zipf_labels(case["V"], TRUE, seed=1)
    trained = harness.zipf_labels(case["V"], TRAINED, seed=2)

    def make():
        sampler = tfcs.LearnedUnigramSampler(case["V"])
        sampler.update(trained)
        return sampler, tf.function(lambda: sampler.sample(SIZE, labels), autograph=False)

    (_, never), (once, after), (often, each) = make(), make(), make()
    tf.gather(once.counts, [0])
    steps = {
        "never": never,
        "once": after,
        "each": lambda: (tf.gather(often.counts, [0]), each()),
    }
    times = harness.time_steps(steps, rounds)
    return {"seconds": times.spreads(), "ratios": times.ratios("once/never", "each/never")}


def measure(case, rounds):
    return {"build": measure_build, "look": measure_look}[case["what"]](case, rounds)


if __name__ == "__main__":
    settings = {"S": SIZE, "true_classes": TRUE, "labels_counted_before": TRAINED}
    harness.run("sampler_tables", __doc__, CASES, measure, settings=settings)
