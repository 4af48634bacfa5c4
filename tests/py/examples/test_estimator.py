# SPDX-License-Identifier: Apache-2.0
"""The Estimator example, and what it shows of losses and samplers in a model_fn."""

import json
import signal

import corpus
import numpy as np
import processes
import pytest
import tensorflow as tf
from corpus import Document

import tf_candsamp as tfcs

_MAIN = processes.ROOT / "examples" / "estimator" / "main.py"

if not hasattr(tf, "estimator"):
    pytest.skip("TensorFlow 2.15 is the last one with tf.estimator", allow_module_level=True)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A corpus of 60 words in which the word before tells the next one, nearly."""
    rng = np.random.default_rng(0)
    names, documents = [a + b for a in "abcdefghij" for b in "klmnop"], []
    for i in range(1200):
        word, text = rng.integers(60), []
        for _ in range(8):
            text.append(names[word])
            word = (7 * word + (rng.random() < 0.2)) % 60
        documents.append(Document(f"h{i}", " ".join(text)))
    path = tmp_path_factory.mktemp("cache")
    corpus.save(corpus.build(documents), corpus.file_in(path))
    return path


def test_main(cache, tmp_path):
    options = ["--batch", "64", "--sampled", "20", "--cache", cache, "--model-dir", tmp_path / "m"]
    output = processes.run(_MAIN, "--steps", "120", *options, cwd=tmp_path)
    reports = [line for line in output.splitlines() if line.startswith("step ")]
    # One label a word: the sampler's counts are the steps' times the batch.
    assert reports[0].startswith("step 60: 3,840 labels counted")
    assert reports[1].startswith("step 120: 7,680 labels counted")
    unigram = float(output.split("unigram ")[1].split(",")[0])
    found = [float(line.split("perplexity ")[1].split()[0].strip(",")) for line in reports]
    assert len(found) == 3  # the last one of Keras 2
    assert all(perplexity < 0.5 * unigram for perplexity in found[1:])
    assert "the act of ... " in output
    # More steps go on where it stopped.
    output = processes.run(_MAIN, "--steps", "140", "--no-keras", *options, cwd=tmp_path)
    assert "Training: from step 120 on" in output
    assert "step 140: 8,960 labels counted" in output


def test_killed_training_goes_on_as_if_it_had_not_been(cache, tmp_path):
    """Same tables, slots, counts and stream, bit for bit."""

    def start(folder, *arguments):
        program = "estimator_training.py"
        return processes.start(program, cache, tmp_path / folder, 35, *arguments)

    whole = json.loads(processes.output_of(start("whole")).splitlines()[-1])
    killed = start("killed", 17)
    killed.communicate(timeout=300)
    assert killed.returncode == -signal.SIGKILL
    again = json.loads(processes.output_of(start("killed")).splitlines()[-1])
    assert again == whole
    assert (whole["step"], whole["counted"]) == (35, 35 * 32)
    assert {"weights/adagrad", "embeddings/adagrad", "sampler/counts"} < set(whole["sha"])


@pytest.mark.parametrize("loss", [tfcs.sampled_softmax_loss, tfcs.nce_loss])
@pytest.mark.parametrize("partitions", [None, 3])
def test_learns_with_a_partitioned_table(loss, partitions, tmp_path):
    """The label of x is the place of its one; the table is one variable or several."""
    classes = 40

    def model_fn(features, labels, mode):
        with tf.compat.v1.variable_scope(
            "table",
            partitioner=partitions and tf.compat.v1.fixed_size_partitioner(partitions),
        ):
            table = tf.compat.v1.get_variable("rows", [classes, classes])
        if mode == tf.estimator.ModeKeys.EVAL:
            logits = tf.matmul(features, tf.convert_to_tensor(table), transpose_b=True)
            right = tf.compat.v1.metrics.accuracy(labels[:, 0], tf.argmax(logits, 1))
            return tf.estimator.EstimatorSpec(
                mode, loss=tf.zeros([]), eval_metric_ops={"right": right}
            )
        sampler = tfcs.LearnedUnigramSampler(classes, seed=1)
        rows = list(table) if partitions else table
        losses = loss(rows, None, labels, features, 10, classes, sampler=sampler)
        mean = tf.reduce_mean(losses)
        step = tf.compat.v1.train.AdagradOptimizer(1.0).minimize(
            mean, tf.compat.v1.train.get_global_step()
        )
        return tf.estimator.EstimatorSpec(mode, loss=mean, train_op=step)

    def input_fn():
        rows = tf.range(classes, dtype=tf.int64)
        data = tf.data.Dataset.from_tensors((tf.one_hot(rows, classes), rows[:, tf.newaxis]))
        return data.repeat(100)

    config = tf.estimator.RunConfig(str(tmp_path), tf_random_seed=1)
    estimator = tf.estimator.Estimator(model_fn, config=config)
    estimator.train(input_fn)
    assert estimator.evaluate(input_fn, steps=1)["right"] > 0.9
    counts = [n for n in estimator.get_variable_names() if n.endswith("counts")]
    assert estimator.get_variable_value(*counts).tolist() == [100] * classes


@pytest.mark.parametrize("kind", ["learned", "fixed"])
def test_replicas(kind):
    """Of a MirroredStrategy: other candidates on each, counts of both, one table."""
    found = json.loads(processes.run("estimator_replicas.py", kind, 100).splitlines()[-1])
    assert found["counted"] == ([100 * 2 * 20] if kind == "learned" else [])
    first, second = found["drawn"]
    assert first != second and len(set(first)) == len(set(second)) == 10
    assert found["right"] > 0.9
