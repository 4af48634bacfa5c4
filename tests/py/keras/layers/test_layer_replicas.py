# SPDX-License-Identifier: Apache-2.0
"""The layers under MirroredStrategy: two replicas train as one does on the whole batch."""

import json

import layer_models as lms
import numpy as np
import processes
import pytest


@pytest.fixture(scope="module")
def results():
    return json.loads(processes.run("layer_replicas.py").splitlines()[-1])


@pytest.mark.parametrize("kind", ["SampledSoftmax", "RaggedSampledSoftmax"])
def test_two_replicas_train_as_one(kind, results):
    two, one = results[kind]
    assert set(two) == set(one) and "table" in one
    for name, values in one.items():
        np.testing.assert_allclose(two[name], values, rtol=1e-4, atol=1e-5, err_msg=name)


def test_replicas_count_the_labels_of_all(results):
    result = results["counts"]
    want = np.bincount(lms.LABELS, minlength=len(result["counts"]))
    np.testing.assert_array_equal(result["counts"], want)
    assert result["num_sampled"] == 30
