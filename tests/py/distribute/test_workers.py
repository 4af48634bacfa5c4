# SPDX-License-Identifier: Apache-2.0
"""Samplers and losses under MultiWorkerMirroredStrategy: two real processes on this machine."""

import json

import cluster
import numpy as np
import processes
import pytest
import workers as program

KINDS = [
    f"{seeded} {kind}" for seeded in ("seeded", "not seeded") for kind in ("log-uniform", "learned")
]


def run_pair(folder, phase):
    """What each of two workers prints."""
    addresses = cluster.addresses(2)
    started = []
    for task in range(2):
        config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": task}}
        started.append(processes.start("workers.py", folder, phase, TF_CONFIG=json.dumps(config)))
    return [json.loads(processes.output_of(one).splitlines()[-1]) for one in started]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workers")
    return {phase: run_pair(folder, phase) for phase in ("first", "second")}


@pytest.mark.parametrize("kind", KINDS)
def test_replicas_draw_different_candidates(kind, results):
    drawn = [tuple(ids) for worker in results["first"] for ids in worker["before"][kind]]
    assert len(set(drawn)) == 2 * program.STEPS
    assert all(len(set(ids)) == program.SAMPLED for ids in drawn)


@pytest.mark.parametrize("kind", KINDS)
def test_restored_workers_draw_what_those_drew_that_went_on(kind, results):
    for went_on, restored in zip(results["first"], results["second"], strict=True):
        assert restored["after"][kind] == went_on["after"][kind]


def test_workers_train_one_table(results):
    first, second = results["first"]
    assert first["weights"] == second["weights"]
    assert np.mean(first["losses"][-3:]) < 0.5 * first["losses"][0]
    assert results["second"][0]["weights"] == first["weights"]


def test_counts_are_those_of_all_replicas(results):
    a_step = 2 * np.bincount(np.ravel(program.LABELS), minlength=program.CLASSES)
    for worker in results["first"] + results["second"]:
        assert worker["counts"] == (2 * program.STEPS * a_step).tolist()
