# SPDX-License-Identifier: Apache-2.0
"""Figures in README.md and docs: from docs/results alone, and the same as there."""

import importlib
import json
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = next(p for p in pathlib.Path(__file__).parents if (p / "WORKSPACE").exists())
RESULTS = "docs/results"
SMALL = "amd-epyc-avx-512-2-cores"


def report(*arguments):
    command = [sys.executable, ROOT / "benchmarks/report.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture
def tree(tmp_path):
    """A copy of the pages and results."""
    shutil.copy(ROOT / "README.md", tmp_path)
    shutil.copytree(ROOT / "docs", tmp_path / "docs", ignore=shutil.ignore_patterns("*.png"))
    return tmp_path


def complaints(tree):
    done = report("--check", "--root", tree)
    assert done.returncode == (1 if done.stderr else 0), done.stderr
    return done.stderr


def change(path, edit):
    run = json.loads(path.read_text())
    edit(run)
    path.write_text(json.dumps(run))


def test_pages_agree_with_the_results():
    done = report("--check")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", sorted((ROOT / RESULTS).glob("*/*.json")), ids=lambda p: p.stem)
def test_results_say_where_they_come_from(path):
    run = json.loads(path.read_text())
    assert run["benchmark"] == path.stem
    assert run["source"] == "measured" or run["source"].startswith("transcribed from ")
    assert {"date", "machine", "versions", "settings", "results"} <= set(run)
    assert {"cpu", "cores", "instruction_sets", "gpu"} <= set(run["machine"])
    assert "commit" in run["versions"]


def test_changed_results_are_noticed_and_put_into_every_page(tree):
    def twice_as_fast(run):
        for case in run["results"]:
            case["ratios"]["core/ours"]["median"] *= 2

    change(tree / RESULTS / SMALL / "losses.json", twice_as_fast)
    found = complaints(tree)
    pages = ("README.md", "docs/sampled_losses.md", "docs/results/losses.md")
    assert all(f"{page}: figures differ" in found for page in pages), found
    assert "report.py" in found
    assert report("--root", tree).returncode == 0
    assert not complaints(tree)


FIGURES = [
    "It is 12.7x faster.",
    "Ours is 9 to 22 times faster.",
    "A draw takes 8 ns.",
    "| S | ours ms |\n|---|---|\n| 64 | 12 |",
    "| S | sum |\n|---|---|\n| 64 | 12.5 ± 0.1 |",
]
OTHER_NUMBERS = [
    "A batch of 1024 x 512 in 64 rows; 512 bytes, 3 times in all.",
    "    a draw takes 8 ns",
    "`benchmarks --seconds 8 ms`",
    "| type | bytes |\n|---|---|\n| float32 | 4 |",
]


@pytest.mark.parametrize("text", FIGURES + OTHER_NUMBERS)
def test_figures_and_only_figures_outside_of_blocks_are_noticed(tree, text):
    page = tree / "docs/samplers.md"
    page.write_text(page.read_text() + f"\n{text}\n")
    assert ("docs/samplers.md:" in complaints(tree)) == (text in FIGURES)


def test_a_mark_without_its_other_half_is_noticed(tree):
    page = tree / "docs/samplers.md"
    page.write_text(page.read_text() + "\n<!-- results: samplers -->\n")
    assert "lacks its other half" in complaints(tree)


def test_a_block_that_nothing_makes_is_an_error_that_names_the_others(tree):
    page = tree / "docs/samplers.md"
    page.write_text(page.read_text() + "\n<!-- results: nothing --><!-- end -->\n")
    done = report("--root", tree)
    assert done.returncode == 1
    assert "'nothing'" in done.stderr and "samplers-summary" in done.stderr


def test_another_machine_has_a_column_and_widens_the_ranges(tree):
    def move(run):
        run["machine"] |= {"cpu": "Another", "instruction_sets": ["avx2"]}
        for case in run["results"]:
            if "core/ours" in case["ratios"]:
                case["ratios"]["core/ours"]["median"] = 77.0

    other = tree / RESULTS / "another-avx2-2-cores/samplers.json"
    other.parent.mkdir()
    shutil.copy(tree / RESULTS / SMALL / "samplers.json", other)
    change(other, move)
    assert report("--root", tree).returncode == 0
    readme = (tree / "README.md").read_text()
    assert re.search("<!-- results: samplers-ratio-large -->[0-9]+ to 77<!-- end -->", readme)
    summary = (tree / "docs/samplers.md").read_text()
    assert re.search(r"\| sampler \| S \| unique \| .*\| Another, AVX2, 2 cores \|", summary)
    assert "## Another, AVX2, 2 cores\n" in (tree / RESULTS / "samplers.md").read_text()


def time(median):
    return {"median": median, "low": median, "high": median}


def test_results_of_a_gpu_are_a_table_beside_tensorflows_times_on_each_cpu(tree):
    (core,) = (
        case["seconds"]["core"]["median"]
        for case in json.loads((tree / RESULTS / SMALL / "samplers.json").read_text())["results"]
        if (case["kind"], case["V"], case["S"], case["unique"]) == ("uniform", 10**6, 65536, True)
    )
    draw = {
        "draws": "uniform",
        "V": 10,
        "S": "8",
        "unique": True,
        "seconds": {"ours": time(2e-6), "torch": time(9e-6), "graph": time(1e-6)},
        "floor_seconds": {"memory": 5e-7, "arithmetic": 4e-7},
    }
    hits = {
        "draws": "hits",
        "V": 10,
        "S": "8",
        "unique": None,
        "seconds": {"ours": None, "torch": None, "graph": None},
        "floor_seconds": {"memory": 5e-7},
    }
    key = {"kind": "uniform", "V": 10**6, "S": 65536, "unique": True}
    launch = {"called": 4e-6, "graph": 3e-7}
    run = {
        "benchmark": "gpu",
        "source": "measured",
        "date": "2026-11-26",
        "machine": {"cpu": "c", "cores": 1, "instruction_sets": [], "gpu": "NVIDIA X"},
        "versions": {"torch": "2", "commit": "abc"},
        "settings": {},
        "results": [draw, hits],
        "launch_seconds": {"usual": launch, "together": launch},
        "copy_bytes_a_second": 2e12,
        "end_to_end": [key | {"seconds": time(core / 4)}],
        "checks": ["checks: right, in 30 s"],
    }
    path = tree / RESULTS / "nvidia-x/gpu.json"
    path.parent.mkdir()
    path.write_text(json.dumps(run))
    assert report("--root", tree).returncode == 0
    page = (tree / "docs/gpu.md").read_text()
    for line in (
        "**NVIDIA X**, 2026-11-26: torch 2, commit abc.",
        "| uniform | 10 | 8 | yes | 2.0 | 9.0 | 4.5x | 1.0 | 0.5 (memory) | 50% | 80% |",
        "| hits | 10 | 8 | - | - | - | - | - | 0.5 (memory) | - | - |",
        "- checks: right, in 30 s",
    ):
        assert f"\n{line}\n" in page
    assert f"| uniform | yes | {core / 4e-6:,.1f} | {core / 1e-6:,.1f} (4.0x) |" in page
    assert not complaints(tree)


@pytest.fixture
def benchmarks(monkeypatch):
    """Imports a benchmark as its program does, and forgets it afterwards."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if "benchmarks" in (getattr(sys.modules[name], "__file__", None) or ""):
            del sys.modules[name]


def test_a_benchmark_keeps_medians_and_quartiles(benchmarks, monkeypatch, tmp_path):
    arguments = ["--only", "V 1024", "--rounds", "2", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["learned_unigram", *arguments])
    module = benchmarks("learned_unigram")
    found = benchmarks("harness").run("learned_unigram", "", module.CASES, module.measure)
    (path,) = tmp_path.glob("*/learned_unigram.json")
    assert json.loads(path.read_text()) == found
    (result,) = found["results"]
    for value in [*result["seconds"].values(), *result["ratios"].values()]:
        assert value["low"] <= value["median"] <= value["high"]
    assert found["machine"]["cores"] >= 1
    assert found["versions"]["tensorflow"].startswith("2.")


@pytest.mark.parametrize("name", ["losses", "ragged", "samplers"])
def test_the_main_cases_of_a_benchmark_run(benchmarks, name):
    module = benchmarks(name)
    smallest = min(
        filter(module.is_main, module.CASES),
        key=lambda case: case["S"] if "S" in case else case["B"],
    )
    module.make_step(smallest, "ours")()


@pytest.mark.parametrize(
    ("new", "noise", "slower"),
    [(1.0, 0.02, False), (1.1, 0.02, True), (1.1, 0.3, False), (0.9, 0.02, False)],
)
def test_a_comparison_counts_as_slower_what_exceeds_its_noise(benchmarks, new, noise, slower):
    steps = [-1, -0.5, 0, 0.5, 1]
    pairs = [[[1 + noise * step, new] for step in steps] for _ in range(3)]
    result = benchmarks("compare").judge(pairs)
    assert result["slower"] == slower
    assert result["ratio"] == pytest.approx(1 / new, rel=0.01)


def test_a_comparison_counts_differences_between_processes_as_noise(benchmarks):
    pairs = [[[1.0, new]] * 5 for new in (1.1, 1.0, 1.3)]
    assert not benchmarks("compare").judge(pairs)["slower"]
