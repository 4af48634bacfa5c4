# SPDX-License-Identifier: Apache-2.0
"""Trains a next-word model over every word form of two dictionaries, with three losses.

python examples/words/main.py [--seeds N ...] [--steps N] [--cache DIR] [--out DIR] ...
"""

import argparse
import json
import os
import time
from pathlib import Path

import corpus as text

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its log is not for the reader
# Without oneDNN, TensorFlow's default on most machines, tf.nn's matrix products are slower.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], metavar="N")
    parser.add_argument("--steps", type=int, default=1600, help="of each sampled loss, a seed")
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--sampled", type=int, default=2048, help="candidates a step")
    parser.add_argument("--held-out", type=int, default=4096, help="words to judge by")
    parser.add_argument("--cache", type=Path, default=text.default_cache(), help="for the text")
    parser.add_argument("--out", type=Path, default=Path("build/words"), help="for the report")
    options = parser.parse_args()
    for name in ("steps", "batch", "sampled", "held_out"):
        if getattr(options, name) < 1:
            parser.error(f"--{name.replace('_', '-')} must be at least 1")
    return options


def main() -> None:
    options = arguments()
    written = []
    started = time.perf_counter()

    def say(line: str = "") -> None:
        written.append(line)
        print(line, flush=True)

    def section(title: str) -> None:
        say(f"\n{title}\n{'-' * len(title)}")

    section("Text: two dictionaries, from GCIDE and WordNet")
    corpus, path, cached = text.load(options.cache)
    say(f"{'read from' if cached else 'saved to'} {path}")
    say(
        f"{len(corpus.words):,} word forms, each a class; {len(corpus.training):,} words to train "
        f"on, {len(corpus.held_out):,} held out by headword"
    )
    untrained = (corpus.counts[corpus.stream[corpus.held_out]] == 0).mean()
    say(f"{untrained:.1%} of the held-out words never occur in the training text")
    prepared = time.perf_counter()

    import ngrams
    import summary
    import tensorflow as tf
    from race import Setting, race

    import tf_candsamp as tfcs

    setting = Setting(
        tuple(options.seeds),
        options.steps,
        options.batch,
        options.sampled,
        held_out=options.held_out,
    )
    judged = corpus.held_out_sample(setting.held_out)
    shown = corpus.batches(setting.batch, setting.steps, setting.seeds[0]).ravel()
    baselines = {
        "unigram": ngrams.unigram_nll(corpus, judged),
        "bigram of the words shown": ngrams.bigram_nll(corpus, shown, judged),
        "bigram of all training words": ngrams.bigram_nll(corpus, corpus.training, judged),
    }
    baselines = {name: ngrams.perplexity(nll) for name, nll in baselines.items()}

    section("Training: the same batches for each way, in turns")
    say(
        f"{setting.steps:,} steps of {setting.batch:,} words, together "
        f"{shown.size / len(corpus.training):.0%} of the training text; "
        f"{setting.num_sampled:,} candidates a step; seeds {options.seeds}"
    )
    runs = list(race(corpus, setting))
    about = {
        "classes": len(corpus.words),
        "training words": len(corpus.training),
        "held-out words": len(corpus.held_out),
        "packages": corpus.packages.tolist(),
        "tensorflow": tf.__version__,
        "tf_candsamp": tfcs.__version__,
    }
    found = summary.figures(runs, setting, about, baselines)

    section(f"Held-out perplexity over all classes, on {len(judged):,} words, and its price")
    for name, perplexity in baselines.items():
        say(f"{name:32}{perplexity:10.1f}")
    say()
    say(summary.comparison(found))
    say()
    say(summary.by_seed(found))
    say()
    say(summary.conclusion(found))

    options.out.mkdir(parents=True, exist_ok=True)
    summary.picture(options.out / "report.png", found)
    (options.out / "report.json").write_text(json.dumps(found, indent=2) + "\n")
    say(f"picture, figures and this text: {options.out}/report.png, report.json, report.txt")
    say(
        f"text {prepared - started:.0f} s, all {time.perf_counter() - started:.0f} s, "
        f"of it {sum(run.seconds[-1] for run in runs):.0f} s of training steps"
    )
    (options.out / "report.txt").write_text("\n".join(written) + "\n")


if __name__ == "__main__":
    main()
