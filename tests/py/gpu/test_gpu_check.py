# SPDX-License-Identifier: Apache-2.0
"""tools/gpu_check, as far as it goes without a GPU: what it runs, and what it says of it."""

import pathlib
import re
import subprocess

import pytest
from processes import ROOT


def _gpu_check(*options):
    command = [ROOT / "tools/gpu_check", *options]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def _emulate(folder, checker, *options):
    """Runs it with a script in place of the program that checks."""
    program = folder / "gpu_checker_on_host"
    program.write_text(f"#!/bin/sh\n{checker}\n")
    program.chmod(0o755)
    return _gpu_check("--emulate", "--steps=check", f"--bin={folder}", *options)


def test_what_runs_without_an_error_is_right(tmp_path):
    done = _emulate(tmp_path, 'echo "given $@"', "--seed=7")
    assert done.returncode == 0, done.stderr
    assert "given --sizes=tiny --seed=7\n" in done.stdout
    assert re.search(r"^the checks on threads: right, in \d+ s$", done.stdout, re.MULTILINE)


def test_what_fails_is_wrong(tmp_path):
    done = _emulate(tmp_path, "exit 3")
    assert done.returncode == 1
    assert "WRONG: the checks on threads: exit status 3 after" in done.stdout


def test_says_how_to_get_a_program_that_is_missing(tmp_path):
    done = _gpu_check("--emulate", f"--bin={tmp_path}")
    assert done.returncode == 1
    sentence = (
        rf"There is no gpu_checker_on_host in {tmp_path}: run 'make gpu-check-files'[^\n]*\.\n"
    )
    assert re.fullmatch(sentence, done.stderr), done.stderr


def test_make_builds_what_it_runs():
    command = ["make", "--dry-run", "gpu-check-files"]
    made = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    (copied,) = [line.split() for line in made.splitlines() if line.startswith("cp ")]
    assert copied[-1] == "build/gpu_check"
    assert {pathlib.Path(path).name for path in copied[2:-1]} == {
        "gpu_checker",
        "gpu_checker_on_host",
        "libcandsamp_benchmarks.so",
        "libcandsamp_benchmarks_on_host.so",
    }


@pytest.mark.skipif(pathlib.Path("/dev/nvidiactl").exists(), reason="this machine has a GPU")
def test_says_in_a_sentence_that_there_is_no_gpu():
    done = _gpu_check()
    assert done.returncode == 1
    assert done.stdout == ""
    assert re.fullmatch(r"[^\n]*NVIDIA driver[^\n]*--emulate[^\n]*\.\n", done.stderr), done.stderr
