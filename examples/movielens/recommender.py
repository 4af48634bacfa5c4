# SPDX-License-Identifier: Apache-2.0
"""The network, and the losses it is trained with.

Self-attention turns what a user watched into a query. A movie's score is the query dotted with the
movie's row of a table, from which the attention reads, too: SASRec, Kang and McAuley 2018.
"""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from ratings import PADDING, Ratings

import tf_candsamp as tfcs

LENGTH, DIMENSION = 50, 64
BATCH = 32  # windows of LENGTH places
MOST_SAMPLED = 512  # movies that are drawn for a step, where any are
LEARNING_RATE = 5e-3


def tf_variable(variable) -> tf.Variable:
    """What a variable of Keras 3 holds; those of Keras 2 are TensorFlow's own."""
    return variable if isinstance(variable, tf.Variable) else variable.value


class Tower(keras.layers.Layer):
    """A query [B, LENGTH, DIMENSION] from the movies up to each place, and the movies' table."""

    def __init__(self, num_movies: int):
        super().__init__()
        layers = keras.layers
        normal = keras.initializers.RandomNormal(stddev=0.05)
        self.table = self.add_weight(shape=(num_movies, DIMENSION), initializer=normal)
        self.places = self.add_weight(shape=(LENGTH, DIMENSION), initializer=normal)
        self.attention = layers.MultiHeadAttention(1, DIMENSION)
        self.wide = layers.Dense(2 * DIMENSION, "gelu")
        self.narrow = layers.Dense(DIMENSION)
        self.norms = [layers.LayerNormalization() for _ in range(3)]
        self.dropout = layers.Dropout(0.2)

    def call(self, movies, training=False):
        """movies: [B, LENGTH], or PADDING."""
        x = self.vectors(movies) * DIMENSION**0.5 + self.places
        x = self.dropout(x, training=training)
        y = self.norms[0](x)
        watched = (movies != PADDING)[:, tf.newaxis, :]
        y = self.attention(y, y, attention_mask=watched, use_causal_mask=True, training=training)
        x += self.dropout(y, training=training)
        y = self.narrow(self.wide(self.norms[1](x)))
        return self.norms[2](x + self.dropout(y, training=training))

    def vectors(self, movies: tf.Tensor) -> tf.Tensor:
        """The rows of movies, [.., DIMENSION]; any row for padding."""
        return tf.gather(tf_variable(self.table), tf.maximum(movies, 0))


class Recommender:
    """A network that is trained in one of WAYS."""

    def __init__(self, way: str, num_movies: int, steps: int, seed: int):
        """`steps`: training steps over which the learning rate falls to zero."""
        keras.utils.set_random_seed(seed)
        self.tower = Tower(num_movies)
        self.tower(tf.fill([1, LENGTH], PADDING))  # makes the variables
        self.num_movies = num_movies
        self.num_sampled = min(MOST_SAMPLED, num_movies // 3)
        # How often movies come in batches is learned on the way; others are drawn evenly.
        self.frequencies = tfcs.LearnedUnigramSampler(num_movies)
        self.evenly = tfcs.UniformSampler(num_movies)
        self._loss = WAYS[way]
        schedule = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)
        self._optimizer = keras.optimizers.Adam(schedule)
        self._rng = np.random.default_rng(seed)

    @property
    def table(self) -> tf.Variable:
        return tf_variable(self.tower.table)

    def train_epoch(self, ratings: Ratings, on_step: Callable[[], None]) -> float:
        """Trains once on all movies but what does not fill a batch; returns the mean loss."""
        windows = ratings.windows(LENGTH, self._rng)
        losses = []
        for first in range(0, len(windows) - BATCH + 1, BATCH):
            losses.append(self._step(tf.constant(windows[first : first + BATCH])))
            on_step()
        return float(np.mean(losses))

    @tf.function(autograph=False)
    def _step(self, windows: tf.Tensor) -> tf.Tensor:
        movies, following = windows[:, 0], windows[:, 1]
        variables = self.tower.trainable_variables
        with tf.GradientTape() as tape:
            losses = self._loss(self, self.tower(movies, training=True), following)
            places = tf.math.count_nonzero(following != PADDING, dtype=tf.float32)
            loss = tf.reduce_sum(losses) / places  # losses at padding are 0
        gradients = tape.gradient(loss, [tf_variable(v) for v in variables])
        # As a tensor the slices of a movie are summed: Keras's Adam would square each by itself.
        gradients = [tf.convert_to_tensor(g) for g in gradients]
        self._optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return loss

    def ranks(self, ratings: Ratings, held_out: int) -> np.ndarray:
        """The rank of each user's held-out movie among all those not watched before, int64 [U]."""
        query = self._latest_query(tf.constant(ratings.latest(LENGTH, held_out)))
        seen = tf.ragged.stack([tf.constant(row) for row in ratings.histories(held_out)])
        labels = ratings.held_out(held_out)
        return tfcs.label_rank(self.table, None, labels, query, exclude=seen).numpy()

    def best(self, ratings: Ratings, held_out: int, k: int) -> np.ndarray:
        """The k movies that are ranked first for each user, int64 [U, k]."""
        query = self._latest_query(tf.constant(ratings.latest(LENGTH, held_out)))
        seen = tf.ragged.stack([tf.constant(row) for row in ratings.histories(held_out)])
        return tfcs.top_k(self.table, None, query, k, exclude=seen).indices.numpy()

    @tf.function(autograph=False)
    def _latest_query(self, movies: tf.Tensor) -> tf.Tensor:
        return self.tower(movies)[:, -1]


# Losses [B, LENGTH] of the next movies, given the queries; 0 at padding.


def uncorrected(model: Recommender, query: tf.Tensor, movies: tf.Tensor) -> tf.Tensor:
    """The other movies of the batch are the negatives."""
    vectors = model.tower.vectors(movies)
    return tfcs.in_batch_softmax_loss(query, vectors, movies, ignore_id=PADDING)


def corrected(model: Recommender, query: tf.Tensor, movies: tf.Tensor) -> tf.Tensor:
    """The same, each less the log of how often it comes."""
    vectors = model.tower.vectors(movies)
    return tfcs.in_batch_softmax_loss(
        query, vectors, movies, sampler=model.frequencies, ignore_id=PADDING
    )


def corrected_anew(model: Recommender, query: tf.Tensor, movies: tf.Tensor) -> tf.Tensor:
    """The same, with the row's own movie uncorrected and out of the sum (RecSys 2025)."""
    vectors = model.tower.vectors(movies)
    return tfcs.in_batch_softmax_loss(
        query,
        vectors,
        movies,
        sampler=model.frequencies,
        correction="corrected_log_q",
        ignore_id=PADDING,
    )


def mixed(model: Recommender, query: tf.Tensor, movies: tf.Tensor) -> tf.Tensor:
    """Movies of the batch, and movies drawn evenly."""
    return tfcs.mixed_softmax_loss(
        query,
        movies,
        weights=model.table,
        sampler=model.frequencies,
        negatives=model.evenly,
        num_sampled=model.num_sampled,
        ignore_id=PADDING,
    )


def sampled(model: Recommender, query: tf.Tensor, movies: tf.Tensor) -> tf.Tensor:
    """Movies drawn by how often they come."""
    return tfcs.sampled_softmax_loss(
        model.table,
        None,
        movies,
        query,
        model.num_sampled,
        model.num_movies,
        sampler=model.frequencies,
        ignore_id=PADDING,
    )


def full(model: Recommender, query: tf.Tensor, movies: tf.Tensor) -> tf.Tensor:
    """All movies."""
    return tfcs.full_softmax_loss(model.table, None, movies, query, ignore_id=PADDING)


WAYS = {
    "in-batch": uncorrected,
    "in-batch, log q": corrected,
    "in-batch, log q anew": corrected_anew,
    "mixed": mixed,
    "sampled softmax": sampled,
    "full softmax": full,
}
