# SPDX-License-Identifier: Apache-2.0
"""Results of benchmarks: JSON files in docs/results, a folder for each machine.

A file holds one run of one benchmark:

    benchmark  its name, which is the file's
    source     "measured", or where older figures were copied from
    date       of the run
    machine    processor, cores, instruction sets, GPU
    versions   of Python, the packages, and the commit of this repository
    settings   rounds and whatever else holds for every case
    notes      sentences about this run, if any
    results    a list of cases: what was run, then what came out

A time is {"median", "low", "high"} in seconds of a call; low and high are the quartiles of the
rounds. A ratio "slow/fast" is the same of the rounds' ratios. Figures that were copied from a page
have medians alone.
"""

import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs/results"

# Of /proc/cpuinfo's flags, those that choose a kernel; the page names the widest.
INSTRUCTION_SETS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_bf16": "AVX-512",
    "amx_bf16": "AMX",
}
PACKAGES = {
    "tf_candsamp": ("tf_candsamp",),
    "tensorflow": ("tensorflow", "tensorflow-cpu"),
    "keras": ("keras",),
    "numpy": ("numpy",),
    "torch": ("torch",),
}


def spread(values):
    """Median and quartiles, of two values or more."""
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return {"median": median, "low": low, "high": high}


def cores():
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))


def this_machine(gpu=None):
    """The machine that runs this process, and the name of its GPU if that is measured."""
    try:
        first = pathlib.Path("/proc/cpuinfo").read_text().split("\n\n")[0]
    except OSError:
        first = ""
    lines = (line.partition(":") for line in first.splitlines())
    fields = {key.strip(): value.strip() for key, _, value in lines}
    flags = fields.get("flags", "").split()
    return {
        "cpu": fields.get("model name", platform.machine()),
        "family": fields.get("cpu family"),
        "model": fields.get("model"),
        "cores": cores(),
        "instruction_sets": [flag for flag in INSTRUCTION_SETS if flag in flags],
        "gpu": gpu,
    }


def label(machine):
    """A machine's name on the pages."""
    if machine["gpu"]:
        return machine["gpu"]
    widest = [INSTRUCTION_SETS[flag] for flag in machine["instruction_sets"]][-1:]
    return ", ".join([machine["cpu"], *widest, f"{machine['cores']} cores"])


def slug(machine):
    """The same as the name of a folder."""
    return re.sub(r"[^a-z0-9]+", "-", label(machine).lower()).strip("-")


def versions():
    """Of Python, of the packages that are installed, and of this repository."""
    found = {"python": platform.python_version()}
    for package, names in PACKAGES.items():
        for name in names:
            try:
                found[package] = importlib.metadata.version(name)
                break
            except importlib.metadata.PackageNotFoundError:
                continue
    return found | {"commit": _commit()}


def _commit():
    """The commit of this tree, with a "+" if sources of the package differ from it."""

    def git(*arguments):
        command = ["git", *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--", "cc", "tf_candsamp", "bazel")
        return git("rev-parse", "--short", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def new_run(benchmark, settings, cases, *, gpu=None, more_versions=None):
    """What `save` writes: a run of `benchmark` on this machine, today."""
    return {
        "benchmark": benchmark,
        "source": "measured",
        "date": datetime.date.today().isoformat(),
        "machine": this_machine(gpu),
        "versions": versions() | (more_versions or {}),
        "settings": settings,
        "results": cases,
    }


def save(run, folder=FOLDER):
    """Writes a run into its machine's folder, in place of the last one; returns the file."""
    path = pathlib.Path(folder) / slug(run["machine"]) / f"{run['benchmark']}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(run, indent=1, ensure_ascii=False) + "\n")
    return path


def load(benchmark, folder=FOLDER):
    """The runs of a benchmark, one for each machine, in the order of the folders' names."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob(f"*/{benchmark}.json"))]
