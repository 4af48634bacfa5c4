# SPDX-License-Identifier: Apache-2.0
"""Tables and samplers whose variables are on parameter servers: real processes, on this machine."""

import json

import numpy as np
import parameter_servers as program
import processes
import pytest

LAYOUTS = ("whole", "list", "sharded", "biases whole", "biases elsewhere", "no biases")


@pytest.fixture(scope="module")
def result_of():
    """The result of a case of parameter_servers.py, which runs in a process of its own."""
    results = json.loads(processes.run("parameter_servers.py", timeout=600).splitlines()[-1])

    def result(case):
        assert "error" not in results[case], results[case]["error"]
        return results[case]["result"]

    return result


@pytest.mark.parametrize("layout", [*LAYOUTS, "mod", "mod, biases whole"])
@pytest.mark.parametrize("function", program.FUNCTIONS)
def test_values_and_gradients_are_those_of_one_process(function, layout, result_of):
    if "mod" in layout and function in program.WITHOUT_STRATEGY:
        pytest.skip("this function takes no partition_strategy")
    result = result_of(f"{function}, {layout}")
    here, there = result["here"], result["there"]
    assert set(here) == set(there) and "value" in here
    for name, value in here.items():
        np.testing.assert_array_equal(there[name], value, err_msg=name)
        assert np.any(value)


def test_no_step_reads_a_table_whole(result_of):
    reads = result_of("reads")
    assert set(reads) >= {"whole", "sharded", "list"}
    assert not any(reads.values())


@pytest.mark.parametrize("kind", ["uniform", "log-uniform", "fixed", "learned"])
def test_samplers_draw_anew_and_go_on_after_a_restore(kind, result_of):
    result = result_of(f"sampler {kind}")
    calls = result["drawn"] + result["after"]
    assert len({tuple(ids) for ids in calls}) == 5
    assert all(len(set(ids)) == 7 and max(ids) < program.CLASSES for ids in calls)
    assert result["restored"] == result["after"]
    if kind == "learned":
        labels = np.ravel(program.LABELS)
        want = 5 * np.bincount(labels, minlength=program.CLASSES)
        assert result["counts"] == want.tolist()
        assert result["steps"] == 5


def test_two_workers_train_one_table_and_one_comes_back(result_of):
    result = result_of("training")
    assert result["last"] < 0.5 * result["first"]
    a_step = np.bincount(np.ravel(program.LABELS), minlength=program.CLASSES)
    assert result["counts"] == (60 * a_step).tolist()
    # A step that the killed worker had begun is made again.
    assert np.all(np.asarray(result["counts_after_restart"]) >= 120 * a_step)


def test_graphs_of_tensorflow_1_train_partitioned_tables(result_of):
    result = result_of("graphs")
    assert len(result["devices"]) == 2
    assert np.mean(result["losses"][-5:]) < 0.5 * np.mean(result["losses"][:5])
    assert (
        result["counts"]
        == (30 * np.bincount(np.ravel(program.LABELS), minlength=program.CLASSES)).tolist()
    )


@pytest.mark.parametrize(
    "case, message",
    [
        ("label", "labels must hold class ids in [0, num_classes = 23), got 23 in row 1"),
        ("rows", "weights must have at least num_classes = 24 rows, got 23."),
        ("mod", "partition_strategy must be 'div' where weights is a partitioned variable"),
    ],
)
def test_errors_name_the_argument(case, message, result_of):
    assert message in result_of("errors")[case]
