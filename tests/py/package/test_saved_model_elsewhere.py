# SPDX-License-Identifier: Apache-2.0
"""SavedModels in processes that have TensorFlow but not this package, as docs/serving.md says."""

import numpy as np
import processes
import pytest
import tensorflow as tf

import tf_candsamp as tfcs

CLASSES, DEPTH = 30, 4
LIBRARY = tfcs.library_path()
INPUTS = np.arange(2 * DEPTH, dtype=np.float32).reshape(2, DEPTH)
LABELS = np.array([[3], [5]])


class Scorer(tf.Module):
    """Holds a sampler that has counted; what it saves as a function uses the table alone."""

    def __init__(self):
        super().__init__()
        self.table = tf.Variable(tf.random.stateless_normal([CLASSES, DEPTH], [1, 2]))
        self.sampler = tfcs.LearnedUnigramSampler(CLASSES, seed=1)
        self.sampler.update([3, 3, 7])

    @tf.function(input_signature=[tf.TensorSpec([None, DEPTH])])
    def score(self, inputs):
        return tf.matmul(inputs, self.table, transpose_b=True)

    def signatures(self):
        return {"score": self.score}


class Model(Scorer):
    """Saves functions that draw candidates and compute a loss, too."""

    @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.int64)])
    def draw(self, labels):
        return self.sampler.sample(9, labels).sampled_candidates

    @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.int64), tf.TensorSpec([None, DEPTH])])
    def loss(self, labels, inputs):
        return tfcs.sampled_softmax_loss(
            self.table, None, labels, inputs, 9, CLASSES, sampler=self.sampler
        )

    def signatures(self):
        return super().signatures() | {"draw": self.draw, "loss": self.loss}


# What the process loads, in turn: a library once loaded cannot be unloaded.
SITUATIONS = {
    "scorer without the library": Scorer,
    "model without the library": Model,
    "model with the library": Model,
}
LOADERS = ("of_object", "of_session")

_PROCESS = f"""
import sys
import numpy as np, tensorflow as tf
sys.modules["tf_candsamp"] = None  # importing it is an error
inputs, labels = np.array({INPUTS.tolist()}, np.float32), np.array({LABELS.tolist()})
library, *paths = sys.argv[1:]

def of_object(path):
    functions = tf.saved_model.load(path).signatures
    return lambda name, **given: functions[name](
        **{{name: tf.constant(value) for name, value in given.items()}})["output_0"]

def of_session(path):  # what a serving binary does
    session = tf.compat.v1.Session(graph=tf.Graph())
    with session.graph.as_default():
        signatures = tf.compat.v1.saved_model.load(session, ["serve"], path).signature_def
    return lambda name, **given: session.run(
        signatures[name].outputs["output_0"].name,
        {{signatures[name].inputs[k].name: value for k, value in given.items()}})

for path in paths:
    with_library = path.endswith("with the library")
    if with_library:
        tf.load_op_library(library)
    for load in of_object, of_session:
        try:
            call = load(path)
            got = {{"score": call("score", inputs=inputs)}}
            if with_library:
                got |= {{"draw": call("draw", labels=labels)}}
                got |= {{"loss": call("loss", labels=labels, inputs=inputs)}}
        except Exception as error:
            got = {{"error": str(error)}}
        np.savez(path + "/result_" + load.__name__, **got)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Of each situation, the saved model and what its functions returned in another process."""
    folder = tmp_path_factory.mktemp("models")
    for name, make in SITUATIONS.items():
        model = make()
        tf.saved_model.save(model, str(folder / name), signatures=model.signatures())
    processes.run("-c", _PROCESS, LIBRARY, *(folder / name for name in SITUATIONS))
    return folder


def result_of(folder, situation, loader):
    with np.load(folder / situation / f"result_{loader}.npz") as result:
        return dict(result)


@pytest.mark.parametrize("loader", LOADERS)
def test_the_library_alone_is_enough(folder, loader):
    """Signatures score, draw and compute losses, from the state that was saved."""
    got, want = result_of(folder, "model with the library", loader), Model()
    assert list(got) == ["score", "draw", "loss"], got
    np.testing.assert_allclose(got["score"], want.score(INPUTS), rtol=1e-6)
    np.testing.assert_array_equal(got["draw"], want.draw(LABELS))
    np.testing.assert_allclose(got["loss"], want.loss(LABELS, INPUTS), rtol=1e-6)


@pytest.mark.parametrize("loader", LOADERS)
def test_functions_that_do_not_sample_need_no_library(folder, loader):
    got, want = result_of(folder, "scorer without the library", loader), Scorer()
    assert list(got) == ["score"], got
    np.testing.assert_allclose(got["score"], want.score(INPUTS), rtol=1e-6)


def test_a_sampler_is_saved_though_no_function_uses_it(folder):
    path = folder / "scorer without the library" / "variables" / "variables"
    saved = tf.train.load_checkpoint(str(path))
    counts = [name for name in saved.get_variable_to_shape_map() if "counts" in name]
    assert counts
    np.testing.assert_array_equal(saved.get_tensor(counts[0]), Scorer().sampler.counts)


def test_the_error_without_the_library(folder):
    for loader in LOADERS:
        got = result_of(folder, "model without the library", loader)
        assert "Op type not registered 'Candsamp>" in str(got["error"])
