# SPDX-License-Identifier: Apache-2.0
"""Trains a next-word model with tf.estimator: stops, goes on, evaluates, exports and serves it.

python examples/estimator/main.py [--steps N] [--model-dir DIR] [--cache DIR] ...

TensorFlow 2.15 is the last one with tf.estimator; "make demo-estimator" installs it in a folder of
its own. Run again with the same --model-dir and more --steps, training goes on where it stopped.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its log is not for the reader
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

_HERE = Path(__file__).resolve().parent
sys.path.append(str(_HERE.parent / "words"))  # whose text this is, and whose corpus

import corpus as text  # noqa: E402

TEXTS = ["the act of", "of or pertaining to the", "a large number of"]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1600, help="of training, all together")
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--sampled", type=int, default=2048, help="candidates a step")
    parser.add_argument("--held-out", type=int, default=4096, help="words to judge by")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cache", type=Path, default=text.default_cache(), help="for the text")
    parser.add_argument("--model-dir", type=Path, default=Path("build/estimator"))
    parser.add_argument("--no-keras", action="store_true", help="leave the run with Keras 2 out")
    options = parser.parse_args()
    for name in ("steps", "batch", "sampled", "held_out"):
        if getattr(options, name) < 1:
            parser.error(f"--{name.replace('_', '-')} must be at least 1")
    return options


def section(title: str) -> None:
    print(f"\n{title}\n{'-' * len(title)}", flush=True)


def main() -> None:
    options = arguments()
    section("Text: two dictionaries, from GCIDE and WordNet")
    corpus, _, _ = text.load(options.cache)
    print(
        f"{len(corpus.words):,} word forms, each a class; {len(corpus.training):,} words to train"
    )

    import language_model
    import ngrams
    import tensorflow as tf

    if not hasattr(tf, "estimator"):
        raise SystemExit(
            f"tf_candsamp: this is TensorFlow {tf.__version__}, and 2.15 was the last one with "
            "tf.estimator: 'make demo-estimator' installs that in a folder of its own."
        )
    tf.get_logger().setLevel("ERROR")
    setting = language_model.Setting(corpus, options.sampled, options.seed)
    held_out = language_model.held_out_input(setting, options.batch, options.held_out)
    training = language_model.training_input(
        setting, options.batch, options.steps, options.model_dir
    )

    def estimator() -> tf.estimator.Estimator:
        return language_model.estimator(setting, options.model_dir, max(options.steps // 4, 1))

    def report(made: tf.estimator.Estimator, seconds: float, perplexity: float) -> None:
        step = made.get_variable_value("global_step")
        counted = made.get_variable_value("sampler/counts").sum()
        print(
            f"step {step:,}: {counted:,} labels counted by the sampler, held-out perplexity "
            f"{perplexity:.1f} over all words, {seconds:.0f} s",
            flush=True,
        )

    begun = language_model.steps_made(options.model_dir)
    section(f"Training: from step {begun:,} on, half of what is left")
    started = time.perf_counter()
    made = estimator()
    made.train(training, max_steps=(begun + options.steps) // 2)
    seconds = time.perf_counter() - started
    report(made, seconds, made.evaluate(held_out)["perplexity"])

    section("Going on from the checkpoint, with train_and_evaluate")
    started = time.perf_counter()
    made = estimator()
    found, _ = tf.estimator.train_and_evaluate(
        made,
        tf.estimator.TrainSpec(training, max_steps=options.steps),
        tf.estimator.EvalSpec(held_out, steps=None, start_delay_secs=0, throttle_secs=0),
    )
    perplexity = (found or made.evaluate(held_out))["perplexity"]  # None: there was no step left
    report(made, time.perf_counter() - started, perplexity)
    judged = corpus.held_out_sample(options.held_out)
    unigram = ngrams.perplexity(ngrams.unigram_nll(corpus, judged))
    bigram = ngrams.perplexity(ngrams.bigram_nll(corpus, corpus.training, judged))
    print(f"for comparison: unigram {unigram:.1f}, bigram {bigram:.1f}")

    section("Serving the export from a process with TensorFlow alone")
    vocabulary = options.model_dir / "vocabulary.txt"
    vocabulary.write_text("\n".join(corpus.words) + "\n", encoding="utf-8")
    exported = made.export_saved_model(
        str(options.model_dir / "exported"), language_model.serving_input(vocabulary)
    )
    served = subprocess.run(
        [sys.executable, _HERE / "serve.py", exported.decode(), *TEXTS],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    for line in map(json.loads, served.splitlines()):
        likely = ", ".join(f"{w} {p:.2f}" for w, p in zip(line["next"], line["p"], strict=True))
        print(f"{line['text']} ... {likely}")

    if not options.no_keras:
        section("The same network with fit of Keras 2")
        keras_perplexity(corpus, options)


def keras_perplexity(corpus: text.Corpus, options: argparse.Namespace) -> None:
    """Trains the network of examples/words, on the same batches."""
    import network
    import ngrams
    import numpy as np

    log_frequency = np.log(ngrams.unigram(corpus)).astype(np.float32)
    made = network.Network(network.OURS, log_frequency, options.sampled, options.seed)
    batches = corpus.batches(options.batch, options.steps, options.seed)
    made.start(corpus.windows(batches[0]))
    seconds = sum(
        made.train(corpus.windows(batches[i : i + network.STEPS_AT_ONCE]))
        for i in range(0, options.steps, network.STEPS_AT_ONCE)
    )
    judged = corpus.windows(corpus.held_out_sample(options.held_out))
    nll = np.concatenate([made.nll(part) for part in np.array_split(judged, 8)])
    print(
        f"step {options.steps:,}: held-out perplexity {ngrams.perplexity(nll):.1f}, {seconds:.0f} s"
    )


if __name__ == "__main__":
    main()
