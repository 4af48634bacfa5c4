# SPDX-License-Identifier: Apache-2.0
"""The documents: their Python runs, and their links lead somewhere."""

import re
import types

import numpy as np
import pytest
import tensorflow as tf
from processes import ROOT

import tf_candsamp as tfcs

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*/*.md")])


def anchors(page):
    """The names under which GitHub links to a page's headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"https?:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def blocks(name):
    """A page's Python, with what it takes for granted."""
    keras = pytest.importorskip("keras", minversion="3")
    given = {"tf": tf, "tfcs": tfcs, "keras": keras, "np": np}
    code = re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(), re.DOTALL)
    return given, [compile(block, name, "exec") for block in code]


def run(code, given):
    exec(code, given)


def test_readme():
    _given, code = blocks("README.md")
    assert code
    for block in code:
        run(block, {})


def step_arguments():
    """Arguments of a sampled loss, as pages name them."""
    return {
        "weights": tf.Variable(tf.random.stateless_normal([2000, 8], [1, 2])),
        "biases": tf.Variable(tf.zeros([2000])),
        "labels": tf.constant([[3], [17], [3]], tf.int64),
        "inputs": tf.random.stateless_normal([3, 8], [3, 4]),
        "num_sampled": 512,
        "num_classes": 2000,
    }


def test_moving_from_tf_nn():
    given, (exchange, layer) = blocks("docs/moving_from_tf_nn.md")
    arguments = step_arguments()
    run(exchange, given | arguments)

    run(layer, given)
    layer = given["SampledSoftmax"](2000, 512)
    assert layer(arguments["inputs"], arguments["labels"][:, 0]).shape == [3]
    assert layer.supports_jit is False


def test_a_dataset_of_the_service():
    given, (*_, pipeline) = blocks("docs/scaling.md")
    service = tf.data.experimental.service
    dispatcher = service.DispatchServer()
    worker = service.WorkerServer(service.WorkerConfig(dispatcher.target.split("://")[1]))
    labels = tf.data.Dataset.from_tensors(tf.constant([[3], [17]], tf.int64)).repeat(3)
    given |= {"data": labels, "address": dispatcher.target}
    run(pipeline, given)
    drawn = [sample.sampled_candidates.numpy().tolist() for _, sample in given["data"]]
    assert len(drawn) == 3 and drawn[0] != drawn[1]
    del worker


def test_sequences():
    given, (code, _, _) = blocks("docs/sampled_losses.md")
    given |= step_arguments() | {"labels": tf.constant([[3, 17], [3, -1]])}
    given["outputs"] = tf.random.stateless_normal([2, 2, 8], [3, 4])
    run(code, given)
    loss = given["loss"].numpy()
    assert loss[1, 1] == 0
    np.testing.assert_allclose(given["mean"], loss.sum() / 3, rtol=1e-6)


def test_gbce():
    given, (_, code, _) = blocks("docs/sampled_losses.md")
    run(code, given)
    assert given["losses"].shape == [8] and np.isfinite(given["losses"]).all()
    assert given["accuracy"].dtype == tf.float32


def test_sums_of_joined_slices():
    given, (_, _, code) = blocks("docs/sampled_losses.md")
    gradient = tf.IndexedSlices(tf.constant([[1.0], [2.0], [4.0]]), tf.constant([5, 3, 5]), [9, 1])
    given["gradient"] = gradient
    run(code, given)
    assert given["gradient"].indices.numpy().tolist() == [5, 3]
    np.testing.assert_array_equal(given["gradient"].values, [[5.0], [2.0]])


def test_samplers_in_a_dataset():
    given, (_, dataset, _) = blocks("docs/samplers.md")
    given["batches"] = tf.data.Dataset.from_tensors((tf.ones([2, 8]), tf.constant([[3], [5]])))
    given["epochs"] = 2
    run(dataset, given)
    first, second = given["batches"]
    assert (first[2].sampled_candidates != second[2].sampled_candidates).numpy().any()


def test_ids_without_a_table():
    given, (code, *_) = blocks("docs/samplers.md")
    query, item = tf.random.stateless_normal([2, 4, 8], [1, 2])
    given |= {"query": query, "item": item, "item_ids": tf.constant([5, 5, 5, 7])}
    run(code, given)
    loss = tfcs.in_batch_softmax_loss(query, item, [5, 5, 5, 7], sampler=given["estimator"])
    p = [0.75, 0.75, 0.75, 0.25]
    want = tfcs.in_batch_softmax_loss(query, item, [5, 5, 5, 7], item_probability=p)
    np.testing.assert_allclose(loss, want, rtol=1e-5)


def test_choosing_a_sampler():
    given, (code,) = blocks("docs/choosing_a_sampler.md")
    given |= step_arguments() | {"weights": tf.Variable(tf.ones([50_000, 8])), "biases": None}
    run(code, given)
    assert given["loss"].shape == [3] and tf.reduce_sum(given["sampler"].counts) == 3


def test_a_sampler_in_a_keras_layer(tmp_path):
    given, (*_, code) = blocks("docs/samplers.md")
    run(code, given)
    keras = given["keras"]
    layer = given["SampledLoss"](tfcs.LearnedUnigramSampler(2000))
    inputs, labels = keras.Input([8]), keras.Input([], dtype="int64")
    model = keras.Model([inputs, labels], layer(inputs, labels))
    model.compile(keras.optimizers.SGD(0.1), lambda _, y: y)
    data = [np.ones([4, 8], np.float32), np.array([1, 2, 2, 7])], np.zeros(4)
    model.fit(*data, verbose=0)
    model.evaluate(*data, verbose=0)
    assert layer.sampler.counts.numpy()[:8].tolist() == [0, 1, 2, 0, 0, 0, 0, 1]

    model.save(tmp_path / "m.keras")
    custom = {"SampledLoss": given["SampledLoss"]}
    loaded = keras.saving.load_model(tmp_path / "m.keras", custom, compile=False)
    np.testing.assert_array_equal(loaded.layers[-1].sampler.counts, layer.sampler.counts)
    np.testing.assert_array_equal(loaded(data[0]), model(data[0]))


def test_optimizers():
    given, (fit, scaled, loop) = blocks("docs/optimizers.md")
    run(fit, given)
    touched = given["model"].layers[0].embeddings
    assert given["model"].optimizer.iterations.numpy() == 1
    run(scaled, given)
    assert given["optimizer"].inner_optimizer.learning_rate.numpy() == np.float32(1e-3)
    run(loop, given)
    moved = np.flatnonzero(given["momentum"].numpy().any(1))
    assert {3, 17} <= set(moved) and len(moved) <= 512 + 2
    assert touched.shape == (100_000, 64)


def test_keras(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given, code = blocks("docs/keras.md")
    for block in code:
        run(block, given)
    assert sorted(given["found"]) == ["accuracy", "loss", "nll", "top_10_accuracy"]
    names = {"loss", "sampled_loss", "sampled_accuracy"} | {f"val_{n}" for n in given["found"]}
    assert set(given["history"].history) == names
    assert given["logits"].shape == [8, 20_000]
    own = np.take_along_axis(given["logits"].numpy(), given["chosen"][:8, None], 1)
    np.testing.assert_array_equal(given["rank"], (given["logits"] > own).numpy().sum(1))
    assert given["layer"].num_sampled == 1024
    assert not {0, 1, 2} & set(given["unseen"].indices[0].numpy())
    assert len(given["loaded"].weights) == len(given["model"].weights)
    assert np.isfinite(given["loss"])


def test_serving(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given, (scorer, module, archive) = blocks("docs/serving.md")
    run(scorer, given | step_arguments())
    best = tf.saved_model.load("scorer").signatures["top_k"](inputs=tf.ones([2, 8]))
    assert best["indices"].shape == [2, 10]

    run(module, given)
    loaded = tf.saved_model.load("ranker")
    inputs = tf.ones([2, 64])
    np.testing.assert_array_equal(loaded.score(inputs), given["ranker"].score(inputs))
    assert given["ranker"].loss(inputs, [[3], [5]]).shape == [2]

    tower = given["keras"].layers.Dense(64)
    tower.build([None, 64])
    model = types.SimpleNamespace(tower=tower, table=tf.Variable(tf.ones([100, 64])))
    given["model"] = model
    run(archive, given)
    loaded = tf.saved_model.load("ranker")
    want = tf.matmul(model.tower(inputs), model.table, transpose_b=True)
    np.testing.assert_allclose(loaded.score(inputs), want, rtol=1e-6)
