# SPDX-License-Identifier: Apache-2.0
"""The model: a tower over the observation, dotted with the embedding of each legal move.

Only the legal moves of a position are scored, and only their rows are updated, so a step costs what
the legal moves of its batch cost, however many moves the game has.
"""

import keras
import numpy as np
import tensorflow as tf
from dataset import KINDS, OBSERVATION, Positions
from engine import MOVES, NUM_MOVES, RANKS, counts

import tf_candsamp as tfcs

BATCH = 256
WIDTH, DIMENSION = 256, 64
_ONE_HOT = (len(KINDS), 3, 3, 21, 21, 21)  # sizes of bytes 45..50 of an observation


def batches(positions: Positions, size: int, seed: int | None = None) -> tf.data.Dataset:
    """Batches of the model's inputs by name, shuffled if given a seed."""
    columns = {
        "observation": positions.observations,
        "legal": tfcs.data.RaggedRows(positions.candidates, positions.row_splits),
        "choice": positions.labels[:, np.newaxis],
    }
    return tfcs.data.ragged_batches(columns, size, shuffle=seed is not None, seed=seed)


class Encode(keras.layers.Layer):
    """Zeros and ones for the tower: "at least 1, 2, 3, 4 of this rank", and one-hot the rest."""

    def call(self, observations):
        at_least = observations[:, :45, None] >= tf.constant([1, 2, 3, 4], tf.uint8)
        parts = [tf.reshape(tf.cast(at_least, tf.float32), [-1, 45 * 4])]
        parts += [tf.one_hot(observations[:, 45 + i], size) for i, size in enumerate(_ONE_HOT)]
        return tf.concat(parts, axis=1)


def describe_moves() -> np.ndarray:
    """float32 [NUM_MOVES, F]: the cards, the kind and the rank of each move, as unit vectors."""
    cards = np.array([counts(move.cards) for move in MOVES])
    at_least = (cards[:, :, None] >= np.arange(1, 5)).reshape(NUM_MOVES, -1)
    kind = np.eye(len(KINDS))[[KINDS.index(move.kind) for move in MOVES]]
    rank = np.eye(len(RANKS) + 1)[[move.rank for move in MOVES]]  # the last column: a pass
    features = np.concatenate([at_least, kind, rank], axis=1, dtype=np.float32)
    return features / np.linalg.norm(features, axis=1, keepdims=True)


def described(shape, dtype=None) -> tf.Tensor:
    """The first embeddings: a random projection of each move's description.

    A move that training never shows is then close to the moves that look like it.
    """
    description = describe_moves()
    projection = keras.random.normal([description.shape[1], shape[1]], stddev=shape[1] ** -0.5)
    return tf.matmul(description, projection)


class MovePredictor:
    """A model to train, and one that scores the legal moves, of the same layers."""

    def __init__(self, steps: int):
        """`steps`: training steps over which the learning rate falls to zero."""
        observation = keras.Input([OBSERVATION], dtype="uint8", name="observation")
        legal = keras.Input([None], dtype="int32", ragged=True, name="legal")
        choice = keras.Input((1,), dtype="int32", name="choice")
        hidden = Encode()(observation)
        for _ in range(2):
            hidden = keras.layers.Dense(WIDTH, "relu")(hidden)
            hidden = keras.layers.Dropout(0.1)(hidden)
        hidden = keras.layers.Dense(DIMENSION)(hidden)
        moves = tfcs.keras.layers.RaggedSampledSoftmax(
            NUM_MOVES, table_initializer=described, name="moves"
        )
        inputs = [observation, legal]
        self.model = keras.Model([*inputs, choice], moves(hidden, legal, labels=choice))
        rate = keras.optimizers.schedules.CosineDecay(4e-3, steps)
        # Most moves are seldom legal: a second moment with a short memory suits their few steps.
        self.model.compile(
            tfcs.keras.optimizers.AdamW(rate, weight_decay=0.05, beta_2=0.95, epsilon=1e-4)
        )
        self.scorer = keras.Model(inputs, moves(hidden, legal))

    def score(self, positions: Positions) -> np.ndarray:
        """The score of every candidate of every position, flat as `positions.candidates`."""
        data = batches(positions, 4 * BATCH)
        return self.scorer.predict(data, verbose=0).flat_values.numpy()


def train(training: Positions, epochs: int, seed: int, on_epoch) -> MovePredictor:
    """A trained model; `on_epoch(model, epoch from 0, training nll)` is called after each epoch."""
    keras.utils.set_random_seed(seed)
    predictor = MovePredictor(steps=epochs * -(-len(training) // BATCH))
    report = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: on_epoch(predictor, epoch, logs["nll"])
    )
    data = batches(training, BATCH, seed)
    predictor.model.fit(data, epochs=epochs, verbose=0, shuffle=False, callbacks=[report])
    return predictor
