# SPDX-License-Identifier: Apache-2.0
"""Markdown of figures: numbers, tables, a column or a section for each machine."""

import results

NONE_YET = "No figures yet."
NO_FIGURE = "-"


def median(value):
    """The median of a time or ratio; None stays None."""
    return None if value is None else value["median"]


def times(ratio, digits=1):
    return NO_FIGURE if ratio is None else f"{ratio:,.{digits}f}x"


def scaled(seconds, unit, digits):
    """Seconds in a unit of so many seconds."""
    return NO_FIGURE if seconds is None else f"{seconds / unit:,.{digits}f}"


def megabytes(size, digits=1):
    return NO_FIGURE if size is None else f"{size / 1e6:,.{digits}f}"


def percent(share):
    return NO_FIGURE if share is None else f"{share:.0%}"


def yes_or_no(flag):
    return NO_FIGURE if flag is None else "yes" if flag else "no"


def with_quartiles(ratio, digits=1):
    """A ratio, and between which values half of the rounds' were, where the results say so."""
    if ratio is None:
        return NO_FIGURE
    text = times(ratio["median"], digits)
    if "low" not in ratio:
        return text
    return f"{text} ({ratio['low']:.{digits}f} to {ratio['high']:.{digits}f})"


def span(values, show):
    """The smallest and the largest of `values` as text, or one text if they look the same."""
    known = [value for value in values if value is not None]
    if not known:
        return NO_FIGURE
    low, high = show(min(known)), show(max(known))
    return low if low == high else f"{low} to {high}"


def table(heads, lines):
    rows = ["| " + " | ".join(row) + " |" for row in (heads, *lines)]
    return "\n".join([rows[0], "|" + "---|" * len(heads), *rows[1:]])


def described(run):
    """One sentence that says where, when and with what a run was measured."""
    machine = run["machine"]
    parts = [results.label(machine)]
    if "microarchitecture" in machine:
        parts.append(machine["microarchitecture"])
    names = {"tensorflow": "TensorFlow", "torch": "PyTorch", "commit": "commit"}
    parts += [
        f"{name} {run['versions'][key]}" for key, name in names.items() if run["versions"].get(key)
    ]
    parts.append(run["date"])
    if "rounds" in run["settings"]:
        parts.append(f"medians of up to {run['settings']['rounds']} rounds")
    source = "" if run["source"] == "measured" else f" ({run['source']})"
    return ", ".join(parts) + source + "."


def sections(runs, make):
    """A section for each machine: its description, what `make(run)` returns, and its notes."""
    parts = []
    for run in runs:
        notes = "\n".join(f"- {note}" for note in run.get("notes", []))
        title = f"## {results.label(run['machine'])}"
        parts += [title, described(run), make(run), *([notes] if notes else [])]
    return "\n\n".join(parts) or NONE_YET


def by_machine(runs, heads, key, cell):
    """A table with a line for each key and a column for each machine.

    `key(case)` gives the cells under `heads`, or None for a case that is left out; `cell(case)` is
    what stands in the machine's column.
    """
    columns = {}
    for run in runs:
        keyed = ((key(case), case) for case in run["results"])
        column = {k: cell(case) for k, case in keyed if k is not None}
        if column:
            columns[results.label(run["machine"])] = column
    lines = dict.fromkeys(k for column in columns.values() for k in column)
    if not lines:
        return NONE_YET
    return table(
        [*heads, *columns],
        [[*line, *(column.get(line, NO_FIGURE) for column in columns.values())] for line in lines],
    )


def over_machines(runs, key):
    """{key: [the case on each machine]}, without the cases whose key is None."""
    found = {}
    for run in runs:
        for case in run["results"]:
            if key(case) is not None:
                found.setdefault(key(case), []).append(case)
    return found


def newest(runs):
    """The cases of the newest run, of figures that no machine changes."""
    return max(runs, key=lambda run: run["date"])["results"] if runs else []
