"""The tables that the benchmarks make."""

import dataclasses
import re


@dataclasses.dataclass
class Result:
    """Seconds of a call, ours and PyTorch's; within a graph; and of each floor. None: not known."""

    name: str
    classes: int
    size: str
    unique: bool | None
    ours: float | None
    torch: float | None
    graph: float | None
    floor: dict


def microseconds(seconds):
    return "-" if seconds is None else f"{seconds * 1e6:,.1f}"


def _table(heads, lines):
    rows = [heads, ["---"] * len(heads), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _share(floor, seconds):
    return f"{floor / seconds:.0%}" if seconds else "-"


def _line(result, launch):
    bound = max(result.floor, key=result.floor.get)
    floor = result.floor[bound]
    alone = result.graph or result.ours
    return [
        result.name,
        f"{result.classes:,}",
        result.size,
        {None: "-", True: "yes", False: "no"}[result.unique],
        microseconds(result.ours),
        microseconds(result.torch),
        f"{result.torch / result.ours:.1f}x" if result.torch and result.ours else "-",
        microseconds(result.graph),
        f"{microseconds(floor)} ({bound})",
        _share(floor, alone),
        _share(floor + launch, alone),
    ]


def table(results, launch):
    heads = "draws|V|S|unique|ours|PyTorch|ratio|in a graph|floor|share|share with a launch"
    return _table(heads.split("|"), [_line(result, launch) for result in results])


def tensorflow_ns(samplers_page):
    """ns a sample of TensorFlow's CPU ops, by kind and "yes" or "no" for unique, from the docs."""
    pattern = r"^\| ([a-z -]+) \| 1,000,000 \| 65,536 \| (yes|no) \| [\d.]+ \| ([\d.]+) \|"
    return {(m[1], m[2]): float(m[3]) for m in re.finditer(pattern, samplers_page, re.MULTILINE)}


def end_to_end_table(rows, size, tensorflow):
    heads = ["draws", "unique", "ours, in the host's memory", "TensorFlow on a CPU", "ratio"]
    lines = []
    for kind, unique, seconds in rows:
        core = tensorflow.get((kind, "yes" if unique else "no"))
        core = None if core is None else core * size * 1e-9
        ratio = "-" if core is None else f"{core / seconds:.1f}x"
        unique = "yes" if unique else "no"
        lines.append([kind, unique, microseconds(seconds), microseconds(core), ratio])
    return _table(heads, lines)
