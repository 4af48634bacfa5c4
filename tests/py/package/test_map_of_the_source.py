# SPDX-License-Identifier: Apache-2.0
"""The docs as a map of the source: what they name is where they say, and no folder is left out."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()


def _named_in(page):
    """Each name that links to a source file, and the file: [`name`](file)."""
    for name, path in re.findall(r"\[`([^`]+)`\]\(([^)#\s]+)\)", page.read_text()):
        target = (page.parent / path).resolve()
        if target.suffix in {".h", ".cc", ".cu", ".py", ".bzl"}:
            yield name, target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_functions_are_in_the_files_that_they_link_to(page):
    astray = [
        f"{name}: {target.relative_to(ROOT)}"
        for name, target in _named_in(page)
        if not target.exists()
        or (name != target.name and not re.search(rf"\b{re.escape(name)}\b", target.read_text()))
    ]
    assert astray == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths_in_the_text_exist(page):
    roots = "cc|tests|tf_candsamp|benchmarks|examples|bazel|tools|pip_package"
    paths = re.findall(rf"`((?:{roots})/[\w/.]*)`", page.read_text())
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_tree_names_every_folder_of_sources():
    tree = ARCHITECTURE.partition("## The tree")[2].partition("## Where to look")[0]
    folders = {
        f"{path.parent.relative_to(ROOT)}/"
        for top in ("cc", "tf_candsamp")
        for pattern in ("*.cc", "*.h", "*.cu", "*.py")
        for path in (ROOT / top).rglob(pattern)
    }
    assert sorted(folder for folder in folders if f"`{folder}`" not in tree) == []


@pytest.mark.parametrize(
    "question, name",
    [
        ("the formula of the log-uniform draw", "LogUniformDraw"),
        ("where an accidental hit is dropped in the dense losses", "Drop"),
        ("where a GPU draw decides that it has S distinct candidates", "Reject"),
        ("where a checkpoint of another range or kind is refused", "deserialize"),
    ],
)
def test_a_stranger_finds_the_place_in_three_hops(question, name):
    """README, the architecture page, the file."""
    assert "(docs/architecture.md)" in (ROOT / "README.md").read_text()
    where_to_look = ARCHITECTURE.partition("## Where to look")[2].partition("\n## ")[0]
    (row,) = (line for line in where_to_look.splitlines() if line.startswith(f"| {question} |"))
    assert f"[`{name}`](" in row
