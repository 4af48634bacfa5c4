# SPDX-License-Identifier: Apache-2.0
"""The language model of examples/words for tf.estimator: its input, its model_fn, its export."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import ngrams
import numpy as np
import tensorflow as tf
from corpus import WINDOW, Corpus

import tf_candsamp as tfcs

EMBEDDING, HIDDEN = 64, 128
LEARNING_RATE, FIRST_SUM = 0.07, 1e-7  # of Adagrad
NEXT_WORDS = 5  # that are predicted

InputFn = Callable[[], tf.data.Dataset]


class Setting(NamedTuple):
    """What an Estimator hands to `model_fn` as params."""

    corpus: Corpus
    num_sampled: int
    seed: int

    def __deepcopy__(self, memo: Any) -> "Setting":
        return self  # the Estimator would copy the corpus


def estimator(setting: Setting, model_dir: Path, save_every: int) -> "tf.estimator.Estimator":
    """An Estimator that goes on from the latest checkpoint in its folder."""
    config = tf.estimator.RunConfig(
        model_dir=str(model_dir),
        tf_random_seed=setting.seed,
        save_checkpoints_steps=save_every,
        keep_checkpoint_max=2,
        log_step_count_steps=None,
    )
    return tf.estimator.Estimator(model_fn, config=config, params={"setting": setting})


def steps_made(model_dir: Path) -> int:
    """How many steps of training the latest checkpoint of a folder has behind it."""
    latest = tf.train.latest_checkpoint(str(model_dir))
    return int(tf.train.load_variable(latest, "global_step")) if latest else 0


def training_input(setting: Setting, batch: int, steps: int, model_dir: Path) -> InputFn:
    """Batches from the one after the latest checkpoint's on, as if training had not stopped."""
    corpus = setting.corpus

    def input_fn() -> tf.data.Dataset:
        order = corpus.batches(batch, steps, setting.seed)[steps_made(model_dir) :]
        return _windows(corpus, order).prefetch(2)

    return input_fn


def held_out_input(setting: Setting, batch: int, size: int) -> InputFn:
    """The held-out words to judge by."""

    def input_fn() -> tf.data.Dataset:
        judged = setting.corpus.held_out_sample(size)
        return _windows(setting.corpus, np.split(judged, range(batch, len(judged), batch)))

    return input_fn


def _windows(corpus: Corpus, batches: Any) -> tf.data.Dataset:
    """Features and labels at batches of positions."""

    def features_and_labels() -> Any:
        for positions in batches:
            windows = corpus.windows(positions)
            yield {"context": windows[:, :WINDOW]}, windows[:, WINDOW:].astype(np.int64)

    context, labels = tf.TensorSpec([None, WINDOW], tf.int32), tf.TensorSpec([None, 1], tf.int64)
    return tf.data.Dataset.from_generator(
        features_and_labels, output_signature=({"context": context}, labels)
    )


def model_fn(features: Any, labels: Any, mode: str, params: Any) -> "tf.estimator.EstimatorSpec":
    """The words before go through a dense layer; its output is dotted with a row for each word."""
    setting = params["setting"]
    classes = len(setting.corpus.words)
    hidden = _hidden(features["context"], classes, setting.seed)
    weights = tf.compat.v1.get_variable("weights", [classes, HIDDEN], initializer=tf.zeros)
    # Training starts at the unigram: how rare words are need not be learned.
    log_frequency = np.log(ngrams.unigram(setting.corpus)).astype(np.float32)
    biases = tf.compat.v1.get_variable("biases", initializer=log_frequency)

    if mode == tf.estimator.ModeKeys.TRAIN:
        # Made in model_fn, its counts and its random stream are variables of the graph: they are
        # in every checkpoint, and come back with it.
        with tf.name_scope("sampler"):
            sampler = tfcs.LearnedUnigramSampler(classes, seed=setting.seed)
        losses = tfcs.sampled_softmax_loss(
            weights, biases, labels, hidden, setting.num_sampled, classes, sampler=sampler
        )
        loss = tf.reduce_mean(losses)
        return tf.estimator.EstimatorSpec(mode, loss=loss, train_op=_adagrad(loss))

    if mode == tf.estimator.ModeKeys.EVAL:
        losses = tfcs.full_softmax_loss(weights, biases, labels[:, 0], hidden)
        nll, update = tf.compat.v1.metrics.mean(losses)
        return tf.estimator.EstimatorSpec(
            mode,
            loss=tf.reduce_mean(losses),
            eval_metric_ops={"perplexity": (tf.exp(nll), update)},
        )

    # Of TensorFlow's own ops alone: what serves it needs no library.
    probabilities = tf.nn.softmax(tf.matmul(hidden, weights, transpose_b=True) + biases)
    best, words = tf.math.top_k(probabilities, NEXT_WORDS)
    predictions = {"words": words, "probabilities": best}
    return tf.estimator.EstimatorSpec(mode, predictions=predictions)


def _hidden(context: tf.Tensor, classes: int, seed: int) -> tf.Tensor:
    def normal(k: int, scale: float) -> Any:
        return lambda shape, **_: scale * tf.random.stateless_normal(shape, [seed, k])

    wide = WINDOW * EMBEDDING
    embeddings = tf.compat.v1.get_variable(
        "embeddings", [classes, EMBEDDING], initializer=normal(0, 0.1)
    )
    kernel = tf.compat.v1.get_variable("kernel", [wide, HIDDEN], initializer=normal(1, wide**-0.5))
    offset = tf.compat.v1.get_variable("offset", [HIDDEN], initializer=tf.zeros)
    rows = tf.reshape(tf.nn.embedding_lookup(embeddings, context), [-1, wide])
    return tf.tanh(tf.matmul(rows, kernel) + offset)


def _adagrad(loss: tf.Tensor) -> tf.Operation:
    """A step of Adagrad: of the rows that have a gradient, or of a whole variable."""
    variables = tf.compat.v1.trainable_variables()
    rows, dense = [], []
    for variable, gradient in zip(variables, tf.gradients(loss, variables), strict=True):
        if isinstance(gradient, tf.IndexedSlices):
            sums = tf.compat.v1.get_variable(
                f"{variable.op.name}/adagrad",
                variable.shape,
                initializer=tf.constant_initializer(FIRST_SUM),
                trainable=False,
            )
            rows.append(tfcs.row_adagrad(variable, sums, gradient, LEARNING_RATE, epsilon=0.0))
        else:
            dense.append((gradient, variable))
    optimizer = tf.compat.v1.train.AdagradOptimizer(LEARNING_RATE, FIRST_SUM)
    with tf.control_dependencies(rows):  # the step counts when all its updates are made
        return optimizer.apply_gradients(dense, tf.compat.v1.train.get_global_step())


def serving_input(vocabulary: Path) -> Callable[[], Any]:
    """Words as strings, whose ids are looked up in a file that goes with the exported model."""

    def input_fn() -> "tf.estimator.export.ServingInputReceiver":
        lines = tf.lookup.TextFileInitializer(
            str(vocabulary),
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        )
        ids = tf.lookup.StaticHashTable(lines, default_value=0)  # an unknown word is an end
        context = tf.compat.v1.placeholder(tf.string, [None, WINDOW], "context")
        features = {"context": ids.lookup(context)}
        return tf.estimator.export.ServingInputReceiver(features, {"context": context})

    return input_fn
