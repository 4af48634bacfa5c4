# SPDX-License-Identifier: Apache-2.0
"""The benchmarks of the losses' kernels: forward and backward in one call."""

import math

import torch
from library import CHUNK

CLASSES = 1_000_000
# B, D, S
SHAPES = ((1024, 512, 8192), (8192, 1024, 16384))
# The type of inputs and tables, and whether float32 is rounded to TF32.
TYPES = (("bfloat16", False), ("float32", True), ("float32", False), ("float16", False))
SCRATCH_BYTES = 3 << 30


def compose(inputs, weights, biases, candidates, labels, label_log_q, offsets):
    """Sampled softmax as a PyTorch user writes it: the losses of all rows."""
    rows = torch.nn.functional.embedding(candidates, weights, sparse=True)
    of_labels = torch.nn.functional.embedding(labels, weights, sparse=True)
    logits = inputs @ rows.T
    logits = logits.float() + (biases[candidates].float() + offsets)
    logits = logits.masked_fill(labels[:, None] == candidates, -math.inf)
    of_label = (inputs.float() * of_labels.float()).sum(1) + biases[labels].float() - label_log_q
    logits = torch.cat([of_label[:, None], logits], 1)
    target = torch.zeros(labels.numel(), dtype=torch.int64, device=labels.device)
    return torch.nn.functional.cross_entropy(logits, target, reduction="none")


class Case:
    """A batch in the GPU's memory; candidates are distinct, labels of Zipf's law."""

    def __init__(self, run, rows, depth, sampled, dtype):
        classes, device = run.classes(CLASSES), run.device
        generator = torch.Generator(device="cpu").manual_seed(1)
        kind = getattr(torch, dtype)

        def normal(*shape, scale=1.0):
            values = torch.randn(*shape, generator=generator) * scale
            return values.to(device=device, dtype=kind)

        self.rows, self.depth, self.sampled, self.classes = rows, depth, sampled, classes
        self.dtype = dtype
        self.inputs = normal(rows, depth)
        self.weights = normal(classes, 1, scale=depth**-0.5).expand(-1, depth).contiguous()
        self.weights = self.weights * (torch.arange(depth, device=device) % 7 - 3).to(kind) / 2
        self.biases = normal(classes)
        order = torch.randperm(classes, generator=generator)
        self.candidates = order[:sampled].to(device)
        zipf = classes ** torch.rand(rows, generator=generator)
        self.labels = (zipf.long() - 1).clamp(0, classes - 1).to(device)
        self.label_log_q = torch.rand(rows, generator=generator).to(device) - 5
        self.sample_log_q = torch.rand(sampled, generator=generator).to(device) - 5
        self.grad = torch.full((rows,), 1 / rows, device=device)
        most = sampled + rows
        self.outputs = {
            "loss": torch.full((rows,), math.nan, device=device),
            "inputs_grad": torch.full_like(self.inputs, math.nan),
            "rows_grad": torch.full((most, depth), math.nan, device=device, dtype=kind),
            "biases_grad": torch.full((most,), math.nan, device=device, dtype=kind),
            "class_ids": torch.full((most,), -1, device=device),
        }

    def step(self, library, recompute, tf32, panels=(0, 0), scratch=True):
        """Our call. `scratch`: slopes are overwritten, as in a graph where nobody else has them."""
        offsets = self.biases[self.candidates].float() - self.sample_log_q
        return library.sampled_step(
            self.dtype,
            rows=self.rows,
            depth=self.depth,
            num_sampled=self.sampled,
            num_classes=self.classes,
            inputs=self.inputs,
            weights=self.weights,
            biases=self.biases,
            candidates=self.candidates,
            labels=self.labels,
            label_log_q=self.label_log_q,
            sample_offsets=offsets,
            grad=self.grad,
            logit_panel=panels[0],
            gradient_panel=panels[1],
            scratch_bytes=SCRATCH_BYTES if self.inputs.is_cuda else 64 << 20,
            nce=0,
            recompute=int(recompute),
            tf32=int(tf32),
            slopes_are_scratch=int(scratch),
            **self.outputs,
        )

    def torch_step(self):
        """PyTorch's: the losses, and gradients of inputs, rows and biases."""
        inputs, weights, biases = (
            t.detach().requires_grad_() for t in (self.inputs, self.weights, self.biases)
        )

        def step():
            losses = compose(
                inputs,
                weights,
                biases,
                self.candidates,
                self.labels,
                self.label_log_q,
                -self.sample_log_q,
            )
            return losses, torch.autograd.grad(losses, (inputs, weights, biases), self.grad)

        return step

    def products(self):
        """The three products alone, of rows that lie in one piece."""
        rows = self.weights[self.candidates]
        logits = torch.randn(self.rows, self.sampled, device=self.inputs.device).to(rows.dtype)

        def step():
            return self.inputs @ rows.T, logits @ rows, logits.T @ self.inputs

        return step

    def flops(self):
        return 3 * 2 * self.rows * self.depth * self.sampled

    def errors(self, losses, gradients):
        """How far our results are from PyTorch's: |a - b| / |b| of losses and gradients."""
        of_inputs, of_rows, _ = gradients
        ours = torch.zeros_like(self.weights, dtype=torch.float32)
        ids = self.outputs["class_ids"]
        known = ids >= 0
        ours[ids[known]] = self.outputs["rows_grad"][known].float()
        pairs = {
            "loss": (self.outputs["loss"], losses),
            "inputs_grad": (self.outputs["inputs_grad"], of_inputs),
            "rows_grad": (ours, of_rows.to_dense()),
        }
        return {
            name: float((a.float() - b.float()).norm() / b.float().norm())
            for name, (a, b) in pairs.items()
        }


def peak_bytes(step):
    """Of memory that PyTorch's allocator hands out in a step, beside what it held before."""
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    step()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def dense(run):
    """Sampled softmax, forward and backward."""
    for rows, depth, sampled in SHAPES if run.device == "cuda" else ((16, 24, 64),):
        for dtype, tf32 in TYPES:
            torch.backends.cuda.matmul.allow_tf32 = tf32
            case = Case(run, rows, depth, sampled, dtype)
            theirs = case.torch_step()
            found = {"B": rows, "D": depth, "S": sampled, "V": case.classes}
            found |= {"type": "tf32" if tf32 else dtype, "flops": case.flops()}
            # PyTorch's own loss in chunks, where it has one, takes no sampled candidates.
            found["torch_has_chunked"] = hasattr(torch.nn.functional, "linear_cross_entropy")
            steps = {"torch": theirs, "products": case.products()}
            calls = {}
            for name, recompute in (("ours", False), ("recompute", True)):
                if run.library:
                    calls[name] = case.step(run.library, recompute, tf32)
                    steps[name] = run.called(calls[name])
            found["seconds"] = run.times(steps)
            losses, gradients = theirs()
            found["error"] = {}
            for name in calls:
                steps[name]()
                run.wait()
                found["error"][name] = case.errors(losses.detach(), gradients)
            found["bytes"] = {name: call.bytes for name, call in calls.items()}
            del losses, gradients
            if run.device == "cuda":
                found["bytes"]["torch"] = peak_bytes(theirs)
            yield found


# B, D, V, and how many candidates a row has on the mean: of Zipf's law as words are, or uniform.
RAGGED_SHAPES = ((1024, 128, 1_000_000, 200), (8192, 64, 27_472, 60), (4096, 256, 1_000_000, 100))


class RaggedBatch:
    """Rows with candidates of their own, one label each, in the GPU's memory."""

    def __init__(self, run, rows, depth, classes, mean, dtype, zipf):
        device, kind = run.device, getattr(torch, dtype)
        generator = torch.Generator(device="cpu").manual_seed(2)
        # Lengths from one to many, as legal moves of a game have.
        lengths = (torch.rand(rows, generator=generator).log().neg() * mean).long() + 1
        splits = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)])
        total = int(splits[-1])
        u = torch.rand(total, generator=generator)
        ids = (classes**u).long() - 1 if zipf else (classes * u).long()
        chunks = torch.clamp((lengths + 1 + CHUNK - 1) // CHUNK, min=1)
        self.first_chunks = torch.cat([torch.zeros(1, dtype=torch.int64), chunks.cumsum(0)])
        self.rows, self.depth, self.classes, self.total = rows, depth, classes, total
        self.dtype = dtype
        self.splits = splits.to(device)
        self.candidates = ids.clamp(0, classes - 1).to(device)
        self.labels = torch.randint(0, classes, (rows,), generator=generator).to(device)
        self.row_of = torch.repeat_interleave(torch.arange(rows), lengths).to(device)
        self.inputs = torch.randn(rows, depth, generator=generator).to(device, kind)
        self.weights = (torch.randn(classes, depth, generator=generator) * depth**-0.5).to(
            device, kind
        )
        self.biases = torch.randn(classes, generator=generator).to(device, kind)
        self.grad = torch.full((rows,), 1 / rows, device=device)
        self.distinct = int(torch.cat([self.candidates, self.labels]).unique().numel())
        self.outputs = {
            "loss": torch.full((rows,), math.nan, device=device),
            "inputs_grad": torch.full_like(self.inputs, math.nan),
            "rows_grad": torch.full((self.distinct, depth), math.nan, device=device, dtype=kind),
            "biases_grad": torch.full((self.distinct,), math.nan, device=device, dtype=kind),
            "class_ids": torch.full((self.distinct,), -1, device=device),
        }

    def step(self, library):
        return library.ragged_step(
            self.dtype,
            rows=self.rows,
            depth=self.depth,
            num_candidates=self.total,
            num_classes=self.classes,
            num_chunks=int(self.first_chunks[-1]),
            inputs=self.inputs,
            weights=self.weights,
            biases=self.biases,
            labels=self.labels,
            label_splits=torch.arange(self.rows + 1, device=self.inputs.device),
            candidates=self.candidates,
            candidate_splits=self.splits,
            first_chunks=self.first_chunks.to(self.inputs.device),
            grad=self.grad,
            most_classes=self.distinct,
            scratch_bytes=SCRATCH_BYTES if self.inputs.is_cuda else 64 << 20,
            nce=0,
            **self.outputs,
        )

    def torch_step(self):
        """What a PyTorch user composes: gathered rows, a segmented logsumexp, sparse gradients."""
        leaves = tuple(
            t.detach().requires_grad_() for t in (self.inputs, self.weights, self.biases)
        )

        def step():
            inputs, weights, biases = leaves
            embed = torch.nn.functional.embedding
            ids = torch.cat([self.labels, self.candidates])
            row_of = torch.cat([torch.arange(self.rows, device=ids.device), self.row_of])
            logits = (embed(ids, weights, sparse=True) * inputs[row_of]).sum(1).float()
            logits = logits + biases[ids].float()
            hits = torch.zeros_like(logits, dtype=torch.bool)
            hits[self.rows :] = self.candidates == self.labels[self.row_of]
            logits = logits.masked_fill(hits, -math.inf)
            largest = torch.full((self.rows,), -math.inf, device=ids.device)
            largest = largest.scatter_reduce(0, row_of, logits.detach(), "amax")
            sums = torch.zeros(self.rows, device=ids.device)
            sums = sums.index_add(0, row_of, (logits - largest[row_of]).exp())
            losses = largest + sums.log() - logits[: self.rows]
            return losses, torch.autograd.grad(losses, leaves, self.grad)

        return step

    def floor_bytes(self):
        """Distinct rows read, their gradients written; inputs and their gradients; ids."""
        size = self.weights.element_size()
        return (2 * self.distinct + 2 * self.rows) * self.depth * size + 8 * self.total

    def row_bytes(self):
        """As if each candidate's row came from memory, forward and backward."""
        size = self.weights.element_size()
        rows = 2 * (self.total + self.rows) + self.distinct + 2 * self.rows
        return rows * self.depth * size + 8 * self.total

    def errors(self, losses, gradients):
        ours = torch.zeros(self.weights.shape, device=self.inputs.device)
        ours[self.outputs["class_ids"]] = self.outputs["rows_grad"].float()
        pairs = {
            "loss": (self.outputs["loss"], losses.detach()),
            "inputs_grad": (self.outputs["inputs_grad"], gradients[0]),
            "rows_grad": (ours, gradients[1].to_dense()),
        }
        return {
            name: float((a.float() - b.float()).norm() / b.float().norm())
            for name, (a, b) in pairs.items()
        }


def ragged(run):
    """Ragged sampled softmax, forward and backward."""
    for rows, depth, classes, mean in RAGGED_SHAPES if run.device == "cuda" else ((8, 24, 999, 9),):
        for dtype in ("float32", "bfloat16"):
            for zipf in (True, False):
                batch = RaggedBatch(run, rows, depth, classes, mean, dtype, zipf)
                theirs = batch.torch_step()
                steps = {"torch": theirs}
                if run.library:
                    call = batch.step(run.library)
                    steps["ours"] = run.called(call)
                found = {"B": rows, "D": depth, "V": classes, "N": batch.total, "type": dtype}
                found |= {"ids": "Zipf" if zipf else "uniform", "distinct": batch.distinct}
                found |= {"floor_bytes": batch.floor_bytes(), "row_bytes": batch.row_bytes()}
                found["seconds"] = run.times(steps)
                if run.library:
                    found["error"] = batch.errors(*theirs())
                    found["bytes"] = {"ours": call.bytes}
                    if run.device == "cuda":
                        found["bytes"]["torch"] = peak_bytes(theirs)
                yield found


# V, D, N
UPDATE_SHAPES = ((1_000_000, 64, 16384), (1_000_000, 128, 65536), (4_000_000, 64, 65536))


def torch_update(name, table, ids, gradients):
    """A step of PyTorch's optimizer of that name on a sparse gradient."""
    weight = torch.nn.Parameter(table)
    if name == "Adam":
        optimizer = torch.optim.SparseAdam([weight], lr=1e-3)
    else:
        optimizer = torch.optim.Adagrad([weight], lr=1e-3, eps=1e-7)

    def step():
        weight.grad = torch.sparse_coo_tensor(
            ids[None], gradients, table.shape, check_invariants=False
        )
        optimizer.step()

    return step


def updates(run):
    """Adam and Adagrad on the rows of a gradient, beside torch.optim.SparseAdam and Adagrad."""
    for classes, depth, count in UPDATE_SHAPES if run.device == "cuda" else ((999, 24, 64),):
        generator = torch.Generator(device="cpu").manual_seed(3)
        ids = torch.randint(0, classes, (count,), generator=generator).to(run.device)
        gradients = torch.randn(count, depth, generator=generator).to(run.device)
        for name in ("Adam", "Adagrad"):
            table = torch.zeros(classes, depth, device=run.device)
            theirs = torch_update(name, torch.zeros_like(table), ids, gradients)
            steps = {"torch": theirs}
            if run.library:
                slots = [torch.zeros_like(table) for _ in range(2 if name == "Adam" else 1)]
                slots += [None] * (2 - len(slots))
                scratch = 2 << 30 if run.device == "cuda" else 64 << 20
                steps["ours"] = run.called(
                    run.library.update(table, *slots, ids, gradients, scratch)
                )
            distinct = int(ids.unique().numel())
            arrays = 3 if name == "Adam" else 2
            moved = (2 * arrays * distinct + count) * depth * 4
            yield {
                "optimizer": name,
                "V": classes,
                "D": depth,
                "N": count,
                "floor_bytes": moved,
                "seconds": run.times(steps),
            }


BENCHMARKS = [dense, ragged, updates]
