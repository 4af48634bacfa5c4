# SPDX-License-Identifier: Apache-2.0
"""Two simple models to compare with: how frequent a word is, and how frequent after another."""

import numpy as np
from corpus import Corpus

DISCOUNT = 0.75


def unigram(corpus: Corpus) -> np.ndarray:
    """float64 [V]: probabilities in proportion to the training counts plus one."""
    return (corpus.counts + 1) / (corpus.counts.sum() + len(corpus.counts))


def unigram_nll(corpus: Corpus, positions: np.ndarray) -> np.ndarray:
    """Minus log probability of the word at each position by its frequency."""
    return -np.log(unigram(corpus)[corpus.stream[positions]])


def bigram_nll(corpus: Corpus, training: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """The same by the word before: absolute discounting, interpolated with the unigram.

    Pairs are counted at the positions `training`, all or those that a network was shown.
    """
    classes = len(corpus.counts)

    def pairs(at: np.ndarray) -> np.ndarray:
        return corpus.stream[at - 1].astype(np.int64) * classes + corpus.stream[at]

    seen, times = np.unique(pairs(training), return_counts=True)
    before = np.bincount(seen // classes, weights=times, minlength=classes)
    followers = np.bincount(seen // classes, minlength=classes)

    wanted = pairs(positions)
    place = np.minimum(np.searchsorted(seen, wanted), len(seen) - 1)
    count = np.where(seen[place] == wanted, times[place], 0)
    word = corpus.stream[positions - 1]
    total = np.maximum(before[word], 1)
    held_back = np.where(before[word] > 0, DISCOUNT * followers[word] / total, 1)
    lower = unigram(corpus)[corpus.stream[positions]]
    return -np.log(np.maximum(count - DISCOUNT, 0) / total + held_back * lower)


def perplexity(nll: np.ndarray) -> float:
    """exp of the mean."""
    return float(np.exp(np.mean(nll)))
