# SPDX-License-Identifier: Apache-2.0
"""The block of benchmarks/gpu."""

import results

from . import markdown as md

US = 1e-6


def microseconds(seconds):
    return md.scaled(seconds, US, 1)


def ratio(slow, fast):
    return slow / fast if slow and fast else None


def line(case, launch):
    """`launch` is the seconds of a kernel that does nothing, in a graph."""
    seconds = {side: md.median(case["seconds"].get(side)) for side in ("ours", "torch", "graph")}
    bound = max(case["floor_seconds"], key=case["floor_seconds"].get)
    floor = case["floor_seconds"][bound]
    alone = seconds["graph"] or seconds["ours"]
    return [
        case["draws"],
        f"{case['V']:,}",
        case["S"],
        md.yes_or_no(case["unique"]),
        microseconds(seconds["ours"]),
        microseconds(seconds["torch"]),
        md.times(ratio(seconds["torch"], seconds["ours"])),
        microseconds(seconds["graph"]),
        f"{microseconds(floor)} ({bound})",
        md.percent(ratio(floor, alone)),
        md.percent(ratio(floor + launch, alone)),
    ]


def draws(run):
    heads = "draws|V|S|unique|ours|PyTorch|ratio|in a graph|floor|share|share with a launch"
    launch = run["launch_seconds"]["usual"]["graph"]
    return md.table(heads.split("|"), [line(case, launch) for case in run["results"]])


def rates(run):
    usual, together = run["launch_seconds"]["usual"], run["launch_seconds"]["together"]
    return (
        f"A copy within the GPU's memory moves {run['copy_bytes_a_second'] / 1e12:.2f} TB/s, read "
        f"and written. A kernel that does nothing takes {microseconds(usual['called'])} µs called "
        f"from Python and {microseconds(usual['graph'])} in a graph; on blocks that can wait for "
        f"each other {microseconds(together['called'])} and {microseconds(together['graph'])}."
    )


def core_seconds(cpu_run, case):
    """TensorFlow's time on a CPU for the same draw."""
    keys = ("kind", "V", "S", "unique")
    for other in cpu_run["results"]:
        if all(other[key] == case[key] for key in keys):
            return md.median(other["seconds"].get("core"))
    return None


def end_to_end(run, cpu_runs):
    heads = ["draws", "unique", "ours, in the host's memory"]
    heads += [f"TensorFlow, {results.label(cpu['machine'])}" for cpu in cpu_runs]
    lines = []
    for case in run["end_to_end"]:
        ours = md.median(case["seconds"])
        cells = [case["kind"].replace("_", " "), md.yes_or_no(case["unique"]), microseconds(ours)]
        for cpu in cpu_runs:
            core = core_seconds(cpu, case)
            cells.append(f"{microseconds(core)} ({md.times(ratio(core, ours))})")
        lines.append(cells)
    return md.table(heads, lines)


def run_text(run, cpu_runs):
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    parts = [f"**{run['machine']['gpu']}**, {run['date']}: {versions}.", draws(run), rates(run)]
    if run["end_to_end"]:
        size, classes = run["end_to_end"][0]["S"], run["end_to_end"][0]["V"]
        parts += [
            (
                f"Until ids and expected counts of S = {size:,} of V = {classes:,} are in the "
                "host's memory, on a host's clock, beside what TensorFlow's CPU op takes; µs:"
            ),
            end_to_end(run, cpu_runs),
        ]
    parts.append("\n".join(f"- {check}" for check in run.get("checks", [])))
    return "\n\n".join(filter(None, parts))


def gpu(folder):
    cpu_runs = results.load("samplers", folder)
    runs = results.load("gpu", folder)
    return "\n\n".join(run_text(run, cpu_runs) for run in runs) or md.NONE_YET


BLOCKS = {"gpu": gpu}
