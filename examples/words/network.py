# SPDX-License-Identifier: Apache-2.0
"""The network, and the three losses it is trained with.

The last words' embeddings, side by side, go through one dense layer; its output is dotted with a
row of `weights` for each class. The three ways differ in that last product and in nothing else.
"""

import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from corpus import WINDOW

import tf_candsamp as tfcs

FULL, STOCK, OURS = "full softmax", "tf.nn", "tf_candsamp"
WAYS = (FULL, STOCK, OURS)
EMBEDDING, HIDDEN = 64, 128
LEARNING_RATE = 0.07
_ROWS_AT_ONCE = 256  # positions scored at once over all classes: 250 MB for 250,000 of them


def full_softmax_loss(weights, biases, labels, inputs, num_classes, **_) -> tf.Tensor:
    """The loss over all classes."""
    logits = tf.matmul(inputs, weights, transpose_b=True) + biases
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels[:, 0], logits)


def loss_function(way: str) -> Callable[..., tf.Tensor]:
    """The loss of a way; the two sampled ones differ in the import alone."""
    return {
        FULL: lambda: full_softmax_loss,
        STOCK: lambda: tf.nn.sampled_softmax_loss,
        OURS: lambda: tfcs.sampled_softmax_loss,
    }[way]()


class Network(tf.Module):
    """A language model, trained one way.

    TensorFlow 1's Adagrad is made for rows: it sums those that come twice and touches no other.
    """

    def __init__(self, way: str, log_frequency: np.ndarray, num_sampled: int, seed: int):
        """`log_frequency` [V]: where the biases start, so that rare classes need not be learned."""
        super().__init__()
        classes = len(log_frequency)
        self.way = way
        self._arguments = {"num_sampled": num_sampled, "num_classes": classes, "seed": seed}
        self._loss = loss_function(way)
        shapes = ([classes, EMBEDDING], [WINDOW * EMBEDDING, HIDDEN], [HIDDEN], [classes, HIDDEN])
        self.tables = [tf.Variable(tf.zeros(shape)) for shape in (*shapes, [classes])]
        self.embeddings, self.kernel, self.offset, self.weights, self.biases = self.tables
        self._optimizer = tf.compat.v1.train.AdagradOptimizer(LEARNING_RATE)
        self._log_frequency, self._seed = log_frequency, seed
        self.seconds, self.steps = 0.0, 0

    def start(self, batch: np.ndarray) -> None:
        """Sets the first values. What TensorFlow does once is done before, by a step on `batch`."""
        self._step(tf.constant(batch))
        for i, table in enumerate((self.embeddings, self.kernel)):
            value = tf.random.stateless_normal(table.shape, [self._seed, i])
            table.assign(value * (0.1 if i == 0 else table.shape[0] ** -0.5))
        self.offset.assign(tf.zeros_like(self.offset))
        self.weights.assign(tf.zeros_like(self.weights))
        self.biases.assign(self._log_frequency)
        for table in self.tables:
            slot = self._optimizer.get_slot(table, "accumulator")
            slot.assign(tf.fill(slot.shape, 0.1))

    def train(self, batches: np.ndarray) -> float:
        """A step a batch [steps, B, WINDOW + 1]; returns the seconds they took."""
        begin = time.perf_counter()
        for batch in batches:
            self._step(tf.constant(batch))
        seconds = time.perf_counter() - begin
        self.seconds += seconds
        self.steps += len(batches)
        return seconds

    def hidden(self, windows: tf.Tensor) -> tf.Tensor:
        """What the output layer is given, [B, HIDDEN]."""
        rows = tf.nn.embedding_lookup(self.embeddings, windows[:, :WINDOW])
        return tf.tanh(tf.reshape(rows, [-1, WINDOW * EMBEDDING]) @ self.kernel + self.offset)

    def losses(self, inputs: tf.Tensor, windows: tf.Tensor) -> tf.Tensor:
        """The loss of each example, [B], as this way computes it."""
        labels = tf.cast(windows[:, WINDOW:], tf.int64)
        return self._loss(self.weights, self.biases, labels, inputs, **self._arguments)

    @tf.function(autograph=False)
    def _step(self, windows: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(self.losses(self.hidden(windows), windows))
        gradients = tape.gradient(loss, self.tables)
        self._optimizer.apply_gradients(zip(gradients, self.tables, strict=True))

    @tf.function(autograph=False)
    def _loss_and_gradient(self, inputs: tf.Tensor, windows: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = tf.reduce_sum(self.losses(inputs, windows))
        gradients = tape.gradient(loss, [self.weights, self.biases, inputs])
        return [tf.convert_to_tensor(getattr(g, "values", g)) for g in gradients]

    def loss_seconds(self, batches: np.ndarray) -> float:
        """The median time of the loss, forward and backward, alone."""
        times = []
        for i, batch in enumerate(batches):
            windows = tf.constant(batch)
            inputs = self.hidden(windows)
            begin = time.perf_counter()
            self._loss_and_gradient(inputs, windows)
            if i > 0:
                times.append(time.perf_counter() - begin)
        return float(np.median(times))

    @tf.function(autograph=False)
    def _nll(self, windows: tf.Tensor) -> tf.Tensor:
        inputs, labels = self.hidden(windows), windows[:, WINDOW]
        logits = tf.matmul(inputs, self.weights, transpose_b=True) + self.biases
        return tf.reduce_logsumexp(logits, axis=1) - tf.gather(logits, labels, batch_dims=1)

    def nll(self, windows: np.ndarray) -> np.ndarray:
        """Minus log probability of each window's last word, by the softmax over all classes."""
        parts = range(0, len(windows), _ROWS_AT_ONCE)
        return np.concatenate(
            [self._nll(tf.constant(windows[i : i + _ROWS_AT_ONCE])).numpy() for i in parts]
        )
