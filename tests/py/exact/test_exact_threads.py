# SPDX-License-Identifier: Apache-2.0
"""Functions over all classes: same bits for any number of threads, and every instruction set."""

import functools
import json
import pathlib

import exact_bits
import processes
import pytest

# What each set needs beyond the baseline, as /proc/cpuinfo calls it.
SETS = {
    "baseline": set(),
    "avx2": {"avx2", "fma", "f16c"},
    "avx512": {"avx512f", "avx512dq", "avx512vl", "avx512bw"},
    "amx": {"amx_bf16"},
}
FLAGS = set(pathlib.Path("/proc/cpuinfo").read_text().partition("flags")[2].split("\n")[0].split())


@functools.cache
def results(threads, instruction_set="amx"):
    output = processes.run("exact_bits.py", threads, CANDSAMP_MAX_ISA=instruction_set)
    return json.loads(output)


@pytest.mark.parametrize("key", exact_bits.KEYS)
def test_same_bits_with_any_number_of_threads(key):
    bits, one_thread = results(3)[key][0], results(1)[key][0]
    assert len(bits) == 64
    assert bits == one_thread


@pytest.mark.parametrize("instruction_set", ["baseline", "avx2", "avx512", "amx"])
@pytest.mark.parametrize("key", exact_bits.KEYS)
def test_every_instruction_set_is_exact(key, instruction_set):
    if not SETS[instruction_set] <= FLAGS:
        pytest.skip("this machine does not have it")
    error = results(3, instruction_set)[key][1]
    # bfloat16: gradients of inputs are rounded to it, and on some machines those of logits, too.
    tolerance = 2.0**-6 if "bfloat16" in key else 4e-6 if "float32" in key else 1e-13
    assert error <= tolerance
