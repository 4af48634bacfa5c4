# SPDX-License-Identifier: Apache-2.0
"""Puts the figures of docs/results/*/*.json into README.md and the pages in docs.

Run: benchmarks/report.py [--check]          (any Python; needs no package)

A page has a block where figures stand, in a line or over several:

    <!-- results: NAME -->what benchmarks/tables makes of the results<!-- end -->

--check changes nothing, and fails if a page disagrees with the results, or if figures stand outside
of blocks: times, rates and ratios in text, tables with cells that measure.
"""

import argparse
import difflib
import pathlib
import re
import sys

import tables
from results import ROOT

BLOCK = re.compile(r"<!-- results: ([\w-]+) -->(.*?)<!-- end -->", re.DOTALL)
MARK = re.compile(r"<!-- (results:.*?|end) -->")
CODE = re.compile(r"```.*?```|^    [^\n]*|`[^`\n]*`", re.DOTALL | re.MULTILINE)
# "12.7x", "9 to 22 times faster", "8 ns", "223 GF/s": what only a measurement can say.
FIGURE = re.compile(
    r"\d[\d.,]*x(?!\w)"
    r"|\d[\d.,]* times (?:faster|slower|longer|as )"
    r"|\d[\d.,]* ?(?:ns|µs|us|ms|GF/s|GB/s|TB/s)(?!\w)"
)
# A table measures if a head names a unit or a quantity, or a cell is a mean with an error.
MEASURED_HEAD = re.compile(r"(?:^|\W)(?:ns|µs|ms|MB|ratio|accuracy)(?:\W|$)")
MEASURED_CELL = re.compile(r"± ?\d")


def pages(root):
    return [root / "README.md", *sorted((root / "docs").rglob("*.md"))]


def filled(text, folder):
    """The page's text with every block made anew."""

    def fill(match):
        name, old = match.groups()
        if name not in tables.BLOCKS:
            known = ", ".join(tables.BLOCKS)
            raise SystemExit(f"There is no block {name!r}; benchmarks/tables has {known}.")
        new = tables.BLOCKS[name](folder)
        new = f"\n\n{new}\n\n" if old.startswith("\n") or "\n" in new else new
        return f"<!-- results: {name} -->{new}<!-- end -->"

    return BLOCK.sub(fill, text)


def blank(match):
    """As many lines, so that line numbers stay."""
    return "\n" * match[0].count("\n")


def stray_marks(text):
    """Marks without their other half."""
    return MARK.findall(BLOCK.sub("", text))


def stray_figures(text):
    """(number, line) of text and of tables with a figure outside of blocks and code."""
    lines = CODE.sub(blank, BLOCK.sub(blank, text)).split("\n")
    head = None  # of the table that a line is in
    for number, line in enumerate(lines, 1):
        starts = line.startswith("|") and head is None
        head = (head or line) if line.startswith("|") else None
        measured = starts and MEASURED_HEAD.search(head)
        if measured or FIGURE.search(line) or MEASURED_CELL.search(line):
            yield number, line


def problems(path, text, folder):
    new = filled(text, folder)
    if new != text:
        diff = difflib.unified_diff(text.split("\n"), new.split("\n"), lineterm="", n=0)
        yield f"{path}: figures differ from docs/results; run benchmarks/report.py\n" + "\n".join(
            list(diff)[2:12]
        )
    for mark in stray_marks(text):
        yield f"{path}: the mark {mark!r} lacks its other half"
    for number, line in stray_figures(text):
        yield f"{path}:{number}: a figure outside of a block of results: {line.strip()}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="only say what is wrong")
    parser.add_argument("--root", type=pathlib.Path, default=ROOT, help="of README.md and docs")
    options = parser.parse_args()
    folder = options.root / "docs/results"
    found = []
    for path in pages(options.root):
        text = path.read_text()
        if options.check:
            found += problems(path.relative_to(options.root), text, folder)
        else:
            path.write_text(filled(text, folder))
    print("\n".join(found), end="\n" if found else "", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
