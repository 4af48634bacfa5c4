# SPDX-License-Identifier: Apache-2.0
"""Checks and measures the GPU kernels on the GPU of this machine. It needs neither a compiler nor
Bazel, TensorFlow or the network: "make gpu-check-files" builds the programs that it runs, on any
machine with nvcc, into the folder build/gpu_check.

1. check: every launcher against the CPU on fresh random input (tests/cuda/check_list.h).
2. sanitize: the same, smaller, under compute-sanitizer, if that is found.
3. benchmark: beside what a PyTorch user would write (benchmarks/gpu), if PyTorch is found. The
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

ROOT = pathlib.Path(__file__).resolve().parent.parent
STEPS = ("check", "sanitize", "benchmark")
TOOLS = ("memcheck", "racecheck", "synccheck")
MORE_TOOLS = ("initcheck",)
# racecheck takes for races how cuBLAS's kernels wait for their copies: it looks at ours and CUB's.
KERNELS = {"racecheck": ("--kernel-name", "kns=RunKernel", "--kernel-name", "kns=cub")}

# The programs for a GPU, and their twins whose launchers run on threads.
CHECKER, LIBRARY = "gpu_checker", "libcandsamp_benchmarks.so"
CHECKER_ON_HOST, LIBRARY_ON_HOST = "gpu_checker_on_host", "libcandsamp_benchmarks_on_host.so"


class CheckError(Exception):
    """A sentence for the user."""


def say(text):
    print(f"== {text}", flush=True)


def need_gpu():
    advice = "tools/gpu_check --emulate runs the checks on threads instead."
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        raise CheckError(f"This machine has no NVIDIA driver; {advice}") from None
    count = ctypes.c_int()
    if cuda.cuInit(0) != 0 or cuda.cuDeviceGetCount(ctypes.byref(count)) != 0 or not count.value:
        raise CheckError(f"The NVIDIA driver of this machine finds no GPU; {advice}")


def program(folder, name):
    path = folder.resolve() / name
    if not path.exists():
        raise CheckError(
            f"There is no {name} in {folder}: run 'make gpu-check-files' on a machine with nvcc, "
            "bring its folder build/gpu_check here, and name it with --bin."
        )
    return path


def compute_sanitizer():
    """Its path, or None. CUDA's installers leave it off PATH."""
    home = os.environ.get("CUDA_HOME", "/usr/local/cuda")
    folders = [os.environ.get("PATH", os.defpath), f"{home}/bin", f"{home}/compute-sanitizer"]
    return shutil.which("compute-sanitizer", path=os.pathsep.join(folders))


def environment():
    """With the folder of the cuBLASLt that PyTorch brings, where there is one, for the loader."""
    folders = {
        str(library.parent)
        for path in map(pathlib.Path, sys.path)
        for library in path.glob("nvidia/*/lib/libcublasLt.so*")
    }
    found = os.environ.get("LD_LIBRARY_PATH")
    joined = os.pathsep.join([*sorted(folders), *([found] if found else [])])
    return os.environ | ({"LD_LIBRARY_PATH": joined} if joined else {})


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
        process = subprocess.Popen(
            list(map(str, command)), cwd=ROOT, start_new_session=True, env=environment()
        )
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


def sanitize(report, checker, options):
    sanitizer = compute_sanitizer()
    if not sanitizer:
        report.note("compute-sanitizer was not found: nothing ran under it")
        return
    for tool in options.tools:
        command = [sanitizer, "--tool", tool, "--error-exitcode", 99, "--print-limit", 20]
        command += [*KERNELS.get(tool, ()), checker]
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
        report.note("PyTorch was not found: no benchmarks")
        return None
    folder = ROOT / "build/gpu_check/results"
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "benchmarks/gpu/main.py", "--library", library, "--out", folder]
    command += ["--quick"] if options.quick else []
    command += ["--rehearse"] if options.emulate else []
    report.run("benchmarks", command)
    return next(folder.glob("*/gpu.json"), None)


def emulate(report, options):
    """What can be tested without a GPU: these programs on threads, and this one."""
    if "check" in options.steps:
        sizes = "--sizes=small" if options.quick else "--sizes=tiny"
        command = [program(options.bin, CHECKER_ON_HOST), sizes, f"--seed={options.seed}"]
        report.run("the checks on threads", command)
    if "benchmark" in options.steps:
        benchmark(report, program(options.bin, LIBRARY_ON_HOST), options)


def check(report, options):
    need_gpu()
    checker, library = program(options.bin, CHECKER), program(options.bin, LIBRARY)
    if "check" in options.steps:
        command = [checker, f"--sizes={options.sizes}", f"--seed={options.seed}"]
        report.run(f"checks against the CPU, seed {options.seed}", command)
    if "sanitize" in options.steps:
        sanitize(report, checker, options)
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
    add("--bin", type=pathlib.Path, default=ROOT / "build/gpu_check", help="the programs' folder")
    add("--out", type=pathlib.Path, help="the folder for the results, instead of docs/results")
    add("--quick", action="store_true", help="benchmarks of few rounds, without 10M classes")
    add("--emulate", action="store_true", help="on threads, without a GPU")
    options = parser.parse_args()

    report = Report()
    try:
        (emulate if options.emulate else check)(report, options)
    except CheckError as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(report.lines))
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
