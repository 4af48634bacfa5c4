# SPDX-License-Identifier: Apache-2.0
"""Samplers under tf.distribute: replicas draw for themselves, and count for themselves."""

import json

import processes
import pytest
import sampler_cases as spc
import sampler_replicas
import tensorflow as tf
from calls import MODES


@pytest.fixture(scope="module")
def result_of():
    """The result of a case of sampler_replicas.py, which runs in a process of its own."""
    output = processes.run("sampler_replicas.py")
    results = json.loads(output.splitlines()[-1])

    def result(case):
        assert "error" not in results[case], results[case]["error"]
        return results[case]["result"]

    return result


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", spc.OBJECTS)
def test_replicas_draw_different_candidates(kind, mode, result_of):
    steps = result_of(f"candidates {kind} {mode}")
    drawn = [tuple(ids) for step in steps for ids in step]
    assert len(drawn) == 6
    assert all(len(set(ids)) == 20 and max(ids) < 1000 for ids in drawn)
    assert len(set(drawn)) == 6


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", spc.OBJECTS)
def test_strategy_on_the_second_device(kind, mode, result_of):
    steps = result_of(f"second_device {kind} {mode}")
    assert len({tuple(ids) for (ids,) in steps}) == 3


@pytest.mark.parametrize("mode", MODES)
def test_replicas_count_for_themselves_and_a_checkpoint_has_the_sum(mode, result_of):
    assert result_of(f"counts {mode}") == {
        "replicas": [[3, 0, 0, 0], [3, 3, 3, 0]],
        "read": [6, 3, 3, 0],
        "checkpoint": [6, 3, 3, 0],
    }


def test_restored_replicas_have_the_sum(result_of):
    # TensorFlow divides a restored sum among the replicas in float64, and rounds down.
    saved, restored = result_of("restored_counts")
    for before, after in zip(saved, restored, strict=True):
        assert before - 1 - before * 2**-52 <= after <= before


def test_keras_weights_file_has_the_sum_of_replicas(result_of):
    result = result_of("keras_weights_file")
    assert result["replicas"] == [[3, 0, 0, 0], [0, 9, 0, 0]]
    assert result["counts"] == [[3, 9, 0, 0]] * 3
    random_state, *others = result["random states"]
    assert others == [random_state] * 2


@pytest.mark.parametrize("kind", spc.OBJECTS)
def test_restored_replicas_continue(kind, result_of):
    want, got = result_of(f"restored_stream {kind}")
    assert got == want


@pytest.mark.parametrize("mode", MODES)
def test_replicas_share_a_sampler_that_was_made_outside(mode, result_of):
    (first, second), counts = result_of(f"made_outside {mode}")
    assert first != second
    assert counts == [2, 1, 1, 0]


@pytest.mark.parametrize("mode", MODES)
def test_replicas_divide_first_counts_and_halve_by_their_own_steps(mode, result_of):
    """Each makes the step, so after the second and the fourth all counts are halved."""
    result = result_of(f"halving {mode}")
    assert result["steps"] == [
        [[11, 4, 0], [10, 4, 0]],
        [[11, 4, 1], [10, 4, 1]],
        [[5, 2, 1], [5, 2, 1]],
        [[5, 2, 2], [5, 2, 2]],
        [[2, 1, 1], [2, 1, 1]],
        [[2, 1, 2], [2, 1, 2]],
    ]
    # The sixth step halves.
    assert result["restored"] == [[1, 0, 1], [1, 0, 1]]


@pytest.mark.parametrize("mode", MODES)
def test_replicas_estimate_for_themselves_and_restore_the_first(mode, result_of):
    made, restored = result_of(f"estimator {mode}")
    assert made == [[1, 0.25], [0.25, 1]]
    assert restored == [[1, 0.25]] * 2


@pytest.mark.parametrize("kind", spc.OBJECTS)
def test_one_replica(kind):
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    sampler = sampler_replicas.make(kind, strategy)
    step = tf.function(lambda: strategy.run(lambda: sampler.sample(20, [[1]])))
    for _ in range(2):
        spc.assert_valid(step(), 1000, 20)
    if kind == "learned_unigram":
        assert sampler.counts.read_value()[1] == 2
