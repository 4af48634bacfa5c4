# SPDX-License-Identifier: Apache-2.0
"""The GPU kernels and what a PyTorch user would write, side by side in one process.

tools/gpu_check runs this: main.py --library FILE --out FOLDER. With --rehearse all sizes are small
and PyTorch runs on a CPU; so do our kernels if the library is the one for the host. That tests this
program where there is no GPU.
"""

import argparse
import functools
import json
import pathlib
import subprocess
import sys
import traceback

# For what it shares with the other benchmarks. At the end, as some modules here are of equal names.
sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent))

import losses
import measure
import results
import samplers
import tables
import torch
from library import Library

GRAPH_RUNS = 10


class Run:
    """What a benchmark needs: the library, tensors, clocks, and the sizes of a rehearsal."""

    def __init__(self, library, device, quick):
        self.library = library
        self.device = device
        self.quick = quick
        self.clock = measure.Clock(device)
        self.rounds = 3 if quick else measure.ROUNDS

    def tensor(self, array):
        return torch.from_numpy(array).to(self.device)

    def sizes(self, sizes):
        return [512] if self.device == "cpu" else sizes

    def classes(self, classes):
        return 10_000 if self.device == "cpu" else classes

    def rows(self, rows):
        return 16 if self.device == "cpu" else rows

    @functools.cached_property
    def bandwidth(self):
        return measure.copy_bandwidth(self.clock)

    def called(self, call):
        """Our call on PyTorch's stream."""
        stream = torch.cuda.current_stream().cuda_stream if self.device == "cuda" else None
        return functools.partial(call, stream)

    def graph(self, call):
        """GRAPH_RUNS of our call at once, or None where they cannot be captured."""
        try:
            return self.called(call.graph(GRAPH_RUNS))
        except RuntimeError as error:
            print(f"no graph: {error}", flush=True)
            return None

    def compare(self, call, theirs, waits=False):
        """Seconds of our call and of PyTorch's; and of ours in a graph, unless it waits."""
        steps = {}
        if call:
            steps["ours"] = self.called(call)
            graph = None if waits else self.graph(call)
            if graph:
                steps["graph"] = graph
        if theirs:
            steps["torch"] = theirs
        seconds = measure.time_steps(self.clock, steps, self.rounds)
        if "graph" in seconds:
            seconds["graph"] = {k: value / GRAPH_RUNS for k, value in seconds["graph"].items()}
        return {name: seconds.get(name) for name in ("ours", "torch", "graph")}

    def times(self, steps):
        """Seconds of each of `steps`, taking turns."""
        return measure.time_steps(self.clock, steps, self.rounds)

    def gpu_seconds(self, call):
        times = measure.time_steps(self.clock, {"call": self.called(call)}, self.rounds)
        return times["call"]["median"]

    def in_host_memory(self, tensor):
        """A tensor like this one in memory that the GPU copies to directly."""
        host = torch.empty_like(tensor, device="cpu")
        return host.pin_memory() if self.device == "cuda" else host

    def wait(self):
        if self.device == "cuda":
            torch.cuda.synchronize()

    def host_seconds(self, step):
        return measure.host_seconds(step, 5 if self.quick else 50)


def driver():
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader", "--id=0"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def versions(run):
    found = {"driver": driver()}
    if run.library:
        found["CUDA of the driver"], found["CUDA of the kernels"] = run.library.versions()
    return found


def gpu_name(run):
    return torch.cuda.get_device_name() if run.device == "cuda" else "Rehearsal on a CPU"


def launch_seconds(run):
    """Of a kernel that does nothing: in the usual way, and on blocks that can wait for each other;
    called from Python, and in a graph."""
    if not run.library:
        return {"usual": {"called": 0.0, "graph": 0.0}, "together": {"called": 0.0, "graph": 0.0}}
    found = {}
    for name, together in (("usual", False), ("together", True)):
        seconds = run.compare(run.library.empty(together), None)
        called = seconds["ours"]["median"]
        graph = seconds["graph"]["median"] if seconds["graph"] else called
        found[name] = {"called": called, "graph": graph}
    return found


class Cases:
    """The cases of benchmarks, one after the other. Where one fails the others may still work."""

    def __init__(self, run):
        self.run = run
        self.failed = 0

    def of(self, benchmark):
        found = []
        try:
            for case in benchmark(self.run):
                found.append(case)
                print(json.dumps(case), flush=True)
        except Exception:
            self.failed += 1
            traceback.print_exc()
        return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--library", help="the shared object to load")
    parser.add_argument("--out", type=pathlib.Path, help="the folder for the results")
    parser.add_argument("--quick", action="store_true", help="few rounds, no 10M classes")
    parser.add_argument("--rehearse", action="store_true", help="on a CPU, small")
    options = parser.parse_args()
    if not options.rehearse and not (options.library and torch.cuda.is_available()):
        parser.error("needs --library and a GPU that PyTorch sees, or --rehearse")
    run = Run(
        Library(options.library) if options.library else None,
        "cpu" if options.rehearse else "cuda",
        options.quick or options.rehearse,
    )

    launches = launch_seconds(run)
    cases = Cases(run)
    draws = [case for benchmark in samplers.BENCHMARKS for case in cases.of(benchmark)]
    found = results.new_run(
        "gpu", {"rounds": run.rounds}, draws, gpu=gpu_name(run), more_versions=versions(run)
    )
    found |= {
        "launch_seconds": launches,
        "copy_bytes_a_second": run.bandwidth,
        "end_to_end": cases.of(samplers.end_to_end),
        "losses": {b.__name__: cases.of(b) for b in losses.BENCHMARKS},
    }
    print("\n" + tables.gpu.run_text(found, results.load("samplers")))
    if options.out:
        print(results.save(found, options.out))
    return 1 if cases.failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
