"""The GPU kernels and what a PyTorch user would write, side by side in one process.

tools/gpu_check builds the library and runs this: main.py --library FILE --out FILE. With --rehearse
all is small and on a CPU, ours too if the library is the one for the host: a test of this program
where there is no GPU.
"""

import argparse
import datetime
import functools
import pathlib
import platform
import subprocess
import traceback

import measure
import report
import samplers
import torch
from library import Library

# Of each module, BENCHMARKS is run.
MODULES = (samplers,)
GRAPH_RUNS = 10

EXPLANATION = """\
Times are medians in µs of a call on the GPU, ours and what a PyTorch user would write
(`benchmarks/gpu/pytorch.py`) taking turns, called from Python one after the other: small ones wait
for Python, PyTorch's for several kernels. "In a graph" is our call as a CUDA graph runs it, without
that wait. The floor is the larger of two: memory, which is 12 bytes written a candidate and with a
table a sector of 32 bytes read for each lookup (or the table once), at the bandwidth of a copy; and
arithmetic, measured in a kernel of nothing but the draws' random bits and formulas. Shares are of
the time in a graph, where there is one. Unique draws make more draws than candidates; the set of
the seen is not in the floor."""


class Run:
    """What a benchmark needs: the library, tensors, clocks, and sizes to rehearse with."""

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
        """Seconds of our call and of PyTorch's; and of ours within a graph, unless it waits."""
        steps = {}
        if call:
            steps["ours"] = self.called(call)
            graph = None if waits else self.graph(call)
            if graph:
                steps["graph"] = graph
        if theirs:
            steps["torch"] = theirs
        seconds = measure.median_seconds(self.clock, steps, self.rounds)
        if "graph" in seconds:
            seconds["graph"] /= GRAPH_RUNS
        return {name: seconds.get(name) for name in ("ours", "torch", "graph")}

    def gpu_seconds(self, call):
        return measure.median_seconds(self.clock, {"call": self.called(call)}, self.rounds)["call"]

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


def machine(run):
    """One line that names the GPU and the software."""
    today = datetime.date.today().isoformat()
    software = f"PyTorch {torch.__version__}, Python {platform.python_version()}, {today}"
    if not run.library:
        return f"Rehearsal, {software}"
    supported, runtime = run.library.versions()
    name = torch.cuda.get_device_name() if run.device == "cuda" else "Rehearsal on a CPU"
    versions = f"driver {driver()} (CUDA {supported}), kernels of CUDA {runtime}"
    return f"**{name}**, {versions}, {software}"


def launches(run):
    """Seconds of a kernel that does nothing: (called, in a graph) in the usual way, together."""
    if not run.library:
        return [(0.0, 0.0)] * 2
    both = []
    for together in (False, True):
        result = run.compare(run.library.empty(together), None)
        both.append((result["ours"], result["graph"] or result["ours"]))
    return both


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--library", help="the shared object to load")
    parser.add_argument("--out", help="the file to write the Markdown to")
    parser.add_argument("--samplers-page", help="docs/samplers.md, with TensorFlow's figures")
    parser.add_argument("--tensorflow-ns", default="", help="kind:yes=NS or kind:no=NS, with ','")
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
    tensorflow = {}
    if options.samplers_page:
        tensorflow = report.tensorflow_ns(pathlib.Path(options.samplers_page).read_text())
    for item in filter(None, options.tensorflow_ns.split(",")):
        kind, ns = item.split("=")
        tensorflow[tuple(kind.split(":"))] = float(ns)

    failed = 0
    usual, together = launches(run)
    results = []
    for module in MODULES:
        for benchmark in module.BENCHMARKS:
            try:
                for result in benchmark(run):
                    results.append(result)
                    print("|".join(report.table([result], usual[1]).split("\n")[-1:]), flush=True)
            except Exception:  # the others may still work
                failed += 1
                traceback.print_exc()
    try:
        rows = list(samplers.end_to_end(run))
    except Exception:
        failed += 1
        rows = []
        traceback.print_exc()

    us = report.microseconds
    text = [
        machine(run) + ".",
        EXPLANATION,
        report.table(results, usual[1]),
        f"A copy within the GPU's memory moves {run.bandwidth / 1e12:.2f} TB/s, read and written. "
        f"A kernel that does nothing takes {us(usual[0])} µs called from Python and {us(usual[1])} "
        f"in a graph; on blocks that can wait for each other {us(together[0])} and "
        f"{us(together[1])}.",
        f"Until ids and expected counts of S = {samplers.END_TO_END_SIZE:,} of V = "
        f"{samplers.CLASSES:,} are in the host's memory, on a host's clock, beside what "
        "TensorFlow's CPU op takes on the machine of [samplers.md](samplers.md); µs:",
        report.end_to_end_table(rows, samplers.END_TO_END_SIZE, tensorflow),
    ]
    text = "\n\n".join(text) + "\n"
    print("\n" + text)
    if options.out:
        pathlib.Path(options.out).write_text(text)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
