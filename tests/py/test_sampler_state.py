"""Samplers' state: checkpoints, SavedModels, sessions, and variables that are assigned."""

import pathlib
import signal
import subprocess
import sys

import numpy as np
import pytest
import sampler_training
import tensorflow as tf

import tf_candsamp as tfcs

KINDS = {
    "uniform": tfcs.UniformSampler,
    "log-uniform": tfcs.LogUniformSampler,
    "fixed-unigram": lambda n, **options: tfcs.FixedUnigramSampler(
        1 / np.arange(1.0, n + 1), **options
    ),
    "learned-unigram": tfcs.LearnedUnigramSampler,
}
RANGES = [1, 50, 1000, 100_000]


def labels_of(classes, step, count=64):
    """Skewed labels, int64 [count, 1]: the same ones for the same arguments."""
    random = np.random.default_rng([classes, step]).random([count, 1])
    return (classes * random**4).astype(np.int64)


def draw(sampler, steps=3, first=0):
    """What the sampler gives in a few steps, each of which advances all of its state."""
    drawn = []
    for step in range(first, first + steps):
        labels = labels_of(sampler.range_max, step)
        drawn += sampler.sample(min(20, sampler.range_max), labels)
        ragged = sampler.sample_ragged([1, 0, min(7, sampler.range_max)], labels[:3])
        drawn += [ragged.candidates.values, ragged.expected_count.values]
    return [tensor.numpy() for tensor in drawn]


def assert_equal(got, want):
    assert len(got) == len(want)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_array_equal(a, b)


def sampler_pair(kind, classes, **options):
    """Two samplers that start with different random states."""
    return [KINDS[kind](classes, seed=seed, **options) for seed in (1, 2)]


# Checkpoints


@pytest.mark.parametrize("unique", [False, True])
@pytest.mark.parametrize("classes", RANGES)
@pytest.mark.parametrize("kind", KINDS)
def test_restored_sampler_continues(kind, classes, unique, tmp_path):
    sampler, other = sampler_pair(kind, classes, unique=unique)
    draw(sampler)
    path = tf.train.Checkpoint(sampler=sampler).save(tmp_path / "c")
    want = draw(sampler, first=3)
    tf.train.Checkpoint(sampler=other).restore(path).assert_consumed()
    assert_equal(draw(other, first=3), want)


@pytest.mark.parametrize("kind", KINDS)
def test_restore_into_a_sampler_that_was_used_since(kind, tmp_path):
    sampler, other = sampler_pair(kind, 50)
    draw(sampler)
    checkpoint = tf.train.Checkpoint(sampler=sampler)
    path = checkpoint.save(tmp_path / "c")
    want = draw(sampler, first=3)
    for _ in range(2):
        draw(sampler, steps=10)
        checkpoint.restore(path).assert_consumed()
        assert_equal(draw(sampler, first=3), want)
    draw(other, steps=10)
    tf.train.Checkpoint(sampler=other).restore(path).assert_consumed()
    assert_equal(draw(other, first=3), want)


@pytest.mark.parametrize("kind", KINDS)
def test_restore_before_the_sampler_is_attached(kind, tmp_path):
    sampler, other = sampler_pair(kind, 50)
    draw(sampler)
    path = tf.train.Checkpoint(model=tf.train.Checkpoint(sampler=sampler)).save(tmp_path / "c")
    model = tf.Module()
    status = tf.train.Checkpoint(model=model).restore(path)
    draw(other)
    model.sampler = other
    status.assert_consumed()
    assert_equal(draw(model.sampler, first=3), draw(sampler, first=3))


@pytest.mark.parametrize("kind", KINDS)
def test_checkpoint_manager(kind, tmp_path):
    sampler, other = sampler_pair(kind, 50)
    manager = tf.train.CheckpointManager(tf.train.Checkpoint(s=sampler), tmp_path, max_to_keep=2)
    drawn = []
    for step in range(4):
        manager.save()
        drawn.append(draw(sampler, steps=1, first=step))
    restored = tf.train.Checkpoint(s=other)
    manager = tf.train.CheckpointManager(restored, tmp_path, max_to_keep=2)
    manager.restore_or_initialize()
    assert_equal(draw(other, steps=1, first=3), drawn[3])
    restored.restore(manager.checkpoints[0])
    assert_equal(draw(other, steps=1, first=2), drawn[2])


def test_asynchronous_checkpoint(tmp_path):
    sampler, other = sampler_pair("learned-unigram", 50)
    draw(sampler)
    options = tf.train.CheckpointOptions(experimental_enable_async_checkpoint=True)
    checkpoint = tf.train.Checkpoint(sampler=sampler)
    path = checkpoint.save(tmp_path / "c", options=options)
    want = draw(sampler, first=3)  # while it is being written
    checkpoint.sync()
    tf.train.Checkpoint(sampler=other).restore(path).assert_consumed()
    assert_equal(draw(other, first=3), want)


@pytest.mark.parametrize("deferred", [False, True])
@pytest.mark.parametrize(
    ("kind", "classes"), [("uniform", 50), ("fixed-unigram", 50), ("learned-unigram", 51)]
)
def test_checkpoint_of_another_sampler_is_refused(kind, classes, deferred, tmp_path):
    saved, _ = sampler_pair("learned-unigram", 50)
    draw(saved)
    path = tf.train.Checkpoint(sampler=saved).save(tmp_path / "c")
    sampler, same = (KINDS[kind](classes, seed=3) for _ in range(2))
    checkpoint = tf.train.Checkpoint()
    if not deferred:
        checkpoint.sampler = sampler
    with pytest.raises(ValueError, match="learned-unigram sampler of range 50, which cannot"):
        checkpoint.restore(path)
        checkpoint.sampler = sampler
    assert_equal(draw(sampler), draw(same))


def test_killed_training_continues(tmp_path):
    """A process is killed in the middle of a step; another one goes on from the checkpoint."""
    script = pathlib.Path(sampler_training.__file__)

    command = [sys.executable, str(script), str(tmp_path)]
    training = sampler_training.Training(tmp_path)
    training.manager.save()  # so that the other process starts with the same random states
    process = subprocess.Popen([*command, ""], cwd=script.parent, stdout=subprocess.PIPE, text=True)
    try:
        drawn = [training.step() for _ in range(sampler_training.STEPS)]
        assert process.stdout.readline() == "saved\n"
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    result = tmp_path / "result.npz"
    subprocess.run([*command, str(result)], cwd=script.parent, check=True, timeout=120)
    want = [a for step in drawn[sampler_training.KILLED_AFTER :] for a in step]
    with np.load(result) as arrays:
        got = list(arrays.values())
    assert_equal(got[: len(want)], want)
    # A GPU adds the updates of a row in any order.
    on_gpu = "GPU" in training.models[0].weights.device
    for a, b in zip(got[len(want) :], training.state(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4 if on_gpu else 0)


# What is derived from counts depends on nothing else


def assert_same_as_assigned(sampler):
    """The sampler, whatever it went through, draws as a new one does that has its counts."""
    other = tfcs.LearnedUnigramSampler(sampler.range_max, unique=False)
    other.counts.assign(sampler.counts)
    other._generator.state.assign(sampler._generator.state)
    ids, _, counts = sampler.sample(500)
    other_ids, _, other_counts = other.sample(500)
    np.testing.assert_array_equal(ids, other_ids)
    np.testing.assert_array_equal(counts, other_counts)


SIZES = [1, 2, 3, 50, 90, 91, 180, 181, 1000, 4097, 100_000]
SKEWS = {
    "even": lambda classes, random: random.integers(0, classes, [40]),
    "skewed": lambda classes, random: (classes * random.random([40]) ** 8).astype(int),
    "one class": lambda classes, random: np.full([40], classes // 2),
    "few": lambda classes, random: random.integers(0, classes, [40]) // 30 * 30,
}


@pytest.mark.parametrize("skew", SKEWS)
@pytest.mark.parametrize("classes", SIZES)
def test_layout_after_many_small_updates(classes, skew):
    random = np.random.default_rng(classes)
    sampler = tfcs.LearnedUnigramSampler(classes, unique=False)
    for _ in range(6):
        for _ in range(30):
            sampler.update(SKEWS[skew](classes, random)[: random.integers(41)])
        assert_same_as_assigned(sampler)
        sampler.update(np.repeat(SKEWS[skew](classes, random), classes // 40 + 1))
        assert_same_as_assigned(sampler)


@pytest.mark.parametrize("skew", SKEWS)
@pytest.mark.parametrize("classes", [1, 2, 3, 91, 1000])
def test_layout_where_the_sum_of_weights_crosses_a_power_of_two(classes, skew):
    """There each class's weight is cut anew. The sum goes there by single steps."""
    random = np.random.default_rng(classes)
    sampler = tfcs.LearnedUnigramSampler(classes, unique=False)
    total = classes
    for power in range(1, 6):
        for around in (-1, 0, 1):
            target = classes * 2**power + around
            while total < target:
                labels = SKEWS[skew](classes, random)[: target - total]
                sampler.update(labels)
                total += len(labels)
            assert_same_as_assigned(sampler)
    assert tf.reduce_sum(sampler.counts) + classes == total


@pytest.mark.parametrize("largest", [10**6, 2**31, 2**40 - 1, 2**53 + 1, 2**61])
@pytest.mark.parametrize("classes", [1, 2, 91, 1000, 4097])
def test_layout_of_huge_counts(classes, largest):
    random = np.random.default_rng(classes)
    counts = random.integers(0, 1000, [classes])
    counts[classes // 3] = largest
    sampler = tfcs.LearnedUnigramSampler(classes, unique=False)
    sampler.counts.assign(counts)
    for _ in range(3):
        assert_same_as_assigned(sampler)
        for _ in range(20):
            sampler.update(random.integers(0, classes, [20]))
            sampler.update([classes // 3])


@pytest.mark.parametrize("power", [20, 33, 52, 61])
@pytest.mark.parametrize("classes", [1, 2, 91, 1000])
def test_layout_where_huge_weights_cross_a_power_of_two(classes, power):
    shift = power - classes.bit_length()
    counts = np.random.default_rng(classes).multinomial(1 << 18, np.ones(classes) / classes)
    counts[-1] += classes * 2**shift - (1 << 18) - classes - 3  # the weights' sum is 3 short
    sampler = tfcs.LearnedUnigramSampler(classes, unique=False)
    sampler.counts.assign(counts)
    for step in range(6):
        assert_same_as_assigned(sampler)
        sampler.update([step % classes])


def mix(x):
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def test_layout_after_a_block_overflows():
    """Random classes do not bring that about: these are chosen with the hash of cc/lib, so that
    their slots go to the first block until it is full and another hash must be tried."""
    classes, blocks = 100_000, 1112  # or fewer blocks
    ids = np.arange(classes)
    chosen = []
    for slot in range(1, 5):
        hashed = ids.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        hashed = mix(hashed + mix(np.array([slot], np.uint64)))
        chosen.append(ids[hashed < 2**64 // blocks])
    # Slots before the one that counts are needed too, they go anywhere.
    labels = np.concatenate([np.repeat(ids, slot) for slot, ids in enumerate(chosen, start=1)])
    assert sum(map(len, chosen)) > 256 and len(labels) < classes
    sampler = tfcs.LearnedUnigramSampler(classes, unique=False)
    for part in np.array_split(labels, 20):
        sampler.update(part)
        assert_same_as_assigned(sampler)
    for step in range(4):  # beyond where the other hash stays
        sampler.update(labels_of(classes, step, classes // 2))
        assert_same_as_assigned(sampler)


# SavedModels


class Model(tf.Module):
    def __init__(self):
        super().__init__()
        self.samplers = [make(50, seed=k) for k, make in enumerate(KINDS.values())]

    @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.int64)])
    def draw(self, labels):
        return [sampler.sample(5, labels) for sampler in self.samplers]

    @tf.function(input_signature=[])
    def counts(self):
        return self.samplers[-1].counts.read_value()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def assign(self, weights):
        self.samplers[2].unigrams.assign(weights)


def draw_model(model, first, steps=3):
    drawn = [model.draw(labels_of(50, step)) for step in range(first, first + steps)]
    return [t.numpy() for t in tf.nest.flatten(drawn)] + [model.counts().numpy()]


def test_saved_model_continues_and_shares_nothing(tmp_path):
    model = Model()
    draw_model(model, 0)
    tf.saved_model.save(model, str(tmp_path))
    loaded = [tf.saved_model.load(str(tmp_path)) for _ in range(2)]
    first = draw_model(loaded[0], 3)
    assert_equal(draw_model(model, 3), first)
    again = draw_model(loaded[0], 6)  # the others did not move it
    assert_equal(draw_model(loaded[1], 3), first)
    assert_equal(draw_model(loaded[1], 6), again)
    assert_equal(draw_model(model, 6), again)


def test_saved_model_of_a_loaded_one(tmp_path):
    model = Model()
    draw_model(model, 0)
    for generation in range(1, 3):
        path = str(tmp_path / str(generation))
        tf.saved_model.save(model, path)
        want = draw_model(model, 3 * generation)
        model = tf.saved_model.load(path)
        assert_equal(draw_model(model, 3 * generation), want)
        model = tf.saved_model.load(path)
        draw_model(model, 3 * generation)


def test_loaded_model_notices_an_assignment(tmp_path):
    tf.saved_model.save(Model(), str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    draw_model(loaded, 0)
    loaded.assign(tf.constant([0.0] * 45 + [1.0] * 5))
    ids = loaded.draw(labels_of(50, 0))[2][0]
    assert sorted(ids.numpy()) == [45, 46, 47, 48, 49]


def test_checkpoint_of_a_loaded_model(tmp_path):
    model = Model()
    tf.saved_model.save(model, str(tmp_path / "model"))
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    draw_model(model, 0)
    path = tf.train.Checkpoint(model).save(tmp_path / "c")
    tf.train.Checkpoint(loaded).restore(path).expect_partial()
    assert_equal(draw_model(loaded, 3), draw_model(model, 3))


def test_saved_model_in_sessions(tmp_path):
    model = Model()
    draw_model(model, 0)

    @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.int64, "labels")])
    def serve(labels):
        return {str(k): t for k, t in enumerate(tf.nest.flatten(model.draw(labels)))}

    tf.saved_model.save(model, str(tmp_path), signatures={"draw": serve})
    want = [draw_model(model, step, steps=1)[:-1] for step in range(3, 6)]
    for _ in range(2):
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(tmp_path))
            signature = loaded.signature_def["draw"]
            outputs = [signature.outputs[str(k)].name for k in range(len(want[0]))]
            for step in range(3):
                feed = {signature.inputs["labels"].name: labels_of(50, step + 3)}
                assert_equal(session.run(outputs, feed), want[step])


@pytest.mark.parametrize("use", ["sample", "sample_ragged", "probability", "update"])
def test_functions_know_their_variables(use):
    """Keras's export, among others, asks a function for them."""
    learned, fixed = (sampler_and_variable(kind) for kind in ("learned-unigram", "fixed-unigram"))
    uses = {
        "sample": lambda sampler: sampler.sample(3).sampled_candidates,
        "sample_ragged": lambda sampler: sampler.sample_ragged([3]).candidates.values,
        "probability": lambda sampler: sampler.probability([3]),
        "update": lambda sampler: (sampler.update([3]), tf.zeros([]))[1],
    }
    for sampler, variable in [learned] if use == "update" else [learned, fixed]:
        function = tf.function(lambda s=sampler: uses[use](s)).get_concrete_function()
        assert any(v is variable for v in function.variables)


@pytest.mark.parametrize("kind", KINDS)
def test_sampler_made_while_a_function_is_traced(kind):
    """Once, as variables are, and with what variables start with."""
    made = []

    @tf.function
    def step(labels):
        if not made:
            made.append(KINDS[kind](50, seed=1))
        return made[0].sample(5, labels)

    drawn = [step(labels_of(50, 0)) for _ in range(2)]
    same = KINDS[kind](50, seed=1)
    want = [same.sample(5, labels_of(50, 0)) for _ in range(2)]
    assert_equal(tf.nest.flatten(drawn), tf.nest.flatten(want))
    assert_equal(draw(made[0]), draw(same))


# Assignments are noticed

DENSE = {
    "assign": lambda v: v.assign(np.arange(v.shape[0]).astype(v.dtype.as_numpy_dtype) + 1),
    "assign_add": lambda v: v.assign_add(tf.cast(tf.range(v.shape[0]), v.dtype)),
    "assign_sub": lambda v: v.assign_sub(-tf.ones_like(v)),
    "strided": lambda v: v[2:5].assign(tf.ones([3], v.dtype)),
}
SPARSE = {
    "scatter_add": lambda v: v.scatter_add(slices(v, 3)),
    "scatter_sub": lambda v: v.scatter_sub(slices(v, -3)),
    "scatter_update": lambda v: v.scatter_update(slices(v, 70 + tf.reduce_sum(v))),
    "scatter_max": lambda v: v.scatter_max(slices(v, 90)),
    "scatter_nd_add": lambda v: v.scatter_nd_add([[1], [3]], tf.cast([5, 7], v.dtype)),
    "scatter_nd_update": lambda v: v.scatter_nd_update([[1]], [tf.reduce_sum(v)]),
    "v1 scatter_add": lambda v: tf.compat.v1.scatter_add(v, [1, 1], tf.cast([5, 7], v.dtype)),
}
CHANGES = DENSE | SPARSE
BEFORE = {
    "nothing": lambda sampler, v: None,
    "draw": lambda sampler, v: sampler.sample(3),
    "count": lambda sampler, v: (sampler.sample(3, [[1]]), None)[1],
    "gather": lambda sampler, v: v.sparse_read([1]),
    "scatter": lambda sampler, v: v.scatter_add(slices(v, 1)),
    "read": lambda sampler, v: v.read_value(),
}


def slices(variable, value):
    values = tf.cast([value, value], variable.dtype)
    return tf.IndexedSlices(values, tf.constant([1, 4]), tf.constant([variable.shape[0]]))


def sampler_and_variable(kind):
    sampler = KINDS[kind](10, unique=False)
    return sampler, sampler.unigrams if kind == "fixed-unigram" else sampler.counts


def assert_up_to_date(sampler, variable):
    values = variable.numpy().astype(float) + (variable.dtype == tf.int64)
    probability = sampler.probability(range(10)).numpy()
    np.testing.assert_allclose(probability, values / values.sum(), rtol=1e-6)


@pytest.mark.parametrize(
    ("mode", "before"), [("eager", before) for before in BEFORE] + [("function", "count")]
)
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", ["fixed-unigram", "learned-unigram"])
def test_probability_notices(kind, change, before, mode):
    sampler, variable = sampler_and_variable(kind)
    wrap = tf.function if mode == "function" else lambda function: function
    apply = wrap(lambda: (CHANGES[change](variable), None)[1])
    prepare = wrap(lambda: (BEFORE[before](sampler, variable), None)[1])
    for times in (1, 2, 1):
        held = prepare(), variable.read_value()
        for _ in range(times):
            apply()
        assert_up_to_date(sampler, variable)
        apply()
        assert_up_to_date(sampler, variable)
        del held


@pytest.mark.parametrize("mode", ["eager", "function"])
@pytest.mark.parametrize("change", ["assign", "scatter_update", "scatter_nd_update"])
@pytest.mark.parametrize("kind", ["fixed-unigram", "learned-unigram"])
def test_draws_notice(kind, change, mode):
    """All but nothing of the weight is moved from class to class."""
    sampler, variable = sampler_and_variable(kind)

    def move(heavy):
        values = tf.one_hot(heavy, 10, tf.cast(2**55, variable.dtype), dtype=variable.dtype)
        if change == "assign":
            variable.assign(values)
        elif change == "scatter_update":
            variable.scatter_update(tf.IndexedSlices(values, tf.range(10), tf.constant([10])))
        else:
            variable.scatter_nd_update(tf.range(10)[:, None], values)
        ids = sampler.sample(20, [[3]]).sampled_candidates
        return ids, sampler.sample_ragged([5], [[3]]).candidates.values

    if mode == "function":
        move = tf.function(move)
    for heavy in (2, 7, 7, 0):
        for ids in move(tf.constant(heavy)):
            assert set(ids.numpy()) == {heavy}


@pytest.mark.parametrize("kind", ["fixed-unigram", "learned-unigram"])
def test_an_assigned_value_that_is_refused_is_noticed_and_can_be_replaced(kind):
    sampler, variable = sampler_and_variable(kind)
    for _ in range(2):
        good = variable.read_value()
        variable.assign(-tf.ones_like(variable))
        for use in (lambda: sampler.sample(3, [[1]]), lambda: sampler.probability([1])):
            with pytest.raises(tf.errors.InvalidArgumentError, match="negative"):
                use()
        np.testing.assert_array_equal(variable, -np.ones(10))
        variable.assign(good)
        assert_up_to_date(sampler, variable)
        sampler.sample(3, [[1]])
        assert_up_to_date(sampler, variable)


# A value that was read stays what it was

READS = {
    "read_value": lambda v: v.read_value(),
    "value": lambda v: v.value(),
    "identity": tf.identity,
    "convert": tf.convert_to_tensor,
    "numpy": lambda v: v.numpy(),
    "array of a tensor": lambda v: np.asarray(v.read_value()),
    "function": lambda v: tf.function(lambda: v.read_value())(),
    "function identity": lambda v: tf.function(lambda: tf.identity(v))(),
    "sparse_read": lambda v: v.sparse_read(range(10)),
    "slice": lambda v: v[0:10],
}


@pytest.mark.parametrize("update", ["update", "sample", "update in a function", "scatter"])
@pytest.mark.parametrize("read", READS)
def test_counts_that_were_read_do_not_change(read, update):
    sampler = tfcs.LearnedUnigramSampler(10)
    function = tf.function(lambda: (sampler.update([1, 2, 1]), None)[1])
    updates = {
        "update": lambda: sampler.update([1, 2, 1]),
        "sample": lambda: sampler.sample(3, [[1, 2, 1]]),
        "update in a function": function,
        "scatter": lambda: (
            sampler.counts.scatter_nd_add([[1]], [1]),
            sampler.update([2, 1]),
        ),
    }
    snapshots = []
    for step in range(4):
        snapshot = READS[read](sampler.counts)
        snapshots.append((snapshot, np.array(snapshot)))
        for _ in range(step):
            updates[update]()
    for step, (snapshot, copy) in enumerate(snapshots):
        np.testing.assert_array_equal(snapshot, copy)
        assert copy[1] == 2 * sum(range(step))


def test_a_function_reads_counts_before_it_updates_them():
    sampler = tfcs.LearnedUnigramSampler(10)

    @tf.function
    def step():
        before = sampler.counts.read_value()
        sampler.update([1])
        middle = sampler.counts.read_value()
        sample = sampler.sample(3, [[1]])
        after = sampler.counts.read_value()
        return before, middle, after, sampler.probability([1]), sample.true_expected_count

    for k in range(3):
        before, middle, after, probability, _ = step()
        assert (before[1], middle[1], after[1]) == (2 * k, 2 * k + 1, 2 * k + 2)
        np.testing.assert_allclose(probability, [(2 * k + 3) / (2 * k + 12)], rtol=1e-6)


@pytest.mark.parametrize("source", ["tensor", "variable", "array"])
def test_what_counts_were_assigned_from_does_not_change(source):
    sampler = tfcs.LearnedUnigramSampler(1000)
    raw = np.zeros(1016, np.int64)
    array = raw[-raw.ctypes.data % 64 // 8 :][:1000]  # so aligned that no copy is needed
    form = {"tensor": tf.constant, "variable": tf.Variable, "array": lambda a: a}[source]
    value = form(array)
    sampler.counts.assign(value)
    for _ in range(3):
        sampler.update([1, 2])
    assert not np.array(value).any()
    assert sampler.counts[1] == 3


def test_update_returns_the_op_in_graphs_alone():
    sampler = tfcs.LearnedUnigramSampler(10)
    assert sampler.update([1]) is None
    assert tf.function(lambda: sampler.update([1]))() is None
    assert sampler.counts[1] == 2
    with tf.Graph().as_default():
        assert isinstance(tfcs.LearnedUnigramSampler(10).update([1]), tf.Operation)


# TensorFlow 1's graphs


class Graph:
    """All samplers in a graph of TensorFlow 1."""

    def __init__(self, seed, vocabulary=None):
        self.graph = tf.Graph()
        with self.graph.as_default():
            samplers = [make(50, seed=seed + k) for k, make in enumerate(KINDS.values())]
            if vocabulary:
                samplers.append(tfcs.FixedUnigramSampler(vocabulary, seed=seed))
            self.labels = tf.compat.v1.placeholder(tf.int64, [None, 1])
            # After one another: the order of two uses of a sampler in a run is not given.
            self.draw = [sampler.sample(5, self.labels) for sampler in samplers]
            self.counts = samplers[3].counts.read_value()
            self.update = samplers[3].update(self.labels)
            self.probability = samplers[-1].probability(range(samplers[-1].range_max))
            self.assign = samplers[2].unigrams.assign([0.0] * 45 + [1.0] * 5)
            self.saver = tf.compat.v1.train.Saver()
            self.init = tf.compat.v1.global_variables_initializer()

    def session(self):
        session = tf.compat.v1.Session(graph=self.graph)
        session.run(self.init)
        return session

    def run(self, session, first, steps=3):
        drawn = [
            session.run(self.draw, {self.labels: labels_of(50, step)})
            for step in range(first, first + steps)
        ]
        return tf.nest.flatten(drawn) + [session.run(self.counts)]


def test_saver_in_another_session(tmp_path):
    graph = Graph(seed=1)
    with graph.session() as session:
        graph.run(session, 0)
        path = graph.saver.save(session, str(tmp_path / "c"))
        want = graph.run(session, 3)
        graph.saver.restore(session, path)  # into the session that is in use
        assert_equal(graph.run(session, 3), want)
    for other in (graph, Graph(seed=10)):
        with other.session() as session:
            graph.run(session, 0, steps=1) if other is graph else None
            other.saver.restore(session, path)
            assert_equal(other.run(session, 3), want)


def test_sessions_share_nothing():
    graph = Graph(seed=1)
    with graph.session() as first, graph.session() as second:
        want = graph.run(first, 0, steps=4)
        assert_equal(graph.run(second, 0, steps=4), want)
        first.run(graph.assign)
        more = graph.run(second, 4)
        assert not np.array_equal(graph.run(first, 4)[6], more[6])


def test_counts_accumulate_over_session_runs():
    graph = Graph(seed=1)
    with graph.session() as session:
        for step in range(5):
            np.testing.assert_array_equal(session.run(graph.counts)[:3], [step] * 3)
            session.run(graph.update, {graph.labels: [[0], [1], [2]]})
        session.run(graph.init)
        assert not session.run(graph.counts).any()
        *_, counts = graph.run(session, 0, steps=1)
        np.testing.assert_array_equal(counts, np.bincount(labels_of(50, 0)[:, 0], minlength=50))


def test_assignment_in_a_session_is_noticed():
    graph = Graph(seed=1)
    with graph.session() as session:
        graph.run(session, 0)
        session.run(graph.assign)
        ids = session.run(graph.draw, {graph.labels: [[0]]})[2].sampled_candidates
        assert sorted(ids) == [45, 46, 47, 48, 49]


def test_vocabulary_file_in_a_graph(tmp_path):
    path = tmp_path / "vocabulary.txt"
    path.write_text("a,1\nb,2\n\nc,5\nd,0\ne,2\nf,1\n")
    graph = Graph(seed=1, vocabulary=str(path))
    path.unlink()
    with graph.session() as session:
        probability = session.run(graph.probability)
        np.testing.assert_allclose(probability, np.array([1, 2, 5, 0, 2, 1]) / 11, rtol=1e-6)
        ids = session.run(graph.draw, {graph.labels: [[3]]})[-1].sampled_candidates
        assert sorted(ids) == [0, 1, 2, 4, 5]


def test_uninitialized_variables_are_reported():
    graph = Graph(seed=1)
    with tf.compat.v1.Session(graph=graph.graph) as session:
        for unusable in (graph.probability, graph.update):
            with pytest.raises(tf.errors.FailedPreconditionError, match="not initialized"):
                session.run(unusable, {graph.labels: [[0]]})
        session.run(graph.init)
        session.run(graph.draw, {graph.labels: [[0]]})


# The functional learned sampler


def functional(labels, name, *, classes=10, num_sampled=4, **options):
    return tfcs.learned_unigram_candidate_sampler(
        labels, 1, num_sampled, False, classes, name=name, **options
    )


def expected(counts):
    """The expected counts in 4 draws of a sampler without `unique`."""
    return 4 * (counts + 1) / (counts.sum() + 10)


def test_functional_counts_persist_over_eager_calls():
    counts = np.zeros(10)
    for _ in range(5):
        sample = functional([[3], [7], [3]], "eager")
        want = expected(counts)
        np.testing.assert_allclose(sample.true_expected_count[:, 0], want[[3, 7, 3]], rtol=1e-6)
        np.testing.assert_allclose(
            sample.sampled_expected_count, want[sample.sampled_candidates], rtol=1e-6
        )
        counts[[3, 7]] += [2, 1]


def test_functional_counts_persist_over_retracing():
    traces = []

    @tf.function
    def step(labels):
        traces.append(labels.shape)
        return functional(labels, "retraced").true_expected_count

    counts = np.zeros(10)
    for size in (1, 2, 3, 1, 2):
        np.testing.assert_allclose(step(tf.fill([size, 1], 3))[0], expected(counts)[3], rtol=1e-6)
        counts[3] += size
    assert len(traces) > 1
    eager = functional([[3]], "retraced").true_expected_count
    np.testing.assert_allclose(eager[0], expected(counts)[3], rtol=1e-6)


def test_functional_samplers_are_told_apart_by_range_seed_and_name():
    keys = [
        {"name": "apart"},
        {"name": "apart too"},
        {"name": "apart", "seed": 1},
        {"name": "apart", "seed": 2},
        {"name": "apart", "classes": 11},
    ]
    for times in range(3):
        for key in keys:
            p = functional([[3]], **key).true_expected_count.numpy().item() / 4
            np.testing.assert_allclose(p, (1 + times) / (key.get("classes", 10) + times), rtol=1e-6)


def test_functional_with_a_sampler():
    sampler, other = sampler_pair("learned-unigram", 10)
    functional([[3]], "a", sampler=sampler)
    functional([[3]], "b", sampler=sampler)
    np.testing.assert_array_equal(sampler.counts[:5], [0, 0, 0, 2, 0])
    assert not other.counts.numpy().any()


def test_functional_in_graphs():
    """Each graph has its own samplers; a graph's calls with equal keys share one."""
    for _ in range(2):
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            first = functional([[3]], "graph").true_expected_count
            with tf.control_dependencies([first]):
                second = functional([[3]], "graph").true_expected_count
            session.run(tf.compat.v1.global_variables_initializer())
            for step in range(3):
                got = np.ravel(session.run([first, second]))
                want = [4 * (1 + count) / (10 + count) for count in (2 * step, 2 * step + 1)]
                np.testing.assert_allclose(got, want, rtol=1e-6)


@pytest.mark.parametrize("form", ["functional", "object"])
@pytest.mark.parametrize("classes", [10, 1000])
def test_expected_counts_are_those_before_the_batch_is_counted(classes, form):
    """As in TensorFlow: a sampler of its own sees the same labels."""
    sampler = tfcs.LearnedUnigramSampler(classes, unique=False)
    shared = {"sampler": sampler} if form == "object" else {}

    @tf.function
    def step(labels):
        core = tf.random.learned_unigram_candidate_sampler(labels, 2, 8, False, classes)
        ours = tfcs.learned_unigram_candidate_sampler(
            labels, 2, 8, False, classes, name="order", **shared
        )
        return core.true_expected_count, ours.true_expected_count

    for k in range(10):
        core, ours = step(labels_of(classes, k, 60).reshape(30, 2))
        np.testing.assert_allclose(ours, core, rtol=1e-5)
