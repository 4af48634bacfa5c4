# SPDX-License-Identifier: Apache-2.0
"""Inputs of several leading dimensions, and rows that a mask or an ignore_id leaves out.

A loss of such a batch must be that of its rows that count, handed over as [n, D]: the same bits,
put back to where the rows are, and zero elsewhere.
"""

import loss_cases as lc
import numpy as np
import pytest
import ragged_cases as rc
import sampled_cases as sc
import tensorflow as tf
from calls import in_shape_mode, refused

import tf_candsamp as tfcs

CLASSES, DEPTH = 40, 5
FAMILIES = ("sampled", "ragged")
LEADS = {"rows": [6], "sequences": [3, 4], "four dimensions": [2, 3, 4]}

for_families = pytest.mark.parametrize("family", FAMILIES)
for_kinds = pytest.mark.parametrize("kind", lc.LOSSES)
for_leads = pytest.mark.parametrize("lead", LEADS.values(), ids=LEADS)
MODES = ("eager", "unknown_shapes")
for_modes = pytest.mark.parametrize("mode", MODES)


class Batch:
    """Arguments with leading dimensions, and what is left out of them."""

    def __init__(self, lead, num_true=1, seed=0, keep=0.6):
        rng = np.random.default_rng(seed)
        self.lead, self.num_true = lead, num_true
        size = int(np.prod(lead))
        self.table = rng.normal(0, 1, [CLASSES, DEPTH]).astype(np.float32)
        self.biases = rng.normal(0, 1, CLASSES).astype(np.float32)
        self.inputs = rng.normal(0, 1, [*lead, DEPTH]).astype(np.float32)
        self.labels = rng.integers(0, CLASSES, [*lead, num_true])
        self.candidates = [rng.integers(0, CLASSES, n) for n in rng.integers(0, 6, size)]
        self.sampled = rng.choice(CLASSES, 12, replace=False)
        self.counts = np.exp(rng.normal(-2, 1, [*lead, num_true])).astype(np.float32)
        self.sampled_counts = np.exp(rng.normal(-2, 1, 12)).astype(np.float32)
        self.label_log_q = rng.normal(-2, 1, [*lead, num_true]).astype(np.float32)
        self.candidate_log_q = [
            rng.normal(-2, 1, len(row)).astype(np.float32) for row in self.candidates
        ]
        self.keep = rng.random(lead) < keep

    def rows(self, array):
        """The rows that count, [n, ..]."""
        return array[self.keep]

    def ragged(self, rows, dtype=tf.int64):
        return rc.ragged(rows, dtype)

    def flat_keep(self):
        return np.flatnonzero(self.keep.ravel())

    def call(self, family, kind, table, biases, tensors, **ignored):
        """The loss; `tensors` are inputs and labels, whose shapes may be unknown."""
        inputs, labels = tensors
        if family == "sampled":
            return sc.FUNCTIONS[kind](
                table,
                biases,
                labels,
                inputs,
                12,
                CLASSES,
                self.num_true,
                sampled_values=(self.sampled, self.counts, self.sampled_counts),
                **ignored,
            )
        return rc.FUNCTIONS[kind](
            table,
            biases,
            labels,
            inputs,
            self.ragged(self.candidates),
            label_log_q=self.label_log_q,
            candidate_log_q=self.ragged(self.candidate_log_q, tf.float32),
            **ignored,
        )

    def call_rows(self, family, kind, table, biases, inputs):
        """The loss of the rows that count, as a batch [n, D]."""
        labels = self.rows(self.labels)
        if family == "sampled":
            return sc.FUNCTIONS[kind](
                table,
                biases,
                labels,
                inputs,
                12,
                CLASSES,
                self.num_true,
                sampled_values=(self.sampled, self.rows(self.counts), self.sampled_counts),
            )
        kept = self.flat_keep()
        return rc.FUNCTIONS[kind](
            table,
            biases,
            labels,
            inputs,
            self.ragged([self.candidates[k] for k in kept]),
            label_log_q=self.rows(self.label_log_q),
            candidate_log_q=self.ragged([self.candidate_log_q[k] for k in kept], tf.float32),
        )

    def padded_labels(self, ignore_id=-1):
        return np.where(self.keep[..., None], self.labels, ignore_id)

    def expected(self, family, kind, weights):
        """The losses, and their gradients for `weights`, of the rows that count."""
        table, biases = tf.Variable(self.table), tf.Variable(self.biases)
        inputs = tf.constant(self.rows(self.inputs))
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = self.call_rows(family, kind, table, biases, inputs)
        by_table, by_biases, by_inputs = tape.gradient(
            loss, [table, biases, inputs], self.rows(weights)
        )
        value, inputs_grad = np.zeros(self.lead, np.float32), np.zeros_like(self.inputs)
        value[self.keep], inputs_grad[self.keep] = loss, by_inputs
        return value, lc.as_dense(by_table), lc.as_dense(by_biases), inputs_grad


def weights_of(batch):
    return np.random.default_rng(9).normal(0, 1, batch.lead).astype(np.float32)


def assert_same(batch, family, kind, mode, labels, inputs, **ignored):
    """The loss of the batch and its gradients are those of its rows that count, bit for bit."""
    table, biases = tf.Variable(batch.table), tf.Variable(batch.biases)
    weights = weights_of(batch)

    def step(tensors):
        with tf.GradientTape() as tape:
            tape.watch(tensors[0])
            loss = batch.call(family, kind, table, biases, tensors, **ignored)
        return loss, tape.gradient(loss, [table, biases, tensors[0]], weights)

    tensors = (tf.constant(inputs), tf.constant(labels))
    loss, (by_table, by_biases, by_inputs) = in_shape_mode(mode, step, tensors)
    assert isinstance(by_inputs, tf.Tensor)
    got = (loss, lc.as_dense(by_table), lc.as_dense(by_biases), by_inputs)
    for actual, expected in zip(got, batch.expected(family, kind, weights), strict=True):
        np.testing.assert_array_equal(actual, expected)
    return loss


@for_modes
@for_leads
@for_families
def test_all_positions_count(family, lead, mode):
    batch = Batch(lead, num_true=2, keep=2)
    assert_same(batch, family, "softmax", mode, batch.labels, batch.inputs)


@for_modes
@for_kinds
@for_families
def test_ignore_id(family, kind, mode):
    batch = Batch([3, 4])
    assert_same(
        batch, family, kind, mode, batch.padded_labels(), batch.inputs, ignore_id=np.int32(-1)
    )


@for_modes
@for_leads
@for_families
def test_mask(family, lead, mode):
    """What stands at positions that are ignored has no effect, whatever it is."""
    batch = Batch(lead, num_true=2)
    inputs = np.where(batch.keep[..., None], batch.inputs, np.nan)
    labels = batch.padded_labels(CLASSES + 7)
    assert_same(batch, family, "softmax", mode, labels, inputs, mask=batch.keep)


@for_families
def test_mask_and_ignore_id_leave_out_what_either_does(family):
    batch = Batch([3, 4])
    both = batch.keep
    mask, others = both.copy(), both.copy()
    out = np.flatnonzero(~both.ravel())
    assert len(out) >= 2
    mask.ravel()[out[0]] = True
    others.ravel()[out[1:]] = True
    labels = np.where(others[..., None], batch.labels, -1)
    assert_same(batch, family, "softmax", "eager", labels, batch.inputs, mask=mask, ignore_id=-1)


@for_families
def test_a_row_with_one_other_label_counts(family):
    """Then a label that is ignore_id is a class id like any other."""
    batch = Batch([3, 4], num_true=2)
    batch.labels[batch.keep, 0] = 7
    batch.labels[batch.keep, 1] = 9
    labels = batch.padded_labels(7)
    assert_same(batch, family, "softmax", "eager", labels, batch.inputs, ignore_id=7)


@for_kinds
@for_families
def test_labels_without_a_last_dimension(family, kind):
    batch = Batch([3, 4])
    labels = batch.padded_labels()[..., 0]
    batch.label_log_q = batch.label_log_q[..., 0]
    batch.counts = batch.counts[..., 0]
    table = tf.constant(batch.table)
    tensors = (batch.inputs, labels)
    loss = batch.call(family, kind, table, None, tensors, ignore_id=-1)
    batch.label_log_q = batch.label_log_q[..., None]
    batch.counts = batch.counts[..., None]
    want = batch.call_rows(family, kind, table, None, batch.rows(batch.inputs))
    np.testing.assert_array_equal(loss.numpy()[batch.keep], want)
    assert (loss.numpy()[~batch.keep] == 0).all()


@for_modes
@for_families
def test_all_ignored(family, mode):
    batch = Batch([3, 4], keep=-1)
    labels = batch.padded_labels()
    loss = assert_same(batch, family, "softmax", mode, labels, batch.inputs, ignore_id=-1)
    assert not loss.numpy().any()


@pytest.mark.parametrize("lead", [[0, 4], [3, 0]], ids=str)
@for_families
def test_no_positions(family, lead):
    batch = Batch(lead)
    for ignored in ({}, {"ignore_id": -1}, {"mask": batch.keep}):
        loss = assert_same(
            batch, family, "softmax", "unknown_shapes", batch.labels, batch.inputs, **ignored
        )
        assert loss.shape == lead


@pytest.mark.parametrize("ignored", [{}, {"ignore_id": -1}, {"mask": [[True] * 4] * 3}], ids=str)
@for_families
def test_static_shapes(family, ignored):
    batch = Batch([3, 4])

    @tf.function(
        input_signature=[
            tf.TensorSpec([3, None, DEPTH], tf.float32),
            tf.TensorSpec([None, 4, 1], tf.int64),
        ]
    )
    def loss(inputs, labels):
        value = batch.call(family, "softmax", batch.table, None, (inputs, labels), **ignored)
        assert value.shape.rank == 2 and value.shape[0] == 3
        return value

    assert loss(batch.inputs, batch.labels).shape == [3, 4]


@for_families
def test_without_either_only_shapes_change(family):
    """No gather and no scatter are in the graph where all positions count."""
    batch = Batch([3, 4])

    @tf.function
    def loss(inputs):
        return batch.call(family, "softmax", batch.table, None, (inputs, batch.labels))

    types = {op.type for op in loss.get_concrete_function(batch.inputs).graph.get_operations()}
    assert "Reshape" in types
    assert not types & {"GatherV2", "GatherNd", "Where", "ScatterNd", "RaggedGather"}


@for_kinds
@for_families
def test_types(family, kind):
    """Half types: the loss stays float32, and gradients have the types of their tensors."""
    batch = Batch([3, 4])
    inputs = tf.cast(batch.inputs, tf.bfloat16)
    table = tf.Variable(batch.table)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        loss = batch.call(
            family, kind, table, batch.biases, (inputs, batch.padded_labels()), ignore_id=-1
        )
    by_table, by_inputs = tape.gradient(loss, [table, inputs])
    assert (loss.dtype, by_table.dtype, by_inputs.dtype) == (tf.float32, tf.float32, tf.bfloat16)


@for_families
def test_in_a_graph_of_tensorflow_1(family):
    batch = Batch([3, 4])
    want = batch.expected(family, "softmax", weights_of(batch))[0]
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        inputs = tf.compat.v1.placeholder(tf.float32, [None, None, DEPTH])
        labels = tf.compat.v1.placeholder(tf.int32, [None, None, 1])
        loss = batch.call(
            family, "softmax", batch.table, batch.biases, (inputs, labels), ignore_id=-1
        )
        got = session.run(loss, {inputs: batch.inputs, labels: batch.padded_labels()})
    np.testing.assert_array_equal(got, want)


@for_kinds
def test_a_sampler_counts_the_labels_that_count(kind):
    batch = Batch([3, 4])
    sampler = tfcs.LearnedUnigramSampler(CLASSES, seed=1)
    twin = tfcs.LearnedUnigramSampler(CLASSES, seed=1)
    call = sc.FUNCTIONS[kind]
    loss = call(
        batch.table,
        None,
        batch.padded_labels(),
        batch.inputs,
        8,
        CLASSES,
        sampler=sampler,
        ignore_id=-1,
    )
    want = call(
        batch.table,
        None,
        batch.rows(batch.labels),
        batch.rows(batch.inputs),
        8,
        CLASSES,
        sampler=twin,
    )
    np.testing.assert_array_equal(loss.numpy()[batch.keep], want)
    np.testing.assert_array_equal(
        sampler.counts, np.bincount(batch.rows(batch.labels).ravel(), minlength=CLASSES)
    )


def test_an_ignored_class_stays_among_the_candidates():
    """Rows labelled 0 are left out; as a candidate, class 0 competes with the other labels."""
    table = np.zeros([3, 1], np.float32)
    table[0] = 5.0
    loss = tfcs.sampled_softmax_loss(
        table,
        None,
        [[0, 1]],
        np.ones([1, 2, 1], np.float32),
        3,
        3,
        sampled_values=([0, 1, 2], 1.0, np.ones(3)),
        ignore_id=0,
    )
    np.testing.assert_allclose(loss, [[0, np.log(np.exp(5) + 2)]], rtol=1e-6)


COUNTS = {
    "a number": lambda counts: 0.5,
    "for each column": lambda counts: counts[0, 0],
    "for each position": lambda counts: counts[..., :1],
    "a list": lambda counts: counts.tolist(),
}


@pytest.mark.parametrize("form", COUNTS.values(), ids=COUNTS)
def test_expected_counts_broadcast_to_labels(form):
    batch = Batch([3, 4], num_true=2)
    counts = form(batch.counts)
    batch.counts = np.broadcast_to(np.float32(counts), batch.labels.shape)
    want = batch.call_rows("sampled", "softmax", batch.table, None, batch.rows(batch.inputs))
    batch.counts = counts
    for mode in MODES:
        loss = in_shape_mode(
            mode,
            lambda tensors: batch.call(
                "sampled", "softmax", batch.table, None, tensors, mask=batch.keep
            ),
            (tf.constant(batch.inputs), tf.constant(batch.labels)),
        )
        np.testing.assert_array_equal(loss.numpy()[batch.keep], want)


def ragged_forms(batch):
    """The candidates of [B, L] positions in every form that rows of one length have."""
    rows = [row[:1] if len(row) else np.array([3]) for row in batch.candidates]
    flat = batch.ragged(rows)
    dense = np.array(rows).reshape([*batch.lead, 1])
    yield "flat", flat
    yield "uniform", tf.RaggedTensor.from_uniform_row_length(flat, batch.lead[1])
    yield "nested", tf.RaggedTensor.from_row_lengths(flat, [batch.lead[1]] * batch.lead[0])
    yield "int32 splits", tf.ragged.constant(dense.tolist(), row_splits_dtype=tf.int32)
    yield (
        "ragged outside",
        tf.RaggedTensor.from_row_lengths(dense.reshape([-1, 1]), [batch.lead[1]] * batch.lead[0]),
    )
    yield "dense", dense
    yield "dense rows", dense.reshape([-1, 1])
    yield "lists", dense.tolist()
    yield "sparse", tf.sparse.from_dense(dense.reshape([-1, 1]) + 1).with_values(dense.ravel())


@pytest.mark.parametrize("ignored", [{}, {"ignore_id": -1}], ids=str)
def test_forms_of_ragged_arguments(ignored):
    batch = Batch([3, 4])
    labels = batch.padded_labels() if ignored else batch.labels
    losses = {
        name: tfcs.ragged_sampled_softmax_loss(
            batch.table, None, labels, batch.inputs, candidates, **ignored
        )
        for name, candidates in ragged_forms(batch)
    }
    for name, loss in losses.items():
        np.testing.assert_array_equal(loss, losses["flat"], err_msg=name)
    for name, form in (
        ("flat", batch.ragged(labels.reshape([-1, 1]))),
        ("nested", tf.RaggedTensor.from_tensor(labels, ragged_rank=2)),
    ):
        loss = tfcs.ragged_sampled_softmax_loss(
            batch.table, None, form, batch.inputs, dict(ragged_forms(batch))["dense"], **ignored
        )
        np.testing.assert_array_equal(loss, losses["flat"], err_msg=name)


def test_nce_rows_without_labels_count():
    """ignore_id leaves out rows that have labels; a mask leaves out any."""
    labels = tf.ragged.constant([[0], [], [-1]])
    arguments = (np.array([[1.0], [2.0]]), None, labels, np.ones([3, 1]), [[1]] * 3)
    loss = tfcs.ragged_nce_loss(*arguments, ignore_id=-1)
    softplus = np.logaddexp(0, 2)
    np.testing.assert_allclose(loss, [np.logaddexp(0, 1) - 1 + softplus, softplus, 0], rtol=1e-6)


def loss_of(family, labels, inputs, candidates=((1, 2),) * 12, **more):
    table = tf.ones([CLASSES, DEPTH])
    if family == "sampled":
        return tfcs.sampled_softmax_loss(table, None, labels, inputs, 3, CLASSES, **more)
    return tfcs.ragged_sampled_softmax_loss(table, None, labels, inputs, candidates, **more)


GOOD = {"labels": np.zeros([3, 4], np.int64), "inputs": np.ones([3, 4, DEPTH], np.float32)}


@pytest.mark.parametrize(
    "change, message",
    [
        ({"labels": np.zeros([4, 3], np.int64)}, r"labels must have .*\(3, 4\).*got.*\(4, 3\)"),
        ({"labels": np.zeros([12], np.int64)}, r"labels must have shape"),
        ({"mask": np.ones([4, 3], bool)}, r"mask must have shape \(3, 4\), .*got shape \(4, 3\)"),
        ({"mask": np.ones([3, 4, 1], bool)}, r"mask must have shape \(3, 4\), .*got.*\(3, 4, 1\)"),
        ({"mask": np.ones([3, 4], np.float32)}, r"mask must be of type bool, got float32"),
        ({"mask": np.ones([3, 4], np.int64)}, r"mask must be of type bool, got int64"),
        ({"mask": tf.ragged.constant([[True]])}, r"mask must be a dense tensor"),
        ({"ignore_id": 0.5}, r"ignore_id must be an integer, got 0.5"),
        ({"ignore_id": True}, r"ignore_id must be an integer, got True"),
        ({"ignore_id": 2**70}, r"ignore_id must be an integer of 64 bits"),
        ({"inputs": np.ones([DEPTH], np.float32), "ignore_id": 1}, r"inputs must have .* rank"),
        (
            {"labels": np.full([3, 4], -1)},
            r"(labels|true_classes) must hold class ids in \[0, 40\).* got -1",
        ),
        (
            {"labels": np.full([3, 4], -2), "ignore_id": -1},
            r"(labels|true_classes) must hold.*got -2",
        ),
    ],
    ids=lambda value: "",
)
@for_families
def test_refused(family, change, message):
    refused(message, loss_of, family, **GOOD | change)


@for_families
def test_refused_at_run_time(family):
    """Shapes that are transposed, where the graph does not know them."""
    for change, message in (
        ({"labels": np.zeros([4, 3], np.int64)}, r"labels must have the leading dimensions"),
        ({"mask": np.ones([4, 3], bool)}, r"mask must have the leading dimensions of inputs"),
    ):
        arguments = {key: tf.constant(value) for key, value in (GOOD | change).items()}
        refused(
            message,
            in_shape_mode,
            "unknown_shapes",
            lambda arguments: loss_of(family, **arguments),
            arguments,
        )


def test_refused_unknown_rank():
    @tf.function(input_signature=[tf.TensorSpec(None, tf.float32)])
    def loss(inputs):
        return loss_of("sampled", [[1]], inputs, ignore_id=-1)

    refused(r"inputs must have a known rank", loss, tf.ones([1, DEPTH]))


RAGGED = tf.ragged.constant([[[1], [2]], [[3]]], tf.int64)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"candidates": [[1]] * 11, "ignore_id": -1}, r"candidates must have as many rows.* 11"),
        ({"candidates": [[1]] * 13, "ignore_id": -1}, r"candidates must have as many rows.* 13"),
        ({"candidates": [[1]] * 11}, r"candidates"),
        ({"candidates": [[1, 2], [3]]}, r"candidates must"),
        ({"candidates": RAGGED}, r"candidates must have the leading dimensions of inputs"),
        ({"labels": RAGGED}, r"labels must have the leading dimensions of inputs"),
        ({"label_log_q": np.zeros([4, 3], np.float32)}, r"label_log_q must have shape"),
        ({"candidate_log_q": tf.zeros([3, 4, 1])}, r"candidate_log_q must have the shape"),
        ({"labels": np.zeros([3, 4, 1, 1], np.int64)}, r"labels must have shape"),
    ],
    ids=lambda value: "",
)
def test_refused_ragged(change, message):
    refused(message, loss_of, "ragged", **GOOD | change)


@pytest.mark.parametrize("splits", [[0, 5, 2], [0, 1, 9], [-1, 1, 2], [1, 1, 2]], ids=str)
def test_invalid_splits_are_refused_with_a_mask(splits):
    """Rows are taken by TensorFlow's gather, which must not read past the end."""
    rows = tf.RaggedTensor.from_row_splits([1, 2], tf.constant(splits, tf.int64), validate=False)
    for mask in ([True, True], [True, False], [False, True]):
        try:
            tfcs.ragged_sampled_softmax_loss(
                tf.ones([4, 2]), None, [0, 1], tf.ones([2, 2]), rows, mask=mask
            )
        except tf.errors.InvalidArgumentError:
            continue
        assert splits[:2] == [0, 1] or splits[1:] == [1, 2], (splits, mask)
