# SPDX-License-Identifier: Apache-2.0
"""The baselines: what a PyTorch user writes, as PyTorch has no samplers."""

import math

import torch


class Uniform:
    def __init__(self, classes, device):
        self.classes = classes
        self.device = device

    def draw(self, size):
        return torch.randint(0, self.classes, (size,), device=self.device)

    def probability(self, ids):
        return torch.full(ids.shape, 1 / self.classes, device=self.device)


class LogUniform:
    def __init__(self, classes, device):
        self.classes = classes
        self.device = device
        self.log_range = math.log(classes + 1)

    def draw(self, size):
        u = torch.rand(size, dtype=torch.float64, device=self.device)
        return (u * self.log_range).exp().long() - 1

    def probability(self, ids):
        return torch.log1p(1 / (ids + 1.0)) / self.log_range


class Weighted:
    """torch.multinomial, which takes up to 2^24 classes."""

    MOST = 2**24

    def __init__(self, weights):
        self.weights = weights  # float32 on the device
        self.classes = weights.numel()
        self.device = weights.device

    def draw(self, size):
        return torch.multinomial(self.weights, size, replacement=True)

    def probability(self, ids):
        return self.weights[ids] / self.weights.sum()


class Learned(Weighted):
    """Weights 1 + count. Counts are int64 as ours: float32 counts stop growing at 2^24."""

    def __init__(self, counts):
        super().__init__(None if counts is None else (counts + 1).float())
        self.counts = counts
        self.ones = None

    def draw(self, size):
        return torch.multinomial((self.counts + 1).float(), size, replacement=True)

    def probability(self, ids):
        return (self.counts[ids] + 1) / (self.counts.sum() + self.classes)

    def update(self, classes):
        if self.ones is None:
            self.ones = torch.ones_like(classes)
        self.counts.index_add_(0, classes, self.ones)


def batch(distribution, size, unique):
    """Candidates and their expected counts."""
    if not unique:
        ids = distribution.draw(size)
        return ids, distribution.probability(ids) * size
    ids = distribution.draw(size)
    while True:
        values, inverse = ids.unique(return_inverse=True)
        missing = size - values.numel()
        if missing <= 0:
            break
        ids = torch.cat([ids, distribution.draw(max(2 * missing, 64))])
    # The first distinct candidates, in the order of the draws.
    order = torch.arange(ids.numel(), device=ids.device)
    first = torch.full_like(values, ids.numel()).scatter_reduce_(0, inverse, order, "amin")
    first = first.sort().values[:size]
    ids, tries = ids[first], first[-1] + 1
    return ids, -torch.expm1(tries * torch.log1p(-distribution.probability(ids)))


def rows(distribution, count, size, unique):
    """Candidates for each row, [count, size], and their expected counts."""
    if not unique:
        ids = distribution.draw(count * size).view(count, size)
        return ids, distribution.probability(ids) * size
    width = 2 * size
    while True:
        ids = distribution.draw(count * width).view(count, width)
        ordered, order = ids.sort(dim=1, stable=True)
        first = torch.ones_like(ordered, dtype=torch.bool)
        first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
        is_new = torch.zeros_like(first).scatter_(1, order, first)
        number = is_new.cumsum(1)
        if bool((number[:, -1] >= size).all()):
            break
        width *= 2
    taken = is_new & (number <= size)
    tries = (number < size).sum(1, keepdim=True) + 1
    ids = ids[taken].view(count, size)
    return ids, -torch.expm1(tries * torch.log1p(-distribution.probability(ids)))


def accidental_hits(true_classes, candidates):
    """Rows, positions and weights of the candidates that are true classes; true_classes [B, T]."""
    hits = (true_classes[:, :, None] == candidates).any(1).nonzero()
    weights = torch.full((hits.shape[0],), -3.4028234663852886e38, device=hits.device)
    return hits[:, 0], hits[:, 1], weights
