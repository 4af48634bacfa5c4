# SPDX-License-Identifier: Apache-2.0
"""The block of benchmarks/gpu."""

import results

from . import markdown as md

US = 1e-6
MS = 1e-3


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


def milliseconds(seconds):
    return md.scaled(seconds, MS, 3)


def megabytes(found, side):
    return f"{found[side] / 1e6:,.0f}" if found.get(side) else md.NO_FIGURE


def dense_line(case):
    seconds = {side: md.median(of) for side, of in case["seconds"].items()}
    ours, recompute, products = (seconds.get(s) for s in ("ours", "recompute", "products"))
    return [
        *(f"{case[key]:,}" for key in "BDS"),
        case["type"],
        milliseconds(ours),
        milliseconds(recompute),
        milliseconds(seconds.get("torch")),
        md.times(ratio(seconds.get("torch"), ours)),
        milliseconds(products),
        md.percent(ratio(products, ours)),
        f"{case['flops'] / ours / 1e12:,.0f}" if ours else md.NO_FIGURE,
        *(megabytes(case["bytes"], side) for side in ("ours", "recompute", "torch")),
    ]


def dense(cases):
    heads = "B|D|S|type|ours|recompute|PyTorch|ratio|three products|share|TFLOP/s"
    heads += "|MB|recompute|PyTorch"
    return md.table(heads.split("|"), [dense_line(case) for case in cases])


def moving_line(case, bandwidth, keys, moved):
    seconds = {side: md.median(of) for side, of in case["seconds"].items()}
    ours = seconds.get("ours")
    return [
        *(f"{case[key]:,}" if isinstance(case[key], int) else case[key] for key in keys),
        milliseconds(ours),
        milliseconds(seconds.get("torch")),
        md.times(ratio(seconds.get("torch"), ours)),
        md.percent(case[moved] / ours / bandwidth) if ours else md.NO_FIGURE,
    ]


def ragged(cases, bandwidth):
    keys = ("B", "D", "V", "N", "type", "ids", "distinct")
    lines = [moving_line(case, bandwidth, keys, "row_bytes") for case in cases]
    for line, case in zip(lines, cases, strict=True):
        line += [megabytes(case.get("bytes", {}), side) for side in ("ours", "torch")]
    heads = "B|D|V|candidates|type|ids|distinct|ours|PyTorch|ratio|share of bandwidth|MB|PyTorch"
    return md.table(heads.split("|"), lines)


def updates(cases, bandwidth):
    keys = ("optimizer", "V", "D", "N")
    lines = [moving_line(case, bandwidth, keys, "floor_bytes") for case in cases]
    heads = "optimizer|V|D|rows|ours|PyTorch|ratio|share of bandwidth"
    return md.table(heads.split("|"), lines)


def losses(run):
    """Tables of the losses and optimizers, or nothing."""
    found = run.get("losses") or {}
    bandwidth = run["copy_bytes_a_second"]
    parts = []
    if found.get("dense"):
        text = "Sampled softmax over shared candidates, forward and backward; ms:"
        parts += [text, dense(found["dense"])]
    if found.get("ragged"):
        text = "Ragged sampled softmax, forward and backward; ms:"
        parts += [text, ragged(found["ragged"], bandwidth)]
    if found.get("updates"):
        text = "A step of a row optimizer; ms:"
        parts += [text, updates(found["updates"], bandwidth)]
    return "\n\n".join(parts)


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
    parts.append(losses(run))
    parts.append("\n".join(f"- {check}" for check in run.get("checks", [])))
    return "\n\n".join(filter(None, parts))


def gpu(folder):
    cpu_runs = results.load("samplers", folder)
    runs = results.load("gpu", folder)
    return "\n\n".join(run_text(run, cpu_runs) for run in runs) or md.NONE_YET


def train_steps(run):
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    heads = "loss|optimizer|V|B|D|S|ours|TensorFlow|ratio".split("|")

    def line(case):
        seconds = case["seconds"]
        return [
            *(case[key] for key in ("loss", "optimizer")),
            *(f"{case[key]:,}" for key in "VBDS"),
            milliseconds(md.median(seconds["ours"])),
            milliseconds(md.median(seconds["theirs"])),
            md.with_quartiles(case["ratios"]["theirs/ours"], 1),
        ]

    lines = [line(case) for case in run["results"]]
    return f"**{run['machine']['gpu']}**, {run['date']}: {versions}.\n\n{md.table(heads, lines)}"


def gpu_train_step(folder):
    runs = [run for run in results.load("gpu_train_step", folder) if run["machine"]["gpu"]]
    return "\n\n".join(map(train_steps, runs)) or md.NONE_YET


def step_ratios(folder):
    """How many times faster whole steps are, from the least case to the best."""
    ratios = [
        case["ratios"]["theirs/ours"]["median"]
        for run in results.load("gpu_train_step", folder)
        if run["machine"]["gpu"]
        for case in run["results"]
    ]
    return f"{min(ratios):.1f} to {max(ratios):.1f} times" if ratios else md.NONE_YET


BLOCKS = {"gpu": gpu, "gpu-train-step": gpu_train_step, "gpu-step-ratios": step_ratios}
