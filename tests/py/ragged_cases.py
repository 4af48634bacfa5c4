"""Arguments for the ragged functions, and what the functions make of them: shared by the tests."""

import collections
import dataclasses

import numpy as np
import reference
import tensorflow as tf

import tf_candsamp as tfcs

KINDS = ("softmax", "nce", "logits")
LOSSES = ("softmax", "nce")
# (inputs, weights)
TYPE_PAIRS = [
    (tf.float32, tf.float32),
    (tf.float64, tf.float64),
    (tf.bfloat16, tf.bfloat16),
    (tf.float16, tf.float16),
    (tf.bfloat16, tf.float32),
    (tf.float16, tf.float32),
]

FUNCTIONS = {
    "softmax": tfcs.ragged_sampled_softmax_loss,
    "nce": tfcs.ragged_nce_loss,
    "logits": tfcs.ragged_candidate_logits,
}
_REFERENCES = {
    "softmax": reference.ragged_sampled_softmax_loss,
    "nce": reference.ragged_nce_loss,
    "logits": reference.ragged_candidate_logits,
}

# value: [B] losses or [N] logits. The gradients are dense, float64.
Result = collections.namedtuple("Result", "value gradients")


@dataclasses.dataclass
class Case:
    """Arguments as NumPy arrays, ids and log_q as lists of one array for each row."""

    weights: np.ndarray
    biases: np.ndarray | None
    labels: list
    inputs: np.ndarray
    candidates: list
    label_log_q: list | None = None
    candidate_log_q: list | None = None
    remove_accidental_hits: bool = True

    def rounded(self, input_type, weight_type=None):
        """The case with floats that these types (and float32 for log_q) hold exactly."""
        weight_type = weight_type or input_type
        return dataclasses.replace(
            self,
            weights=_rounded(self.weights, weight_type),
            biases=None if self.biases is None else _rounded(self.biases, weight_type),
            inputs=_rounded(self.inputs, input_type),
            label_log_q=_rounded_rows(self.label_log_q),
            candidate_log_q=_rounded_rows(self.candidate_log_q),
        )

    def grad(self, kind):
        """A gradient of the function's value, in numbers that every type holds exactly."""
        size = sum(map(len, self.candidates)) if kind == "logits" else len(self.inputs)
        return np.random.default_rng(size).integers(-16, 17, size) / 8


def random_case(
    seed=0,
    *,
    rows=7,
    classes=50,
    depth=5,
    labels=(1, 3),
    candidates=(0, 12),
    biases=True,
    log_q=True,
    remove_accidental_hits=True,
    scale=1.0,
):
    """labels, candidates: the least and the most of a row, of ids that repeat."""
    rng = np.random.default_rng(seed)

    def ids(bounds):
        sizes = rng.integers(bounds[0], bounds[1], rows, endpoint=True)
        return [rng.integers(0, classes, n) for n in sizes]

    def logs(ids_of_rows):
        return [rng.normal(-2, 1, len(row)) for row in ids_of_rows] if log_q else None

    label_ids, candidate_ids = ids(labels), ids(candidates)
    return Case(
        weights=rng.normal(0, scale, [classes, depth]),
        biases=rng.normal(0, scale, classes) if biases else None,
        labels=label_ids,
        inputs=rng.normal(0, 1, [rows, depth]),
        candidates=candidate_ids,
        label_log_q=logs(label_ids),
        candidate_log_q=logs(candidate_ids),
        remove_accidental_hits=remove_accidental_hits,
    )


def ragged(rows, dtype=tf.int64, splits_type=tf.int64):
    values = np.concatenate([np.zeros(0), *rows]) if len(rows) else np.zeros(0)
    return tf.RaggedTensor.from_row_lengths(
        tf.constant(values, dtype), tf.constant([len(row) for row in rows], splits_type)
    )


def apply(kind, case, weights, biases, inputs):
    """The function's value, [B] or [N], for tables and inputs that may be variables or tensors."""
    if kind == "logits":
        return FUNCTIONS[kind](weights, biases, inputs, ragged(case.candidates)).flat_values
    return FUNCTIONS[kind](
        weights,
        biases,
        ragged(case.labels),
        inputs,
        ragged(case.candidates),
        label_log_q=_ragged_log_q(case.label_log_q),
        candidate_log_q=_ragged_log_q(case.candidate_log_q),
        remove_accidental_hits=case.remove_accidental_hits,
    )


def evaluate(kind, case, input_type=tf.float32, weight_type=None, table=tf.Variable):
    """The function's `Result`; `table` makes the argument out of a tensor."""
    weight_type = weight_type or input_type
    weights = table(tf.constant(case.weights, weight_type))
    biases = None if case.biases is None else table(tf.constant(case.biases, weight_type))
    inputs = tf.constant(case.inputs, input_type)
    with tf.GradientTape() as tape:
        tape.watch([x for x in (weights, biases, inputs) if isinstance(x, tf.Tensor)])
        value = apply(kind, case, weights, biases, inputs)
    # An absent table is asked for as something that has no gradient.
    sources = [weights, tf.zeros([]) if biases is None else biases, inputs]
    gradients = tape.gradient(value, sources, tf.constant(case.grad(kind), input_type))
    assert value.dtype == input_type
    for gradient, source in zip(gradients, sources, strict=True):
        assert gradient is None or gradient.dtype == source.dtype
    return Result(as_float64(value), reference.Gradients(*map(as_dense, gradients)))


def expected(kind, case):
    """What `evaluate` should return, without a gradient of absent biases."""
    if kind == "logits":
        arguments, options = (case.weights, case.biases, case.inputs, case.candidates), {}
    else:
        arguments = (case.weights, case.biases, case.labels, case.inputs, case.candidates)
        options = {
            "label_log_q": case.label_log_q,
            "candidate_log_q": case.candidate_log_q,
            "remove_accidental_hits": case.remove_accidental_hits,
        }
    value, gradients = _REFERENCES[kind](*arguments, grad=case.grad(kind), **options)
    if case.biases is None:
        gradients = gradients._replace(biases=None)
    return Result(value, gradients)


def parts(result):
    """(name, array) of the value and of every gradient."""
    return [("value", result.value), *result.gradients._asdict().items()]


def as_float64(tensor):
    return tf.cast(tensor, tf.float64).numpy()


def as_dense(gradient):
    """A gradient as a dense float64 array; slices must have distinct rows inside of the shape."""
    if gradient is None:
        return None
    if not isinstance(gradient, tf.IndexedSlices):
        return as_float64(gradient)
    assert_distinct(gradient)
    dense = np.zeros(gradient.dense_shape.numpy())
    dense[gradient.indices.numpy()] = as_float64(gradient.values)
    return dense


def assert_distinct(gradient):
    """The gradient is IndexedSlices whose indices are distinct and in range."""
    assert isinstance(gradient, tf.IndexedSlices)
    indices = gradient.indices.numpy()
    assert len(np.unique(indices)) == len(indices) == len(gradient.values)
    assert ((indices >= 0) & (indices < gradient.dense_shape.numpy()[0])).all()


def assert_close(actual, expected, tolerance, scale=None):
    """|actual - expected| <= tolerance * scale, by default the largest finite |expected|.

    Infinities must be equal, and NaNs in the same places.
    """
    assert (actual is None) == (expected is None)
    if expected is None:
        return
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    assert actual.shape == expected.shape
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(actual[~finite], expected[~finite])
    if scale is None:
        scale = np.abs(expected[finite]).max(initial=0)
    error = np.abs(np.where(finite, actual, 0) - np.where(finite, expected, 0))
    assert error.max(initial=0) <= tolerance * scale, (
        f"error {error.max()} > {tolerance} * {scale}: {error.max() / scale} of the scale"
    )


def assert_result(actual, expected, tolerance, floor=0):
    """Each part within `tolerance` of its largest value, or `floor`; the value's floor is 1."""
    for (name, got), (_, want) in zip(parts(actual), parts(expected), strict=True):
        scale = None
        if want is not None:
            largest = np.abs(want[np.isfinite(want)]).max(initial=0)
            scale = max(largest, 1 if name == "value" else floor)
        try:
            assert_close(got, want, tolerance, scale)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from None


def _ragged_log_q(rows):
    return None if rows is None else ragged(rows, tf.float32)


def _rounded(values, dtype):
    return np.asarray(values).astype(dtype.as_numpy_dtype).astype(np.float64)


def _rounded_rows(rows):
    return None if rows is None else [_rounded(row, tf.float32) for row in rows]
