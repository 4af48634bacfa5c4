# SPDX-License-Identifier: Apache-2.0
"""Out of memory: any allocation may fail, in any op; what fails says so, and all else goes on."""

import json
import re
import subprocess

import allocation_cases
import processes
import pytest
import tensorflow as tf


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """What makes allocations fail, built for this TensorFlow."""
    path = tmp_path_factory.mktemp("allocation_failures") / "allocation_failures.so"
    source = processes.PROGRAMS / "allocation_failures.cc"
    command = ["g++", "-w", "-shared", "-fPIC", "-fvisibility-inlines-hidden"]
    command += [*tf.sysconfig.get_compile_flags(), str(source), "-o", str(path)]
    built = subprocess.run(
        command + tf.sysconfig.get_link_flags(), capture_output=True, text=True, timeout=300
    )
    assert built.returncode == 0, built.stderr
    return path


@pytest.fixture(scope="module")
def report(library):
    """What allocation_failures.py finds, in a process of its own with several threads."""
    return json.loads(processes.run("allocation_failures.py", library, 3, timeout=600))


@pytest.mark.parametrize("name", allocation_cases.CASES)
def test_any_allocation_may_fail(report, name):
    """The call fails with ResourceExhaustedError or does not need it; the next one succeeds."""
    assert report["cases"][name]["problem"] is None


def test_every_op_is_among_the_cases(report):
    assert report["unused"] == []


@pytest.mark.parametrize("kind", ["sampled softmax", "sampled nce", "ragged", ".*: sample_ragged"])
def test_several_threads_take_part(report, kind):
    tasks = [case["tasks"] for name, case in report["cases"].items() if re.match(kind, name)]
    assert tasks and min(tasks) > 0


@pytest.mark.parametrize(
    "name, op",
    [
        ("sampled softmax, eager", "ResourceSampledSoftmaxLoss"),
        ("sampled softmax, eager", "SampledLossGrad"),
        ("ragged softmax, eager", "RaggedLossGrad"),
        ("uniform: sample_ragged", "StatelessUniformRaggedSample"),
        ("compute_accidental_hits", "ComputeAccidentalHits"),
    ],
)
def test_the_error_says_whose_scratch_space_and_how_much(report, name, op):
    wanted = rf"Candsamp>{op}: no memory left for [1-9]\d* bytes of scratch space"
    assert any(re.search(wanted, message) for message in report["cases"][name]["messages"])
