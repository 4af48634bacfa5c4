"""The library that carries GPU kernels: what it needs to load, and for which GPUs it has code."""

import pathlib
import re
import struct
import subprocess

import processes
import pytest
from internals import GPU_KERNELS

import tf_candsamp

_LIBRARY = pathlib.Path(tf_candsamp.__file__).with_name("libtf_candsamp.so")

# The compute capabilities that the docs promise: machine code for these, PTX for later ones.
_MACHINE_CODE = {80, 86, 89, 90}
_PTX = {90}

# nvcc's container of device code ("fat binary"): a header of magic, version, its own size and
# that of what follows; then entries, each with a header of kind, version, its own size, the size
# of its content, and at byte 28 the compute capability.
_FATBIN = re.compile(re.escape(struct.pack("<IHH", 0xBA55ED50, 1, 16)))
_KIND_PTX, _KIND_MACHINE_CODE = 1, 2


def _device_code(library):
    """The set of (kind, compute capability) in each fat binary."""
    for match in _FATBIN.finditer(library):
        (size,) = struct.unpack_from("<Q", library, match.start() + 8)
        entry = match.start() + 16
        end = entry + size
        found = set()
        while entry < end:
            kind, _, header, content = struct.unpack_from("<HHIQ", library, entry)
            (capability,) = struct.unpack_from("<I", library, entry + 28)
            found.add((kind, capability))
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


def test_every_kernel_is_there_for_every_gpu_promised():
    containers = list(_device_code(_LIBRARY.read_bytes()))
    if not GPU_KERNELS:
        assert not containers
        pytest.skip("this wheel was built without nvcc: it has CPU kernels only")
    assert containers
    promised = {(_KIND_MACHINE_CODE, capability) for capability in _MACHINE_CODE}
    promised |= {(_KIND_PTX, capability) for capability in _PTX}
    for found in containers:
        assert found == promised
