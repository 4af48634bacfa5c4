# SPDX-License-Identifier: Apache-2.0
"""The network, and the three output layers that it is trained with.

The last words' embeddings, side by side, go through one dense layer; its output is dotted with a
row for each class. The three ways differ in that last layer, and in the optimizer that suits it.
"""

import time

import numpy as np
import tensorflow as tf
from corpus import WINDOW

import tf_candsamp as tfcs

keras = tf.keras

FULL, STOCK, OURS = "full softmax", "tf.nn", "tf_candsamp"
WAYS = (FULL, STOCK, OURS)
EMBEDDING, HIDDEN = 64, 128
# Of Adagrad. The losses are means over a batch, whose gradients are small: so is what the sums of
# their squares begin with.
LEARNING_RATE, FIRST_SUM = 0.07, 1e-7
STEPS_AT_ONCE = 50  # that Keras makes in one call


def tf_variable(variable) -> tf.Variable:
    """What a variable of Keras 3 holds; those of Keras 2 are TensorFlow's own."""
    return variable if isinstance(variable, tf.Variable) else variable.value


class OutputLayer(keras.layers.Layer):
    """The rows and biases of classes, and a loss written in TensorFlow alone."""

    def __init__(self, num_classes: int, num_sampled: int, seed: int, bias_initializer) -> None:
        super().__init__(name="output")
        self.num_classes, self.num_sampled, self.seed = num_classes, num_sampled, seed
        self.bias_initializer = bias_initializer

    def build(self, shape) -> None:
        self.table = self.add_weight(shape=(self.num_classes, shape[-1]), initializer="zeros")
        self.bias = self.add_weight(shape=(self.num_classes,), initializer=self.bias_initializer)

    def call(self, inputs, labels):
        losses = self.losses_of(inputs, labels)
        self.add_loss(tf.reduce_mean(losses))
        return losses


class FullSoftmax(OutputLayer):
    """The softmax over all classes."""

    def losses_of(self, inputs, labels):
        logits = tf.matmul(inputs, self.table, transpose_b=True) + self.bias
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels[:, 0], logits)


class StockSampledSoftmax(OutputLayer):
    """The sampled softmax of tf.nn."""

    def losses_of(self, inputs, labels):
        return tf.nn.sampled_softmax_loss(
            tf_variable(self.table),
            tf_variable(self.bias),
            labels,
            inputs,
            self.num_sampled,
            self.num_classes,
            seed=self.seed,
        )


class StockModel(keras.Model):
    """Trained by TensorFlow 1's Adagrad, which is made for rows, as Keras's optimizers are not."""

    def make_optimizer(self) -> None:
        """Also makes its state, by a step of zeros."""
        self.adagrad = tf.compat.v1.train.AdagradOptimizer(LEARNING_RATE, FIRST_SUM)
        tables = [tf_variable(variable) for variable in self.trainable_variables]
        self.adagrad.apply_gradients([(tf.zeros_like(table), table) for table in tables])

    def train_step(self, windows):
        tables = [tf_variable(variable) for variable in self.trainable_variables]
        with tf.GradientTape() as tape:
            self(windows, training=True)
            loss = tf.add_n(self.losses)
        self.adagrad.apply_gradients(zip(tape.gradient(loss, tables), tables, strict=True))
        return {"loss": loss}


class Network:
    """A language model, trained one way."""

    def __init__(self, way: str, log_frequency: np.ndarray, num_sampled: int, seed: int):
        """`log_frequency` [V]: where the biases start, so that rare classes need not be learned."""
        classes = len(log_frequency)
        self.way, self.seconds, self.steps = way, 0.0, 0

        def normal(k: int, scale: float):
            return lambda shape, dtype: scale * tf.random.stateless_normal(shape, [seed, k])

        def frequencies(shape, dtype):
            return tf.constant(log_frequency)

        windows = keras.Input([WINDOW + 1], dtype="int32")
        rows = keras.layers.Embedding(classes, EMBEDDING, normal(0, 0.1))(windows[:, :WINDOW])
        kernel = normal(1, (WINDOW * EMBEDDING) ** -0.5)
        dense = keras.layers.Dense(HIDDEN, "tanh", kernel_initializer=kernel)
        self._hidden = keras.Model(windows, dense(keras.layers.Flatten()(rows)))

        if way == OURS:
            self.output = tfcs.keras.layers.SampledSoftmax(
                classes,
                num_sampled,
                seed=seed,
                table_initializer="zeros",
                bias_initializer=frequencies,
            )
        else:
            layer = FullSoftmax if way == FULL else StockSampledSoftmax
            self.output = layer(classes, num_sampled, seed, frequencies)
        losses = self.output(self._hidden(windows), labels=windows[:, WINDOW:])
        if way == OURS:
            self.model = keras.Model(windows, losses)
            adagrad = tfcs.keras.optimizers.Adagrad(LEARNING_RATE, FIRST_SUM, epsilon=0.0)
            self.model.compile(adagrad, steps_per_execution=STEPS_AT_ONCE)
        else:
            self.model = StockModel(windows, losses)
            self.model.make_optimizer()
            # train_step has an optimizer of its own; this one, without state, is not used.
            self.model.compile("sgd", steps_per_execution=STEPS_AT_ONCE)

    def start(self, batch: np.ndarray) -> None:
        """Does what TensorFlow does once, with a step on `batch`, and undoes the step."""
        first = [variable.numpy() for variable in self.model.trainable_variables]
        self._fit(batch[np.newaxis])
        for variable, value in zip(self.model.trainable_variables, first, strict=True):
            variable.assign(value)
        for total in self.sums_of_squares():
            total.assign(tf.fill(total.shape, FIRST_SUM))

    def sums_of_squares(self) -> list:
        """What Adagrad keeps for each trainable variable."""
        variables = self.model.trainable_variables
        if self.way != OURS:
            return [self.model.adagrad.get_slot(tf_variable(v), "accumulator") for v in variables]
        # Before them is the number of steps and, in some releases, the learning rate.
        sums = self.model.optimizer.variables[-len(variables) :]
        assert [s.shape for s in sums] == [v.shape for v in variables]
        return sums

    def _fit(self, batches: np.ndarray) -> None:
        windows = batches.reshape(-1, batches.shape[-1])
        self.model.fit(windows, batch_size=batches.shape[1], shuffle=False, verbose=0)

    def train(self, batches: np.ndarray) -> float:
        """A step a batch [steps, B, WINDOW + 1]; returns the seconds they took."""
        begin = time.perf_counter()
        self._fit(batches)
        seconds = time.perf_counter() - begin
        self.seconds += seconds
        self.steps += len(batches)
        return seconds

    @tf.function(autograph=False)
    def _loss_and_gradient(self, inputs: tf.Tensor, labels: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            losses = self.output(inputs, labels=labels, training=True)
        gradients = tape.gradient(losses, [*self.output.trainable_variables, inputs])
        return [tf.convert_to_tensor(getattr(g, "values", g)) for g in gradients]

    def loss_seconds(self, batches: np.ndarray) -> float:
        """The median time of the output layer, forward and backward, alone."""
        times = []
        for i, batch in enumerate(batches):
            labels = tf.constant(batch[:, WINDOW:], tf.int64)
            inputs = self._hidden(batch)
            begin = time.perf_counter()
            self._loss_and_gradient(inputs, labels)
            if i > 0:
                times.append(time.perf_counter() - begin)
        return float(np.median(times))

    def nll(self, windows: np.ndarray) -> np.ndarray:
        """Minus log probability of each window's last word, by the softmax over all classes."""
        table, bias = self.output.table, self.output.bias
        labels = windows[:, WINDOW].astype(np.int64)
        return tfcs.full_softmax_loss(table, bias, labels, self._hidden(windows)).numpy()
