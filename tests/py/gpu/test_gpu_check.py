"""tools/gpu_check, as far as it goes without a GPU: what it builds, and how, and what it writes."""

import importlib.util
import pathlib
import re
import subprocess
import sys
import types

import pytest
from processes import ROOT


def _module(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


build_files = _module(ROOT / "tools/build_files.py")
gpu_check = _module(ROOT / "tools/gpu_check.py")


def _plan(label, gpus):
    toolkit = types.SimpleNamespace(cxx="g++", nvcc="nvcc", include="include")
    builder = build_files.Builder("out", toolkit, gpus)
    steps = list(builder.plan(label))
    assert len({path for path, _ in steps}) == len(steps)
    return [(command[command.index("-c") + 1], command) for _, command in steps]


@pytest.mark.parametrize("label", [gpu_check.CHECKER, gpu_check.LIBRARY])
def test_builds_all_launchers_with_the_flags_of_the_wheel(label):
    steps = _plan(label, "sm_90")
    launchers = {path.relative_to(ROOT).as_posix() for path in (ROOT / "cc/cuda").glob("*.cu")}
    if label == gpu_check.LIBRARY:
        launchers -= {"cc/cuda/all_candidates.cu"}
    assert launchers <= {source for source, _ in steps}
    for source, command in steps:
        if source.endswith(".cu"):
            assert command[0] == "nvcc" and "--fmad=false" in command
            assert [flag for flag in command if "arch" in flag] == ["-arch=sm_90"]
        else:
            assert command[0] == "g++" and "-ffp-contract=off" in command
            assert ("-DCANDSAMP_GPUS=80,86,89,90" in command) == source.endswith(
                ("errors.cc", "copies.cc", "c_interface.cc")
            )


def test_builds_every_instruction_set():
    isas = [
        command
        for source, command in _plan(gpu_check.HOST_CHECKER, "native")
        if source == "cc/lib/sampler_kernels_isa.cc"
    ]
    found = [re.findall(r"-DCANDSAMP_ISA=(\w+)", " ".join(command))[0] for command in isas]
    assert found == ["baseline", "avx2", "avx512"]
    assert ["-mavx512f" in command for command in isas] == [False, False, True]


def test_can_build_for_every_gpu():
    for source, command in _plan(gpu_check.LIBRARY, "all"):
        if source.endswith(".cu"):
            assert len([flag for flag in command if flag.startswith("-gencode")]) == 5


@pytest.mark.skipif(pathlib.Path("/dev/nvidiactl").exists(), reason="this machine has a GPU")
def test_says_in_a_sentence_that_there_is_no_gpu():
    command = [ROOT / "tools/gpu_check"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout == ""
    assert re.fullmatch(r"[^\n]*NVIDIA driver[^\n]*--emulate[^\n]*\.\n", done.stderr), done.stderr
