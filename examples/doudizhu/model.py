# SPDX-License-Identifier: Apache-2.0
"""The model: a tower over the observation, dotted with the embedding of each legal move.

Only the legal moves of a position are scored, with the ragged functions of tf_candsamp, so a step
costs what the legal moves of its batch cost, however many moves the game has.
"""

import keras
import numpy as np
import tensorflow as tf
from dataset import KINDS, Positions
from engine import MOVES, NUM_MOVES, RANKS, counts

import tf_candsamp as tfcs

BATCH = 256
WIDTH, DIMENSION = 256, 64
_ONE_HOT = (len(KINDS), 3, 3, 21, 21, 21)  # sizes of bytes 45..50 of an observation


def batches(positions: Positions, size: int, seed: int | None = None) -> tf.data.Dataset:
    """Batches (observations, labels [B], candidates ragged [B, None]), shuffled if given a seed.

    Row numbers are shuffled and batched; the rows are then gathered a batch at a time.
    """
    observations = tf.constant(positions.observations)
    labels = tf.constant(positions.labels, tf.int64)
    candidates = tf.RaggedTensor.from_row_splits(
        positions.candidates.astype(np.int64), positions.row_splits
    )
    rows = tf.data.Dataset.range(len(positions))
    if seed is not None:
        rows = rows.shuffle(len(positions), seed=seed)
    return (
        rows.batch(size)
        .map(lambda i: tuple(tf.gather(table, i) for table in (observations, labels, candidates)))
        .prefetch(2)
    )


def encode(observations: tf.Tensor) -> tf.Tensor:
    """Zeros and ones for the tower: "at least 1, 2, 3, 4 of this rank", and one-hot the rest."""
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


class RowAdagrad(tf.Module):
    """Adagrad whose cost is that of the rows in the gradient.

    Keras 3 optimizers turn `tf.IndexedSlices` into a dense gradient of the whole table. The losses
    of tf_candsamp give each row once, which is what makes a sparse apply right.

    To Keras this is no optimizer: `save_weights` and `model.save` leave the accumulators out, and
    after `load_weights` they are as they were before. `tf.train.Checkpoint` saves them.
    """

    def __init__(self, variables: list[tf.Variable], learning_rate):
        super().__init__()
        self.learning_rate = learning_rate  # step -> rate
        self.variables_ = variables
        self.accumulators = [tf.Variable(tf.fill(v.shape, 0.1), trainable=False) for v in variables]

    def apply(self, gradients: list[tf.IndexedSlices], step: tf.Tensor) -> None:
        state = zip(self.variables_, self.accumulators, gradients, strict=True)
        for variable, accumulator, gradient in state:
            tf.raw_ops.ResourceSparseApplyAdagradV2(
                var=variable.handle,
                accum=accumulator.handle,
                lr=self.learning_rate(step),
                epsilon=1e-7,
                grad=gradient.values,
                indices=gradient.indices,
            )


class MovePredictor(keras.Model):
    """Scores the legal moves of a position.

    A move's embedding starts as a random projection of its description: a move that training never
    shows is then close to the moves that look like it.
    """

    def __init__(self, steps: int):
        """`steps`: training steps over which the learning rates fall to zero."""
        super().__init__()
        self.supports_jit = False  # the losses have no XLA kernels
        self.tower = keras.Sequential(
            [
                keras.Input([45 * 4 + sum(_ONE_HOT)]),
                keras.layers.Dense(WIDTH, "relu"),
                keras.layers.Dropout(0.1),
                keras.layers.Dense(WIDTH, "relu"),
                keras.layers.Dropout(0.1),
                keras.layers.Dense(DIMENSION),
            ]
        )
        description = describe_moves()
        projection = keras.random.normal([description.shape[1], DIMENSION], stddev=DIMENSION**-0.5)
        self.table = self.add_weight(
            shape=(NUM_MOVES, DIMENSION),
            initializer=lambda shape, dtype: description @ projection,
            autocast=False,  # otherwise each use under mixed precision casts the whole table
            name="moves",
        )
        self.bias = self.add_weight(
            shape=(NUM_MOVES,), initializer="zeros", autocast=False, name="bias"
        )
        schedule = keras.optimizers.schedules.CosineDecay
        self.row_optimizer = RowAdagrad([self.table.value, self.bias.value], schedule(0.2, steps))
        self.nll = keras.metrics.Mean("nll")
        self.compile(keras.optimizers.Adam(schedule(4e-3, steps)))

    @property
    def metrics(self):
        return [self.nll]

    def call(self, observations, candidates, training=False):
        """The score of each candidate, ragged as `candidates`."""
        inputs = self.tower(encode(observations), training=training)
        return tfcs.ragged_candidate_logits(self.table.value, self.bias.value, inputs, candidates)

    def losses_of(self, data, training: bool) -> tf.Tensor:
        """Minus the log probability of the expert's move among the legal ones, [B]."""
        observations, labels, candidates = data
        inputs = self.tower(encode(observations), training=training)
        return tfcs.ragged_sampled_softmax_loss(
            self.table.value, self.bias.value, labels, inputs, candidates
        )

    def train_step(self, data):
        rows = [self.table.value, self.bias.value]
        dense = self.tower.trainable_variables
        with tf.GradientTape() as tape:
            losses = self.losses_of(data, training=True)
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, rows + [v.value for v in dense])
        self.row_optimizer.apply(gradients[: len(rows)], self.optimizer.iterations)
        self.optimizer.apply(gradients[len(rows) :], dense)
        self.nll.update_state(losses)
        return {"nll": self.nll.result()}

    def test_step(self, data):
        self.nll.update_state(self.losses_of(data, training=False))
        return {"nll": self.nll.result()}

    def score(self, positions: Positions) -> np.ndarray:
        """The score of every candidate of every position, flat as `positions.candidates`."""
        score = tf.function(lambda *args: self(*args).flat_values)
        data = batches(positions, 4 * BATCH)
        return np.concatenate([score(obs, legal).numpy() for obs, _, legal in data])


def train(training: Positions, epochs: int, seed: int, on_epoch) -> MovePredictor:
    """A trained model; `on_epoch(model, epoch from 0, training nll)` is called after each epoch."""
    keras.utils.set_random_seed(seed)
    model = MovePredictor(steps=epochs * -(-len(training) // BATCH))
    report = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: on_epoch(model, epoch, logs["nll"])
    )
    data = batches(training, BATCH, seed)
    model.fit(data, epochs=epochs, verbose=0, shuffle=False, callbacks=[report])
    return model
