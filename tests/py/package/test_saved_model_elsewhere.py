"""SavedModels in processes that have TensorFlow but not this package, as docs/serving.md says."""

import os

import numpy as np
import processes
import pytest
import tensorflow as tf

import tf_candsamp as tfcs

CLASSES, DEPTH = 30, 4
LIBRARY = os.path.join(os.path.dirname(tfcs.__file__), "libtf_candsamp.so")
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


_PROCESS = f"""
import sys
import numpy as np, tensorflow as tf
sys.modules["tf_candsamp"] = None  # importing it is an error
inputs, labels = np.array({INPUTS.tolist()}, np.float32), np.array({LABELS.tolist()})
path, library, results = sys.argv[1:]
if library:
    tf.load_op_library(library)

def of_object():
    functions = tf.saved_model.load(path).signatures
    return lambda name, **given: functions[name](
        **{{name: tf.constant(value) for name, value in given.items()}})["output_0"]

def of_session():  # what a serving binary does
    session = tf.compat.v1.Session(graph=tf.Graph())
    with session.graph.as_default():
        signatures = tf.compat.v1.saved_model.load(session, ["serve"], path).signature_def
    return lambda name, **given: session.run(
        signatures[name].outputs["output_0"].name,
        {{signatures[name].inputs[k].name: value for k, value in given.items()}})

for load in of_object, of_session:
    try:
        call = load()
        got = {{"score": call("score", inputs=inputs)}}
        if library:
            got |= {{"draw": call("draw", labels=labels)}}
            got |= {{"loss": call("loss", labels=labels, inputs=inputs)}}
    except Exception as error:
        got = {{"error": str(error)}}
    np.savez(results + load.__name__, **got)
"""
LOADERS = ("of_object", "of_session")


def elsewhere(model, path, library):
    """Saves the model; returns by loader what its functions return in another process."""
    tf.saved_model.save(model, str(path), signatures=model.signatures())
    processes.run("-c", _PROCESS, path, library, path / "result_")
    results = {}
    for loader in LOADERS:
        with np.load(path / f"result_{loader}.npz") as result:
            results[loader] = dict(result)
    return results


@pytest.fixture(scope="module")
def with_library(tmp_path_factory):
    return elsewhere(Model(), tmp_path_factory.mktemp("model"), LIBRARY)


@pytest.fixture(scope="module")
def scorer(tmp_path_factory):
    """Where it was saved, and the results without the library."""
    path = tmp_path_factory.mktemp("scorer")
    return path, elsewhere(Scorer(), path, "")


@pytest.mark.parametrize("loader", LOADERS)
def test_the_library_alone_is_enough(with_library, loader):
    """Signatures score, draw and compute losses, from the state that was saved."""
    got, want = with_library[loader], Model()
    assert list(got) == ["score", "draw", "loss"], got
    np.testing.assert_allclose(got["score"], want.score(INPUTS), rtol=1e-6)
    np.testing.assert_array_equal(got["draw"], want.draw(LABELS))
    np.testing.assert_allclose(got["loss"], want.loss(LABELS, INPUTS), rtol=1e-6)


@pytest.mark.parametrize("loader", LOADERS)
def test_functions_that_do_not_sample_need_no_library(scorer, loader):
    (_, results), want = scorer, Scorer()
    assert list(results[loader]) == ["score"], results[loader]
    np.testing.assert_allclose(results[loader]["score"], want.score(INPUTS), rtol=1e-6)


def test_a_sampler_is_saved_though_no_function_uses_it(scorer):
    path, _ = scorer
    saved = tf.train.load_checkpoint(str(path / "variables" / "variables"))
    counts = [name for name in saved.get_variable_to_shape_map() if "counts" in name]
    assert counts
    np.testing.assert_array_equal(saved.get_tensor(counts[0]), Scorer().sampler.counts)


def test_the_error_without_the_library(tmp_path):
    for got in elsewhere(Model(), tmp_path, "").values():
        assert "Op type not registered 'Candsamp>" in str(got["error"])
