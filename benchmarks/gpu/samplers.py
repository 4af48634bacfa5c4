# SPDX-License-Identifier: Apache-2.0
"""The benchmarks of the samplers' kernels. BENCHMARKS, at the end, is the list of them."""

import functools

import numpy as np
import pytorch
import torch
from library import KINDS

CLASSES = 1_000_000
SIZES = (1024, 8192, 65536, 1_048_576)
# Of V = 1,000,000 there are not 1,048,576 distinct ones.
MANY_CLASSES = 10_000_000
ROWS, ROW_SIZE = 1024, 200
HITS_ROWS, HITS_SIZE = 1024, 8192
UPDATE = 65536
LABELS_A_CLASS = 2

SECTOR = 32  # bytes that a lookup moves at least


def case(draws, classes, size, unique, seconds, floor_seconds):
    """A case of the results. `seconds` has "ours", "torch" and "graph" (ours in a graph);
    `floor_seconds` has the floor by "memory" and by "arithmetic".
    """
    return {
        "draws": draws,
        "V": classes,
        "S": size,
        "unique": unique,
        "seconds": seconds,
        "floor_seconds": floor_seconds,
    }


def zipf_labels(classes, count, seed=1):
    return (classes ** np.random.default_rng(seed).random(count)).astype(np.int64) - 1


class Sampler:
    """A kind of distribution over `classes` classes: ours, and its substitute in PyTorch."""

    def __init__(self, run, kind, classes):
        self.run = run
        self.kind = kind
        self.classes = classes
        weights = counts = None
        if kind == "fixed_unigram":
            weights = 1 / np.arange(1, classes + 1, dtype=np.float32)
        if kind == "learned_unigram":
            labels = zipf_labels(classes, LABELS_A_CLASS * classes)
            counts = np.bincount(labels, minlength=classes).astype(np.int64)
        self.ours = run.library and run.library.distribution(kind, classes, weights, counts)
        self.torch = {
            "uniform": lambda: pytorch.Uniform(classes, run.device),
            "log_uniform": lambda: pytorch.LogUniform(classes, run.device),
            "fixed_unigram": lambda: pytorch.Weighted(run.tensor(weights)),
            "learned_unigram": lambda: pytorch.Learned(run.tensor(counts)),
        }[kind]()
        self.in_reach = classes <= pytorch.Weighted.MOST or not kind.endswith("unigram")

    @functools.cached_property
    def draw_seconds(self):
        """Seconds of a draw's arithmetic, in a kernel that does nothing else."""
        if not self.ours:
            return 0.0
        draws = 2**26 // (1 if self.run.device == "cuda" else 2**16)
        return self.run.gpu_seconds(self.ours.arithmetic(draws)) / draws

    def table_bytes(self, draws):
        """The least bytes that lookups move: a sector for each draw, or the table once."""
        each = {"fixed_unigram": [16], "learned_unigram": [8, 12]}.get(self.kind, [])
        return sum(min(SECTOR * draws, size * self.classes) for size in each)

    def floor(self, size, draws):
        """Seconds of the least memory traffic, and of the arithmetic."""
        moved = 12 * size + self.table_bytes(draws)
        return {"memory": moved / self.run.bandwidth, "arithmetic": draws * self.draw_seconds}


@functools.cache
def sampler(run, kind, classes):
    return Sampler(run, kind, classes)


def title(kind):
    return kind.replace("log_uniform", "log-uniform").replace("_", " ")


class Batch:
    """Draws of one size: our call, and where its results are."""

    def __init__(self, sampler, size, unique):
        run = sampler.run
        # Large results take turns in enough memory that they do not stay in the cache.
        sets = min(16, max(1, 12 * size // 2**20))
        self.size = size
        self.sampler = sampler
        self.ids = torch.full((sets, size), -7, dtype=torch.int64, device=run.device)
        self.counts = torch.full((sets, size), -7.0, device=run.device)
        self.unique = unique
        rare = sampler.classes - 1
        self.rare = run.tensor(np.array([rare]))
        self.rare_count = torch.zeros(1, device=run.device)
        self.call = sampler.ours and sampler.ours.batch(
            size, unique, self.rare, self.ids, self.counts, self.rare_count
        )

    def check(self):
        """Checks that the results are possible; returns the number of draws that a call makes."""
        for _ in range(self.ids.shape[0]):
            self.sampler.run.called(self.call)()
        assert 0 <= self.ids.min() and self.ids.max() < self.sampler.classes, self.ids
        assert 0 <= self.counts.min() and self.counts.max() <= self.size, self.counts
        if not self.unique:
            return self.size
        for ids in self.ids:
            assert ids.unique().numel() == self.size
        # It follows from the expected count of a rare class.
        p = self.sampler.torch.probability(self.rare).double()
        return round(float(torch.log1p(-self.rare_count.double()) / torch.log1p(-p)))


def draws(run):
    """Every kind and size, unique and not."""
    for kind in KINDS:
        for unique in (False, True):
            for size in run.sizes(SIZES):
                classes = MANY_CLASSES if unique and size > CLASSES else run.classes(CLASSES)
                if run.quick and classes > CLASSES:
                    continue
                ours = sampler(run, kind, classes)
                batch = Batch(ours, size, unique)
                draws_made = batch.check() if batch.call else size
                theirs = functools.partial(pytorch.batch, ours.torch, size, unique)
                seconds = run.compare(batch.call, theirs if ours.in_reach else None)
                floor = ours.floor(size, draws_made)
                yield case(title(kind), classes, f"{size:,}", unique, seconds, floor)


def rows(run):
    """Rows with candidates of their own."""
    count, size = run.rows(ROWS), ROW_SIZE
    splits = run.tensor(np.arange(count + 1) * size)
    ids = torch.full((count, size), -7, dtype=torch.int64, device=run.device)
    counts = torch.full((count, size), -7.0, device=run.device)
    for kind in KINDS:
        ours = sampler(run, kind, run.classes(CLASSES))
        for unique in (False, True):
            call = ours.ours and ours.ours.rows(unique, splits, ids, counts)
            theirs = functools.partial(pytorch.rows, ours.torch, count, size, unique)
            seconds = run.compare(call, theirs)
            if call:
                assert 0 <= ids.min() and ids.max() < ours.classes
            floor = ours.floor(count * size, count * size)
            name, shape = f"rows, {title(kind)}", f"{count:,} x {size}"
            yield case(name, ours.classes, shape, unique, seconds, floor)


def accidental_hits(run):
    true_classes = run.tensor(zipf_labels(CLASSES, HITS_ROWS, seed=2)[:, None])
    candidates = run.tensor(zipf_labels(CLASSES, HITS_SIZE, seed=3))
    wanted = pytorch.accidental_hits(true_classes, candidates)
    most = max(1, wanted[0].numel())
    found = [torch.zeros(most, dtype=t, device=run.device) for t in (torch.int32, torch.int64)]
    weights = torch.zeros(most, device=run.device)
    call = run.library and run.library.hits(true_classes, candidates, *found, weights)
    theirs = functools.partial(pytorch.accidental_hits, true_classes, candidates)
    seconds = run.compare(call, theirs, waits=True)
    if call:
        assert torch.equal(found[0].long(), wanted[0]) and torch.equal(found[1], wanted[1])
    moved = 8 * (HITS_ROWS + HITS_SIZE) + 16 * most
    floor = {"memory": moved / run.bandwidth}
    shape = f"{HITS_ROWS:,} x {HITS_SIZE:,}"
    yield case("accidental hits", CLASSES, shape, None, seconds, floor)


def updates(run):
    """Counting the classes of a batch."""
    ours = sampler(run, "learned_unigram", run.classes(CLASSES))
    labels = run.tensor(zipf_labels(ours.classes, UPDATE, seed=4))
    call = ours.ours and ours.ours.count(labels)
    # A label read; the sector of its count read and written.
    moved = 8 * UPDATE + 2 * min(SECTOR * UPDATE, 8 * ours.classes)
    seconds = run.compare(call, functools.partial(ours.torch.update, labels))
    floor = {"memory": moved / run.bandwidth}
    name = "learned unigram, counting"
    yield case(name, ours.classes, f"{UPDATE:,}", None, seconds, floor)


BENCHMARKS = [draws, rows, accidental_hits, updates]

END_TO_END_SIZE = 65536


def end_to_end(run):
    """Cases of drawing until ids and expected counts are in the host's memory."""
    for kind in KINDS:
        for unique in (False, True):
            size = run.sizes([END_TO_END_SIZE])[0]
            batch = Batch(sampler(run, kind, run.classes(CLASSES)), size, unique)
            if not batch.call:
                continue
            draw = run.called(batch.call)
            pairs = [(run.in_host_memory(t[0]), t[0]) for t in (batch.ids, batch.counts)]

            def step(draw=draw, pairs=pairs):
                draw()
                for host, device in pairs:
                    host.copy_(device, non_blocking=True)
                run.wait()

            key = {"kind": kind, "V": batch.sampler.classes, "S": size, "unique": unique}
            yield key | {"seconds": run.host_seconds(step)}
