# SPDX-License-Identifier: Apache-2.0
"""The samplers' raw ops refuse what the Python functions never give them."""

import pytest
import sampler_cases as spc
import tensorflow as tf
from calls import refused
from internals import ops
from sampler_arguments import V

STREAM = tf.constant([0, 1, 2], tf.int64)
NONE = tf.zeros([0, 1], tf.int64)
OPS = {
    "uniform": ("stateless_uniform", {"range_max": V}),
    "log_uniform": ("stateless_log_uniform", {"range_max": V}),
    "fixed_unigram": ("fixed_unigram", {}),
    "learned_unigram": ("learned_unigram", {}),
}


def int64(value):
    return tf.constant(value, tf.int64)


def raw_op(kind, what, **changes):
    """A kind's raw op, "sample", "ragged_sample" or "probability", with good arguments but for the
    changes."""
    prefix, options = OPS[kind]
    prefix = kind if what == "probability" else prefix
    good = {"ids": int64([1])}
    if what != "probability":
        good = {"stream": STREAM, "unique": True, "exact": False}
    if what == "sample":
        good |= {"num_sampled": int64(2), "true_classes": NONE}
    if what == "ragged_sample":
        good |= {"num_sampled": int64([2, 1]), "true_classes": int64([1, 2])}
        good |= {"true_splits": int64([0, 1, 2]), "exclude_true": True}
    if not options:
        sampler = spc.sampler(kind, V)  # lives until the op has run
        good |= spc.state_input(sampler)
    if kind == "learned_unigram":
        good["distortion"] = 1.0
    op = getattr(ops, f"candsamp_{prefix}_{what}")
    return op(**good | options | changes)


@pytest.mark.parametrize("kind", OPS)
def test_raw_ops_without_mistake(kind):
    for what in ("sample", "ragged_sample", "probability"):
        raw_op(kind, what)


@pytest.mark.parametrize("what", ["sample", "ragged_sample"])
@pytest.mark.parametrize("stream", [[], [1], [1, 2], [1, 2, 3, 4], [[1, 2, 3]], 5], ids=str)
@pytest.mark.parametrize("kind", OPS)
def test_streams(kind, stream, what):
    message = "stream must have 3 values, got shape"
    refused(message, raw_op, kind, what, stream=int64(stream))
    spec = [tf.TensorSpec(None, tf.int64)]
    function = tf.function(lambda s: raw_op(kind, what, stream=s), input_signature=spec)
    if kind in ("uniform", "log_uniform"):
        refused(message, function, int64(stream))


@pytest.mark.parametrize("kind", OPS)
@pytest.mark.parametrize(
    "splits, message",
    [
        ([], "must hold at least one value, got none"),
        ([0], "must end at the number of values, 2, got 0"),
        ([0, 1, 3], "must end at the number of values, 2, got 3"),
        ([1, 1, 2], "must start at 0, got 1"),
        ([0, 3, 2], "must not decrease, got 3 then 2"),
        ([0, -(2**62), 2], "must not decrease, got 0 then -"),
        ([0, 2], "must have a row for each value of num_sampled, 2, got 1"),
        ([0, 1, 2, 2], "must have a row for each value of num_sampled, 2, got 3"),
        ([[0, 1, 2]], "must be a vector, got shape"),
        (2, "must be a vector, got shape"),
    ],
    ids=str,
)
def test_raw_splits(kind, splits, message):
    message = rf"true_(classes|splits).*{message}"
    refused(message, raw_op, kind, "ragged_sample", true_splits=int64(splits))


@pytest.mark.parametrize("kind", OPS)
def test_raw_shapes(kind):
    for bad in ([], [1, 2]):
        message = "num_sampled must be a scalar, got shape"
        refused(message, raw_op, kind, "sample", num_sampled=int64(bad))
    for bad in ([1], [[[1]]]):
        message = "true_classes must be a matrix, got shape"
        refused(message, raw_op, kind, "sample", true_classes=int64(bad))
    for name in ("num_sampled", "true_classes"):
        message = f"{name} must be a vector, got shape"
        refused(message, raw_op, kind, "ragged_sample", **{name: int64([[1, 2]])})
    message = "expected to be a int64 tensor"
    refused(message, raw_op, kind, "sample", num_sampled=tf.constant(2, tf.int32))


@pytest.mark.parametrize("bad", [0, -1, -(2**63)])
@pytest.mark.parametrize("kind", ["uniform", "log_uniform"])
def test_raw_ranges(kind, bad):
    for what in ("sample", "ragged_sample", "probability"):
        message = f"range_max must be positive, got {bad}"
        refused(message, raw_op, kind, what, range_max=bad)


def variable_handle(name):
    return tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=[3], shared_name=f"sampler {name}")


def destroyed_variable():
    handle = variable_handle("destroyed")
    tf.raw_ops.AssignVariableOp(resource=handle, value=tf.ones([3]))
    tf.raw_ops.DestroyResourceOp(resource=handle)
    return handle


# No sampler's variable.
BAD_HANDLES = {
    "uninitialized": lambda: variable_handle("uninitialized"),
    "destroyed": destroyed_variable,
    "hash table": lambda: tf.raw_ops.MutableHashTableV2(key_dtype=tf.int64, value_dtype=tf.int64),
    "two handles": lambda: tf.stack([tf.Variable(1.0).handle] * 2),
    "no handle": lambda: tf.zeros([3]),
    "float64": lambda: tf.Variable(tf.ones([3], tf.float64)).handle,
    "int32": lambda: tf.Variable(tf.ones([3], tf.int32)).handle,
    "string": lambda: tf.Variable(["a"]).handle,
}
HANDLE_ERRORS = (tf.errors.InvalidArgumentError, tf.errors.FailedPreconditionError)


@pytest.mark.parametrize("what", ["sample", "ragged_sample", "probability"])
@pytest.mark.parametrize("handle", BAD_HANDLES)
@pytest.mark.parametrize(
    "kind, name", [("fixed_unigram", "weights"), ("learned_unigram", "counts")]
)
def test_handles(kind, name, handle, what):
    bad = BAD_HANDLES[handle]()
    with pytest.raises(HANDLE_ERRORS):
        raw_op(kind, what, **{name: bad})
    if kind == "learned_unigram":
        with pytest.raises(HANDLE_ERRORS):
            ops.candsamp_learned_unigram_update(classes=int64([1]), counts=bad, distortion=1.0)
        with pytest.raises(HANDLE_ERRORS):
            ops.candsamp_learned_unigram_halve(when=True, counts=bad, distortion=1.0)


@pytest.mark.parametrize("handle", BAD_HANDLES)
def test_handles_of_steps_and_of_estimators(handle):
    bad = BAD_HANDLES[handle]()
    place = {"state": bad, "num_buckets": 1, "num_hashes": 1}
    for call in (
        lambda: ops.candsamp_count_step(steps=bad),
        lambda: ops.candsamp_frequency_gaps(ids=int64([1]), **place),
        lambda: ops.candsamp_frequency_update(ids=int64([1]), learning_rate=0.5, **place),
    ):
        with pytest.raises(HANDLE_ERRORS):
            call()


@pytest.mark.parametrize("distortion", [-0.5, 1.5, float("nan")])
@pytest.mark.parametrize("what", ["sample", "ragged_sample", "probability"])
def test_raw_distortions(what, distortion):
    message = r"distortion must be in \[0, 1\], got"
    refused(message, raw_op, "learned_unigram", what, distortion=distortion)


def test_raw_estimators():
    state = tf.Variable(tf.zeros([5], tf.int64))

    def gaps(**changes):
        good = {"state": state.handle, "num_buckets": 2, "num_hashes": 1}
        return ops.candsamp_frequency_gaps(ids=int64([1]), **good | changes)

    gaps()
    refused(r"num_hashes must be in \[1, 16\], got 0", gaps, num_hashes=0)
    refused(r"num_buckets must be in \[1, .*, got 0", gaps, num_buckets=0)
    refused(
        r"num_buckets must be in \[1, .*, got 1073741824", gaps, num_buckets=2**30, num_hashes=2
    )
    refused(r"state must be int64 \[7\] for 1 hashes of 3 buckets", gaps, num_buckets=3)
    for rate in (0.0, 1.5, float("nan")):
        refused(
            "learning_rate must be above 0 and at most 1, got",
            ops.candsamp_frequency_update,
            ids=int64([1]),
            state=state.handle,
            num_buckets=2,
            num_hashes=1,
            learning_rate=rate,
        )


@pytest.mark.parametrize("what", ["sample", "ragged_sample", "probability"])
def test_variables_that_were_swapped(what):
    fixed, learned = (spc.sampler(kind, V) for kind in ("fixed_unigram", "learned_unigram"))
    for kind, changes in (
        ("fixed_unigram", {"weights": learned.counts.handle}),
        ("learned_unigram", {"counts": fixed.unigrams.handle}),
    ):
        refused("weights|unigrams|counts|resource", raw_op, kind, what, **changes)


@pytest.mark.parametrize("shape", [[], [0], [2, 2]], ids=str)
@pytest.mark.parametrize("kind", ["fixed_unigram", "learned_unigram"])
def test_shape_of_a_samplers_variable(kind, shape):
    name, dtype = ("counts", tf.int64) if kind == "learned_unigram" else ("weights", tf.float32)
    variable = tf.Variable(tf.ones(shape, dtype))
    message = rf"(unigrams|counts) must be .*vector of 1 to .* shape \[{','.join(map(str, shape))}"
    for what in ("sample", "probability"):
        refused(message, raw_op, kind, what, **{name: variable.handle})


def test_uninitialized_variables_are_named():
    for kind, name in (("fixed_unigram", "weights"), ("learned_unigram", "counts")):
        handle = variable_handle("uninitialized")
        error = tf.errors.FailedPreconditionError
        message = f"{name} is a variable that is not initialized"
        refused(message, raw_op, kind, "sample", **{name: handle}, errors=error)


def test_raw_weights_and_files():
    def weights(unigrams, distortion=1.0, num_reserved_ids=0, num_shards=1, shard=0):
        return ops.candsamp_unigram_weights(
            unigrams=unigrams,
            distortion=distortion,
            num_reserved_ids=num_reserved_ids,
            num_shards=num_shards,
            shard=shard,
        )

    refused("unigrams must be a vector, got shape", weights, [[1.0]])
    refused("num_shards must be positive, got 0", weights, [1.0], num_shards=0)
    refused(r"shard must be in \[0, num_shards = 1\), got -1", weights, [1.0], shard=-1)
    refused(f"got {2**40 + 1}", weights, [1.0], num_reserved_ids=2**40)
    refused("vocab_file must be one path", ops.candsamp_read_vocabulary, vocab_file=["a", "b"])
    refused(
        r"unigrams must be .*vector of .* shape \[1,2\]",
        ops.candsamp_stateless_fixed_unigram_sample,
        stream=STREAM,
        num_sampled=int64(2),
        true_classes=NONE,
        weights=[[1.0, 2.0]],
        range_max=2,
        unique=True,
        exact=False,
    )
