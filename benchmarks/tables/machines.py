# SPDX-License-Identifier: Apache-2.0
"""The machines of the results, and what was measured once while the code was designed."""

import json

import results

from . import markdown as md


def all_machines(folder):
    """A line for each machine: which benchmarks it has run."""
    found = {}
    for path in sorted(folder.glob("*/*.json")):
        run = json.loads(path.read_text())
        link = f"[{run['benchmark']}]({path.relative_to(folder).as_posix()})"
        found.setdefault(results.label(run["machine"]), (run["machine"], []))[1].append(link)
    lines = [
        [name, ", ".join(machine["instruction_sets"]), ", ".join(links)]
        for name, (machine, links) in found.items()
    ]
    return md.table(["machine", "instruction sets", "results"], lines)


def experiments(folder):
    return md.sections(
        results.load("experiments", folder),
        lambda run: md.table(
            ["page", "what", "figures"],
            [[f"[{e['page']}](../{e['page']})", e["what"], e["figures"]] for e in run["results"]],
        ),
    )


BLOCKS = {"machines": all_machines, "experiments": experiments}
