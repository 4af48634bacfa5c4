# SPDX-License-Identifier: Apache-2.0
"""Which ops have GPU kernels, and what those say that have none."""

import re

import pytest
import tensorflow as tf
from internals import GPU_KERNELS, ops
from processes import ROOT

# TensorFlow has no public name that asks its registry.
from tensorflow.python.framework import kernels, op_def_registry

import tf_candsamp as tfcs
from tf_candsamp import _devices as _devices_of_package

_DOCS = ROOT / "docs" / "gpu.md"

# Their variables are on the host.
_ON_HOST = {"Candsamp>CountStep", "Candsamp>FrequencyUpdate", "Candsamp>FrequencyGaps"}


def _ops():
    """The names of all ops of the library."""
    names = [
        "Candsamp>" + "".join(part.title() for part in name[len("candsamp_") :].split("_"))
        for name in dir(ops)
        if name.startswith("candsamp_") and not name.endswith("_eager_fallback")
    ]
    assert all(op_def_registry.get(name) for name in names), names
    return names


def _devices(op):
    return {kernel.device_type for kernel in kernels.get_registered_kernels_for_op(op).kernel}


def _promised():
    return set(re.findall(r"`(Candsamp>\w+)`", _DOCS.read_text()))


needs_gpu_kernels = pytest.mark.skipif(
    not GPU_KERNELS, reason="the installed wheel was built without nvcc"
)


def test_every_op_has_a_cpu_kernel():
    for op in _ops():
        assert "CPU" in _devices(op), op


@needs_gpu_kernels
def test_every_op_that_computes_has_a_gpu_kernel():
    computing = [op for op in _ops() if op not in _ON_HOST]
    assert len(computing) > 45
    assert [op for op in computing if "GPU" not in _devices(op)] == []


@needs_gpu_kernels
@pytest.mark.parametrize("op", _ops())
def test_gpu_kernels_take_the_types_of_the_cpu_kernels(op):
    """Whatever pair of types runs on a CPU runs on a GPU, if any does."""

    def types(device):
        return {
            tuple(sorted((c.name, tuple(c.allowed_values.list.type)) for c in kernel.constraint))
            for kernel in kernels.get_registered_kernels_for_op(op).kernel
            if kernel.device_type == device
        }

    if types("GPU"):
        assert types("GPU") == types("CPU")


@needs_gpu_kernels
def test_docs_promise_what_is_registered():
    assert _promised() == {op for op in _ops() if "GPU" in _devices(op)}


@pytest.mark.parametrize(
    "loss",
    [
        lambda w, b, x: tfcs.sampled_softmax_loss(w, b, [[1], [2]], x, 3, 10),
        lambda w, b, x: tfcs.nce_loss(w, b, [[1], [2]], x, 3, 10),
        lambda w, b, x: tfcs.ragged_sampled_softmax_loss(
            w, b, [1, 2], x, tf.ragged.constant([[3], [4, 5]], dtype=tf.int64)
        ),
        lambda w, b, x: tfcs.ragged_candidate_logits(
            w, b, x, tf.ragged.constant([[3], [4, 5]], dtype=tf.int64)
        ),
    ],
)
def test_losses_of_a_wheel_without_gpu_kernels_say_so(loss, monkeypatch):
    weights = tf.Variable(tf.ones([10, 4]))
    biases = tf.Variable(tf.zeros([10]))
    gpu = "/job:localhost/replica:0/task:0/device:GPU:0"
    monkeypatch.setattr(type(weights), "device", property(lambda self: gpu))
    # No GPU is here: where the wheel has kernels, nothing but the check is seen.
    monkeypatch.setattr(_devices_of_package, "GPU_KERNELS", False)
    with pytest.raises(tf.errors.UnimplementedError, match="weights is a variable on .*GPU:0"):
        loss(weights, biases, tf.ones([2, 4]))
    with pytest.raises(tf.errors.UnimplementedError, match="biases is a variable on .*GPU:0"):
        loss(tf.ones([10, 4]), biases, tf.ones([2, 4]))
    monkeypatch.setattr(_devices_of_package, "GPU_KERNELS", True)
    loss(weights, biases, tf.ones([2, 4]))


@pytest.mark.parametrize("in_function", [False, True])
def test_what_the_host_must_know_stays_there(in_function, monkeypatch):
    """With TensorFlow for GPUs some small tensors are made on the CPU, to the same effect."""

    def draw():
        sampler = tfcs.LogUniformSampler(100, seed=1)
        learned = tfcs.LearnedUnigramSampler(100, seed=1)

        def step(size, labels):
            rows = sampler.sample_ragged([2, 3], labels, exclude_true=True)
            plain = learned.sample_ragged(tf.stack([size, 1]))
            return [
                sampler.sample(size, labels).sampled_candidates,
                sampler.sample(7).sampled_candidates,
                rows.candidates.values,
                plain.candidates.values,
            ]

        step = tf.function(step) if in_function else step
        return [step(tf.constant(size), tf.constant([[3], [4]])) for size in (5, 1)]

    want = draw()
    monkeypatch.setattr(tf.test, "is_built_with_cuda", lambda: True)
    for a, b in zip(tf.nest.flatten(draw()), tf.nest.flatten(want), strict=True):
        assert a.numpy().tolist() == b.numpy().tolist()
