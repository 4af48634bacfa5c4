# SPDX-License-Identifier: Apache-2.0
"""The benchmarks of the losses' kernels: forward and backward in one call."""

import math

import torch

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
                found["error"][name] = case.errors(losses, gradients)
            found["bytes"] = {name: call.bytes for name, call in calls.items()}
            del losses, gradients
            if run.device == "cuda":
                found["bytes"]["torch"] = peak_bytes(theirs)
            yield found


BENCHMARKS = [dense]
