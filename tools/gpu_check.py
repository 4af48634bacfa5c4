"""Checks and measures the GPU kernels on the GPU of this machine; needs g++ and nvcc, not Bazel,
TensorFlow or the network.

1. build: what the BUILD files say (build_files.py), for this GPU, into build/gpu_check.
2. check: every launcher against the CPU's samplers on fresh random input (tests/cuda/check_list.h).
3. sanitize: the same, smaller, under compute-sanitizer, if that is found.
4. benchmark: beside what a PyTorch user would write (benchmarks/gpu), if PyTorch is found. The
   results go into docs/results, and from there into docs/gpu.md, or into --out FOLDER.

Exit status: 0 when all that ran is right, 1 when something is not, or could not run.
"""

import argparse
import ctypes
import importlib.util
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

from build_files import ROOT, Builder, BuildError, Toolkit

STEPS = ("check", "sanitize", "benchmark")
TOOLS = ("memcheck", "racecheck", "synccheck")
MORE_TOOLS = ("initcheck",)

CHECKER = "//tests/cuda:gpu_checker"
LIBRARY = "//benchmarks/gpu:candsamp_benchmarks"
HOST_CHECKER = "//tests/cuda:host_checker"
CHECKER_ON_HOST = "//tests/cuda:gpu_checker_on_host"
LIBRARY_ON_HOST = "//tests/cuda:candsamp_benchmarks_on_host"

_COMPUTE_CAPABILITY = (75, 76)  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, _MINOR


def say(text):
    print(f"== {text}", flush=True)


def gpu():
    """Name and compute capability of the first GPU."""
    advice = "tools/gpu_check --emulate runs the checks on threads instead."
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        raise BuildError(f"This machine has no NVIDIA driver; {advice}") from None
    device = ctypes.c_int()
    if cuda.cuInit(0) != 0 or cuda.cuDeviceGet(ctypes.byref(device), 0) != 0:
        raise BuildError(f"The NVIDIA driver of this machine finds no GPU; {advice}")
    name = ctypes.create_string_buffer(256)
    cuda.cuDeviceGetName(name, len(name), device)
    capability = ""
    for attribute in _COMPUTE_CAPABILITY:
        value = ctypes.c_int()
        cuda.cuDeviceGetAttribute(ctypes.byref(value), attribute, device)
        capability += str(value.value)
    return name.value.decode(), capability


class Report:
    """What ran, and whether it was right."""

    def __init__(self):
        self.lines = []
        self.failed = False

    def note(self, text, right=True):
        self.lines.append(text if right else f"WRONG: {text}")
        self.failed |= not right
        say(self.lines[-1])

    def run(self, what, command, limit=None):
        """Runs a program; returns whether it succeeded."""
        say(" ".join(map(str, command)))
        start = time.monotonic()
        # In a session of its own, so that what it starts ends with it.
        process = subprocess.Popen(list(map(str, command)), cwd=ROOT, start_new_session=True)
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            status = f"none within {limit} s"
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        seconds = f"{time.monotonic() - start:.0f} s"
        if status != 0:
            self.note(f"{what}: exit status {status} after {seconds}", right=False)
            return False
        self.note(f"{what}: right, in {seconds}")
        return True


def keep(results, lines, out):
    """Adds what else ran to the benchmarks' results, and puts them where the pages' figures are."""
    run = json.loads(results.read_text()) | {"checks": lines}
    path = (out or ROOT / "docs/results") / results.parent.name / results.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(run, indent=1, ensure_ascii=False) + "\n")
    say(str(path))
    if not out:
        subprocess.run([sys.executable, "benchmarks/report.py"], cwd=ROOT, check=True)


def sanitize(report, toolkit, checker, options):
    program = toolkit.tool("compute-sanitizer")
    if not program:
        return report.note("compute-sanitizer was not found: nothing ran under it")
    for tool in options.tools:
        command = [program, "--tool", tool, "--error-exitcode", 99, "--print-limit", 20, checker]
        # initcheck sees what is read before it is written only where nothing was written first.
        command += [
            "--sizes=small",
            f"--seed={options.seed}",
            f"--poison={int(tool != 'initcheck')}",
        ]
        report.run(tool, command, options.limit)


def benchmark(report, library, options):
    """Returns the file of results, or None."""
    if importlib.util.find_spec("torch") is None:
        return report.note("PyTorch was not found: no benchmarks")
    folder = ROOT / "build/gpu_check/results"
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "benchmarks/gpu/main.py", "--library", library, "--out", folder]
    command += ["--quick"] if options.quick else []
    command += ["--rehearse"] if options.emulate else []
    report.run("benchmarks", command)
    return next(folder.glob("*/gpu.json"), None)


def emulate(report, builder, toolkit, options):
    """What can be tested without a GPU: the checks, and this program's other halves."""
    sizes = "--sizes=small" if options.quick else "--sizes=tiny"
    (checker,) = builder.build(HOST_CHECKER)
    report.run("checks on threads", [checker, "--sizes=tiny", f"--seed={options.seed}"])
    if not toolkit.nvcc:
        return report.note("nvcc was not found: the program for a GPU was not compiled")
    checker, library = builder.build(CHECKER_ON_HOST, LIBRARY_ON_HOST)
    report.run("the program for a GPU, on the host", [checker, sizes, f"--seed={options.seed}"])
    if "benchmark" in options.steps:
        benchmark(report, library, options)


def check(report, builder, toolkit, options):
    start = time.monotonic()
    checker, library = builder.build(CHECKER, LIBRARY)
    say(f"built in {time.monotonic() - start:.0f} s")
    if options.build_only:
        return
    if "check" in options.steps:
        command = [checker, f"--sizes={options.sizes}", f"--seed={options.seed}"]
        report.run(f"checks against the CPU, seed {options.seed}", command)
    if "sanitize" in options.steps:
        sanitize(report, toolkit, checker, options)
    results = benchmark(report, library, options) if "benchmark" in options.steps else None
    if results:
        keep(results, report.lines, options.out)


def names(choices):
    def parse(text):
        found = tuple(filter(None, text.split(",")))
        if not set(found) <= set(choices):
            raise argparse.ArgumentTypeError(f"must be of {', '.join(choices)}, got {text}")
        return found

    return parse


def main():
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=formatter)
    add = parser.add_argument
    add("--steps", type=names(STEPS), default=STEPS, help=f"of {','.join(STEPS)}")
    add("--seed", type=int, default=random.randrange(2**32), help="to repeat a run's cases")
    add("--sizes", default="large", help="of the checks: large, small or tiny")
    add("--tools", type=names(TOOLS + MORE_TOOLS), default=TOOLS, help="compute-sanitizer's")
    add("--limit", type=int, default=240, help="seconds for each tool of compute-sanitizer")
    add("--gpus", help="all, or nvcc's name for one, as sm_90; default: the GPU that is here")
    add("--jobs", type=int, help="how many files are compiled at a time")
    add("--out", type=pathlib.Path, help="the folder for the results, instead of docs/results")
    add("--quick", action="store_true", help="benchmarks of few rounds, without 10M classes")
    add("--build-only", action="store_true", help="needs no GPU if --gpus says for which")
    add("--emulate", action="store_true", help="on threads, without a GPU")
    options = parser.parse_args()

    report = Report()
    try:
        device = None if options.emulate or options.build_only and options.gpus else gpu()
        toolkit = Toolkit()
        if device:
            say(f"{device[0]}, compute capability {device[1]}")
        if not toolkit.nvcc and not options.emulate:
            raise BuildError("There is no nvcc in CUDA_HOME, on PATH or in Python's packages.")
        gpus = options.gpus or (f"sm_{device[1]}" if device else "native")
        builder = Builder(ROOT / "build/gpu_check", toolkit, gpus, options.jobs)
        (emulate if options.emulate else check)(report, builder, toolkit, options)
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(report.lines))
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
