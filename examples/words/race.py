# SPDX-License-Identifier: Apache-2.0
"""The race: three networks train on the same batches, taking turns.

In each turn tf.nn's network trains for a few steps, then ours for as many on the same batches; then
the full softmax, on those batches from the first one on, until it has had as much time as tf.nn's.
So whatever else the machine is doing meets all alike. Only steps are timed: not the making of
batches, not evaluation, and not what TensorFlow does once.
"""

import gc
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

import ngrams
import numpy as np
from corpus import Corpus
from network import FULL, OURS, STOCK, Network
from tqdm import tqdm

TURN = 50  # steps


@dataclass(frozen=True)
class Setting:
    """What is trained, and how it is judged."""

    seeds: tuple[int, ...] = (1, 2, 3)  # of the first values, the batches and the candidates
    steps: int = 1600  # of each sampled way
    batch: int = 1024
    num_sampled: int = 2048
    points: int = 5  # of a curve, after its start
    held_out: int = 4096  # positions that judge a network


@dataclass
class Run:
    """How one network did; the lists have an item for each point of its curve."""

    way: str
    seed: int
    steps: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    perplexity: list[float] = field(default_factory=list)
    loss_seconds: float = 0.0  # of one step: the loss, forward and backward


def race(corpus: Corpus, setting: Setting) -> Iterator[Run]:
    """Trains all networks, with a progress bar: all three ways for the first seed, then two."""
    total = 2 * len(setting.seeds) * setting.steps * setting.batch
    with tqdm(total=total, unit="token", unit_scale=True, mininterval=_bar_interval()) as bar:
        for seed in setting.seeds:
            ways = (STOCK, OURS, FULL) if seed == setting.seeds[0] else (STOCK, OURS)
            yield from _race_once(corpus, setting, seed, ways, bar)
            gc.collect()  # a network holds half a gigabyte


def _race_once(corpus: Corpus, setting: Setting, seed: int, ways, bar: tqdm) -> list[Run]:
    batches = corpus.batches(setting.batch, setting.steps, seed)
    held_out = corpus.windows(corpus.held_out_sample(setting.held_out))
    log_frequency = np.log(ngrams.unigram(corpus)).astype(np.float32)

    networks = {way: Network(way, log_frequency, setting.num_sampled, seed) for way in ways}
    runs = {way: Run(way, seed) for way in ways}
    for contestant in networks.values():
        contestant.start(corpus.windows(batches[0]))

    def judge() -> None:
        for way, run in runs.items():
            run.steps.append(networks[way].steps)
            run.seconds.append(networks[way].seconds)
            run.perplexity.append(ngrams.perplexity(networks[way].nll(held_out)))

    def train(way: str, first: int, last: int) -> None:
        networks[way].train(corpus.windows(batches[first:last]))
        if way != FULL:
            bar.update((last - first) * setting.batch)

    def speed(network: Network) -> float:
        return network.steps * setting.batch / network.seconds

    judge()
    evaluated_at = np.linspace(0, setting.steps, setting.points + 1).round().astype(int)[1:]
    first = 0
    while first < setting.steps:
        last = min(first + TURN, evaluated_at[evaluated_at > first][0])
        for way in (STOCK, OURS):
            train(way, first, last)
        if FULL in networks:
            full = networks[FULL]
            while full.seconds < networks[STOCK].seconds and full.steps < last:
                train(FULL, full.steps, full.steps + 1)
        first = last
        if first in evaluated_at:
            judge()
        bar.set_description(f"seed {seed}")
        bar.set_postfix_str(
            ", ".join(f"{way} {speed(network):,.0f}/s" for way, network in networks.items())
        )

    timed = corpus.windows(batches[: 2 * TURN])
    for way, run in runs.items():
        run.loss_seconds = networks[way].loss_seconds(timed[:3] if way == FULL else timed)
    return list(runs.values())


def _bar_interval() -> float:
    return 0.5 if sys.stderr.isatty() else 10  # seconds: a log keeps every state of the bar
