# SPDX-License-Identifier: Apache-2.0
"""Arguments for the losses of either family, and what the losses make of them: shared by the tests.

A case holds arguments as NumPy arrays. Beside `weights`, `biases` and `inputs` it has

    rounded(input_type, weight_type)         the case with floats that these types hold exactly
    grad(kind)                               a gradient of the value, exact in every type
    apply(kind, weights, biases, inputs)     the value of a function of the package
    reference(kind, grad)                    the value and gradients by reference.py
"""

import collections

import ml_dtypes
import numpy as np
import reference
import tensorflow as tf

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
HALF_PAIRS = [pair for pair in TYPE_PAIRS if pair[0] in (tf.bfloat16, tf.float16)]
EPSILON = {dtype: np.finfo(dtype.as_numpy_dtype).eps for dtype in (tf.float32, tf.float64)}

# value: [B] losses or [N] logits. The gradients are dense, float64.
Result = collections.namedtuple("Result", "value gradients")


def type_names(pair):
    return "-".join(dtype.name for dtype in pair)


class Subject(collections.namedtuple("Subject", "kind case")):
    """A function with arguments of its family."""

    def apply(self, weights, biases, inputs):
        return self.case.apply(self.kind, weights, biases, inputs)

    def expected(self):
        return expected(self.kind, self.case)

    @property
    def grad(self):
        return self.case.grad(self.kind)


def apply(kind, case, weights, biases, inputs):
    """The function's value, [B] or [N], for tables and inputs that may be variables or tensors."""
    return case.apply(kind, weights, biases, inputs)


def expected(kind, case):
    """What `evaluate` should return, without a gradient of absent biases."""
    value, gradients = case.reference(kind, case.grad(kind))
    if case.biases is None:
        gradients = gradients._replace(biases=None)
    return Result(value, gradients)


def value_type(kind, input_type):
    """The type of the function's value: losses are never of a half type."""
    return input_type if kind == "logits" or input_type == tf.float64 else tf.float32


def evaluate(kind, case, input_type=tf.float32, weight_type=None, table=tf.Variable):
    """The function's `Result`; `table` makes the argument out of a tensor."""
    weight_type = weight_type or input_type
    weights = table(tf.constant(case.weights, weight_type))
    biases = None if case.biases is None else table(tf.constant(case.biases, weight_type))
    inputs = tf.constant(case.inputs, input_type)
    with tf.GradientTape() as tape:
        tape.watch([x for x in (weights, biases, inputs) if isinstance(x, tf.Tensor)])
        value = case.apply(kind, weights, biases, inputs)
    # An absent table is asked for as something that has no gradient.
    sources = [weights, tf.zeros([]) if biases is None else biases, inputs]
    assert value.dtype == value_type(kind, input_type)
    gradients = tape.gradient(value, sources, tf.constant(case.grad(kind), value.dtype))
    for gradient, source in zip(gradients, sources, strict=True):
        assert gradient is None or gradient.dtype == source.dtype
    return Result(as_float64(value), reference.Gradients(*map(as_dense, gradients)))


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


def ulp(values, dtype):
    """The distance of neighbours in `dtype` at each value; 0 for infinities."""
    info = ml_dtypes.finfo(dtype.as_numpy_dtype)
    _, exponent = np.frexp(np.where(np.isfinite(values), values, 0))
    return np.ldexp(1.0, np.maximum(exponent - 1, info.minexp) - info.nmant)


def assert_rounded(name, actual, exact, dtype, factor):
    """Half an ulp for rounding the result, and the error of float32 arithmetic before that."""
    if exact is None:
        assert actual is None
        return
    largest = np.abs(exact).max(initial=1 if name == "value" else 0)
    allowed = factor * np.finfo(np.float32).eps * largest
    if dtype != tf.float32:
        allowed = allowed + 0.5 * ulp(exact, dtype)
    excess = np.abs(actual - exact) / allowed
    assert excess.max(initial=0) <= 1, f"{name}: {excess.max()} times the allowed error"


def assert_types(kind, case, pair, table):
    """Each gradient has the type of its tensor, and the results are rounded no more than that."""
    actual = evaluate(kind, case, *pair, table=table)  # asserts the types
    # 1.5 ulp: half a one, and room for results that are small beside their terms.
    tolerance = max(float(ml_dtypes.finfo(t.as_numpy_dtype).eps) for t in pair)
    tolerance *= 8 if pair[0] in EPSILON else 0.75
    assert_result(actual, expected(kind, case), tolerance)


def rounded(values, dtype):
    return np.asarray(values).astype(dtype.as_numpy_dtype).astype(np.float64)
