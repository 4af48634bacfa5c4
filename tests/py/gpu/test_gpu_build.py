# SPDX-License-Identifier: Apache-2.0
"""The library that carries GPU kernels: what it needs to load, and for which GPUs it has code."""

import pathlib
import re
import struct
import subprocess

import processes
import pytest
from internals import GPU_CODE, GPU_KERNELS

import tf_candsamp

_LIBRARY = pathlib.Path(tf_candsamp.__file__).with_name("libtf_candsamp.so")

# nvcc's container of device code ("fat binary"): a header of magic, version, its own size and
# that of what follows; then entries, each with a header of kind, version, its own size, the size
# of its content, and at byte 28 the compute capability.
_FATBIN = re.compile(re.escape(struct.pack("<IHH", 0xBA55ED50, 1, 16)))
_KINDS = {1: "compute", 2: "sm"}


def _device_code(library):
    """What each fat binary holds, as nvcc names it."""
    for match in _FATBIN.finditer(library):
        (size,) = struct.unpack_from("<Q", library, match.start() + 8)
        entry = match.start() + 16
        end = entry + size
        found = set()
        while entry < end:
            kind, _, header, content = struct.unpack_from("<HHIQ", library, entry)
            (capability,) = struct.unpack_from("<I", library, entry + 28)
            found.add(f"{_KINDS[kind]}_{capability}")
            entry += header + content
        yield found


def test_library_needs_neither_driver_nor_cuda_libraries():
    dynamic = subprocess.run(
        ["readelf", "-d", _LIBRARY], check=True, capture_output=True, text=True
    ).stdout
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)
    assert "libtensorflow_framework.so.2" in needed
    assert not [name for name in needed if name.startswith(("libcuda", "libnv"))]


def test_loading_touches_no_driver(tmp_path):
    # TensorFlow for GPUs loads the driver itself: what matters is what comes after it.
    script = """
import tensorflow as tf
def mapped():
    with open("/proc/self/maps") as maps:
        return {line.split(maxsplit=5)[5].strip() for line in maps if "/" in line}
before = mapped()
import tf_candsamp
new = mapped() - before
assert any("libtf_candsamp.so" in path for path in new), new
assert not any("libcuda" in path for path in new), new
sample = tf_candsamp.uniform_candidate_sampler([[1]], 1, 3, True, 5, seed=1)
assert sample.sampled_candidates.shape == [3]
"""
    processes.run("-c", script, cwd=tmp_path)


def test_every_kernel_is_there_for_every_gpu_asked_for():
    containers = list(_device_code(_LIBRARY.read_bytes()))
    if not GPU_KERNELS:
        assert not containers and not GPU_CODE
        pytest.skip("this wheel was built without nvcc: it has CPU kernels only")
    assert containers
    for found in containers:
        assert found == set(GPU_CODE)


def test_later_gpus_find_ptx_of_the_newest_gpu_asked_for():
    if not GPU_KERNELS:
        pytest.skip("this wheel was built without nvcc: it has CPU kernels only")
    capabilities = {
        kind: [int(code.split("_")[1]) for code in GPU_CODE if code.startswith(kind)]
        for kind in _KINDS.values()
    }
    # Without machine code, PTX of the oldest GPU that the docs promise.
    assert capabilities["compute"] == [max(capabilities["sm"], default=80)]
