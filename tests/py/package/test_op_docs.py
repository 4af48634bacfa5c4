# SPDX-License-Identifier: Apache-2.0
"""The docs of the ops: nothing is left out, and what their worked shapes say is what the ops do."""

import json
import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import op_def_pb2
from tensorflow.python.client import pywrap_tf_session

import tf_candsamp
from tf_candsamp._library import ops


def _documented_ops():
    """The definitions of the library's ops. TensorFlow's registry has dropped their docs."""
    path = pathlib.Path(tf_candsamp.__file__).parent / "libtf_candsamp.so"
    library = pywrap_tf_session.TF_LoadLibrary(str(path))
    try:
        definitions = op_def_pb2.OpList.FromString(pywrap_tf_session.TF_GetOpList(library))
    finally:
        pywrap_tf_session.TF_DeleteLibraryHandle(library)
    return {op.name.removeprefix("Candsamp>"): op for op in definitions.op}


OPS = _documented_ops()


def test_ops_of_every_family_are_there():
    some = {
        "SampledSoftmaxLoss",
        "RaggedNceLoss",
        "UniformCandidateSampler",
        "UnigramWeights",
        "RowAdam",
    }
    assert some | {"LearnedUnigramSample", "NotTwiceDifferentiable"} <= OPS.keys()


@pytest.mark.parametrize("name", OPS)
def test_op_has_a_summary_of_one_sentence(name):
    assert re.fullmatch(r"[A-Z].{20,}\.", OPS[name].summary), OPS[name].summary


@pytest.mark.parametrize("name", OPS)
def test_op_has_a_worked_shape(name):
    assert re.search(r"\bFor .*[:,] ", OPS[name].description, re.DOTALL), OPS[name].description


@pytest.mark.parametrize("name", OPS)
def test_inputs_outputs_and_attributes_are_described(name):
    op = OPS[name]
    arguments = [*op.input_arg, *op.output_arg, *op.attr]
    assert [a.name for a in arguments if not a.description] == []


BATCH = {"true_classes": "[[0], [2]]", "num_sampled": "4"}
SEEDS = {"num_true": "1", "seed": "1", "seed2": "3"}
STREAM = {"stream": "[0, 3, 1]"}
ROWS = {"num_sampled": "[2, 0, 1]", "true_classes": "[0, 1, 2]", "true_splits": "[0, 1, 2, 3]"}
REPEATED = {"unique": False, "exact": False}
EXCLUDING = {**REPEATED, "exclude_true": True}
UNIFORM = {
    "sampled_candidates": "[9, 3, 1, 6]",
    "true_expected_count": "[[0.4], [0.4]]",
    "sampled_expected_count": "[0.4, 0.4, 0.4, 0.4]",
}
LOG_UNIFORM = {
    "sampled_candidates": "[0, 2, 2, 0]",
    "true_expected_count": "[[2], [0.83]]",
    "sampled_expected_count": "[2, 0.83, 0.83, 2]",
}
FIXED_UNIGRAM = {
    "sampled_candidates": "[2, 0, 0, 0]",
    "true_expected_count": "[[1], [3]]",
    "sampled_expected_count": "[3, 1, 1, 1]",
}

# Op, arguments as its doc writes them, flags, and outputs as its doc writes them.
EXAMPLES = [
    (
        "UniformCandidateSampler",
        {**BATCH, **SEEDS, "true_classes": "[[3], [7]]", "range_max": "10"},
        REPEATED,
        UNIFORM,
    ),
    ("LogUniformCandidateSampler", {**BATCH, **SEEDS, "range_max": "3"}, REPEATED, LOG_UNIFORM),
    (
        "FixedUnigramCandidateSampler",
        {**BATCH, **SEEDS, "range_max": "3", "unigrams": "[1, 0, 3]"},
        REPEATED,
        FIXED_UNIGRAM,
    ),
    (
        "AllCandidateSampler",
        {**BATCH, "num_true": "1"},
        {"unique": False},
        {
            "sampled_candidates": "[0, 1, 2, 3]",
            "true_expected_count": "[[1], [1]]",
            "sampled_expected_count": "[1, 1, 1, 1]",
        },
    ),
    (
        "StatelessUniformSample",
        {**BATCH, **STREAM, "true_classes": "[[3], [7]]", "range_max": "10"},
        REPEATED,
        UNIFORM,
    ),
    ("StatelessLogUniformSample", {**BATCH, **STREAM, "range_max": "3"}, REPEATED, LOG_UNIFORM),
    (
        "StatelessFixedUnigramSample",
        {**BATCH, **STREAM, "weights": "[1, 0, 3]", "range_max": "3"},
        REPEATED,
        FIXED_UNIGRAM,
    ),
    ("FixedUnigramSample", {**BATCH, **STREAM, "weights": "[1, 0, 3]"}, REPEATED, FIXED_UNIGRAM),
    (
        "LearnedUnigramSample",
        {**BATCH, **STREAM, "counts": "[0, 2, 1]"},
        REPEATED,
        {
            "sampled_candidates": "[1, 2, 1, 2]",
            "true_expected_count": "[[0.667], [1.333]]",
            "sampled_expected_count": "[2, 1.333, 2, 1.333]",
            "counts": "[1, 2, 2]",
        },
    ),
    (
        "StatelessUniformRaggedSample",
        {**STREAM, **ROWS, "range_max": "5"},
        EXCLUDING,
        {
            "candidates": "[4, 2, 0]",
            "row_splits": "[0, 2, 2, 3]",
            "expected_count": "[0.5, 0.5, 0.25]",
        },
    ),
    (
        "StatelessLogUniformRaggedSample",
        {**STREAM, **ROWS, "range_max": "3"},
        EXCLUDING,
        {
            "candidates": "[2, 1, 0]",
            "row_splits": "[0, 2, 2, 3]",
            "expected_count": "[0.83, 1.17, 0.631]",
        },
    ),
    (
        "FixedUnigramRaggedSample",
        {**STREAM, **ROWS, "num_sampled": "[1, 0, 2]", "weights": "[1, 0, 3]"},
        EXCLUDING,
        {"candidates": "[2, 0, 0]", "row_splits": "[0, 1, 1, 3]", "expected_count": "[1, 2, 2]"},
    ),
    (
        "LearnedUnigramRaggedSample",
        {**STREAM, **ROWS, "counts": "[0, 2, 1]"},
        EXCLUDING,
        {
            "candidates": "[1, 2, 1]",
            "row_splits": "[0, 2, 2, 3]",
            "expected_count": "[1.2, 0.8, 0.75]",
            "counts": "[1, 3, 2]",
        },
    ),
    (
        "UniformProbability",
        {"ids": "[[0], [3]]", "range_max": "4"},
        {},
        {"probability": "[[0.25], [0.25]]"},
    ),
    (
        "LogUniformProbability",
        {"ids": "[0, 1, 2]", "range_max": "3"},
        {},
        {"probability": "[0.5, 0.292, 0.208]"},
    ),
    (
        "FixedUnigramProbability",
        {"ids": "[0, 1, 2]", "weights": "[1, 0, 3]"},
        {},
        {"probability": "[0.25, 0, 0.75]"},
    ),
    (
        "LearnedUnigramProbability",
        {"ids": "[0, 1, 2]", "counts": "[0, 2, 1]"},
        {},
        {"probability": "[0.167, 0.5, 0.333]"},
    ),
    (
        "LearnedUnigramUpdate",
        {"classes": "[[2], [2]]", "counts": "[0, 2, 1]"},
        {},
        {"counts": "[0, 2, 3]"},
    ),
    (
        "LearnedUnigramHalve",
        {"when": "true", "counts": "[0, 2, 5]"},
        {},
        {"counts": "[0, 1, 2]"},
    ),
    ("CountStep", {"steps": "6"}, {}, {"step": "7", "steps": "7"}),
    (
        "FrequencyUpdate",
        {"ids": "[7, 7, 7, 7]", "state": "[0, 0, 0]"},
        {"num_buckets": 1, "num_hashes": 1, "learning_rate": 0.1},
        {"state": "[4, 4, 18245222400]"},
    ),
    (
        "FrequencyGaps",
        {"ids": "[7, 8]", "state": "[4, 4, 18245222400]"},
        {"num_buckets": 1, "num_hashes": 1},
        {"gaps": "[1, 1]"},
    ),
    ("ReserveStream", {"num_sampled": "3", "seed": "7", "seed2": "9"}, {}, {"stream": "[0, 9, 7]"}),
    (
        "UnigramWeights",
        {
            "unigrams": "[1, 2, 3]",
            "distortion": "2",
            "num_reserved_ids": "1",
            "num_shards": "2",
            "shard": "1",
        },
        {},
        {"weights": "[1, 9]"},
    ),
    (
        "ComputeAccidentalHits",
        {"true_classes": "[[1], [2]]", "num_true": "1", "sampled_candidates": "[2, 5, 2]"},
        {},
        {"indices": "[1, 1]", "ids": "[0, 2]"},
    ),
    (
        "RaggedCandidateLogits",
        {
            "weights": "[[1, 2], [3, 4], [5, 6]]",
            "inputs": "[[1, 0], [0, 1]]",
            "candidates": "[1, 2, 1]",
            "candidate_splits": "[0, 2, 3]",
        },
        {"biases": [], "W": tf.float32, "A": tf.float32},
        {"logits": "[3, 5, 4]"},
    ),
    (
        "RaggedCandidateLogitsGrad",
        {
            "grad": "[1, 2, 3]",
            "inputs": "[[1, 0], [0, 1]]",
            "candidates": "[1, 2, 1]",
            "candidate_splits": "[0, 2, 3]",
            "rows": "[[3, 4], [5, 6]]",
            "row_ids": "[0, 1, 0]",
            "weight_rows": "[3]",
        },
        {"slopes": np.zeros(0, np.float32), "bias_rows": [], "num_weights": 1, "num_biases": 0},
        {
            "inputs_grad": "[[13, 16], [9, 12]]",
            "weight_indices": "[1, 2]",
            "weight_values": "[[1, 3], [2, 0]]",
            "weight_shapes": "[3, 2]",
        },
    ),
    (
        "RaggedLossGrad",
        {
            "grad": "[2, 1]",
            "inputs": "[[1, 0], [0, 1]]",
            "labels": "[0, 1]",
            "label_splits": "[0, 1, 2]",
            "candidates": "[1]",
            "candidate_splits": "[0, 1, 1]",
            "label_logit_grad": "[-0.5, 0]",
            "candidate_logit_grad": "[0.5]",
            "weight_rows": "[3]",
        },
        {
            "bias_rows": [],
            "unscaled_inputs_grad": [[0.0, 0.0], [0.0, 0.0]],
            "rows": np.zeros([0, 2], np.float32),
            "num_weights": 1,
            "num_biases": 0,
        },
        {
            "weight_indices": "[0, 1]",
            "weight_values": "[[-1, 0], [1, 0]]",
            "weight_shapes": "[3, 2]",
        },
    ),
    (
        "SampledLossGrad",
        {
            "grad": "[2, 1]",
            "inputs": "[[1, 0], [0, 1]]",
            "class_ids": "[1, 0]",
            "class_rows": "[[3, 4], [1, 2]]",
            "label_classes": "[[1], [0]]",
            "sample_columns": "[0]",
            "label_logit_grad": "[[-0.5], [0]]",
            "scales": "[[0.5, 1]]",
            "slopes": "[[1], [0]]",
            "weight_rows": "[3]",
        },
        {
            "sample_offsets": [0.0],
            "sample_biases": np.zeros(0, np.float32),
            "hit_labels": [],
            "hit_candidates": [],
            "bias_rows": [],
            "loss": "softmax",
            "remove_accidental_hits": True,
            "recompute": False,
            "num_weights": 1,
            "num_biases": 0,
        },
        {
            "inputs_grad": "[[2, 2], [0, 0]]",
            "weight_indices": "[1, 0]",
            "weight_values": "[[1, 0], [-1, 0]]",
            "weight_shapes": "[3, 2]",
        },
    ),
    (
        "RowSgd",
        {
            "table": "[[1, 2], [3, 4], [5, 6]]",
            "indices": "[2, 0, 2]",
            "gradient": "[[1, 0], [2, 2], [1, 4]]",
            "learning_rate": "0.5",
            "weight_decay": "0",
        },
        {"W": tf.float32},
        {"table": "[[0, 1], [3, 4], [4, 4]]"},
    ),
    (
        "RowMomentum",
        {
            "table": "[[1, 2], [3, 4]]",
            "momentum": "[[2, 0], [1, 1]]",
            "indices": "[0]",
            "gradient": "[[2, 4]]",
            "learning_rate": "0.5",
            "factor": "0.5",
            "weight_decay": "0",
        },
        {"W": tf.float32},
        {"momentum": "[[0, -2], [1, 1]]", "table": "[[1, 0], [3, 4]]"},
    ),
    (
        "RowAdagrad",
        {
            "table": "[[1, 2], [3, 4]]",
            "accumulator": "[[1, 1], [7, 9]]",
            "indices": "[1]",
            "gradient": "[[3, 0]]",
            "learning_rate": "2",
            "epsilon": "0",
            "weight_decay": "0",
        },
        {"W": tf.float32},
        {"accumulator": "[[1, 1], [16, 9]]", "table": "[[1, 2], [1.5, 4]]"},
    ),
    (
        "RowRmsprop",
        {
            "table": "[[1, 2], [3, 4]]",
            "velocity": "[[0, 0], [16, 4]]",
            "indices": "[1]",
            "gradient": "[[4, 2]]",
            "learning_rate": "2",
            "rho": "0.5",
            "factor": "0",
            "epsilon": "0",
            "weight_decay": "0",
        },
        {"W": tf.float32, "momentum": [], "average_gradient": []},
        {"velocity": "[[0, 0], [16, 4]]", "table": "[[1, 2], [1, 2]]"},
    ),
    (
        "RowAdam",
        {
            "table": "[[1, 2], [3, 4]]",
            "momentum": "[[0, 0], [0, 0]]",
            "velocity": "[[0, 0], [0, 0]]",
            "indices": "[1]",
            "gradient": "[[4, -2]]",
            "learning_rate": "0.5",
            "beta_1": "0.5",
            "beta_2": "0.75",
            "epsilon": "0",
            "step": "1",
            "weight_decay": "0",
        },
        {"W": tf.float32, "velocity_hat": []},
        {
            "momentum": "[[0, 0], [2, -1]]",
            "velocity": "[[0, 0], [4, 1]]",
            "table": "[[1, 2], [2.5, 4.5]]",
        },
    ),
    (
        "RowFtrl",
        {
            "table": "[[0, 0], [3, 4]]",
            "accumulator": "[[9, 16], [1, 1]]",
            "linear": "[[0, 0], [7, 8]]",
            "indices": "[0]",
            "gradient": "[[4, -3]]",
            "learning_rate": "0.5",
            "learning_rate_power": "-0.5",
            "l1": "2",
            "l2": "0",
            "l2_shrinkage": "0",
            "beta": "0",
            "weight_decay": "0",
        },
        {"W": tf.float32},
        {
            "accumulator": "[[25, 25], [1, 1]]",
            "linear": "[[4, -3], [7, 8]]",
            "table": "[[-0.2, 0.1], [3, 4]]",
        },
    ),
    (
        "SumRepeatedRows",
        {"indices": "[5, 3, 5]", "gradient": "[[1, 0], [2, 2], [4, 1]]"},
        {},
        {"rows": "[3, 5]", "sums": "[[2, 2], [5, 1]]"},
    ),
]

TABLE = {"weights": "[[1, 2], [3, 4], [5, 6]]", "inputs": "[[1, 0], [0, 1]]"}
TABLE_FLAGS = {"biases": [], "W": tf.float32}
EXCLUDE = {"exclude": "[2]", "exclude_splits": "[0, 1, 1]"}
EXAMPLES += [
    (
        "FullSoftmaxLoss",
        {**TABLE, "labels": "[[0], [2]]"},
        {**TABLE_FLAGS, "A": tf.float32},
        {"loss": "[4.143, 0.143]", "max": "[5, 6]", "sum": "[1.154, 1.154]"},
    ),
    (
        "FullSoftmaxLossGrad",
        {
            **TABLE,
            "labels": "[[0], [2]]",
            "grad": "[1, 0]",
            "max": "[5, 6]",
            "sum": "[1.1537, 1.1537]",
        },
        TABLE_FLAGS,
        {
            "inputs_grad": "[[3.702, 3.702], [0, 0]]",
            "weights_grad": "[[-0.984, 0], [0.117, 0], [0.867, 0]]",
        },
    ),
    (
        "LabelRank",
        {**TABLE, **EXCLUDE, "labels": "[[0], [2]]"},
        TABLE_FLAGS,
        {"rank": "[[1], [0]]"},
    ),
    (
        "TopClasses",
        {**TABLE, **EXCLUDE, "k": "2"},
        {**TABLE_FLAGS, "A": tf.float32},
        {"values": "[[3, 1], [6, 4]]", "indices": "[[1, 0], [2, 1]]"},
    ),
    (
        "FindRows",
        {"ids": "[[7, 2], [2, 5]]", "shard_rows": "[4, 4]"},
        {"names": ["labels"], "table": "weights", "shards": 2},
        {"rows": "[2]", "places": "[[1, 0], [0, 2]]"},
    ),
]


def _value(definition, name, text):
    """What the op takes for an argument that its doc writes as `text`, and the variable in it."""
    argument = next((a for a in definition.input_arg if a.name == name), None)
    if argument is None:
        return json.loads(text), None
    if argument.type == tf.resource.as_datatype_enum:
        kind = tf.int64 if name in ("counts", "steps", "state") else tf.float32
        variable = tf.Variable(tf.constant(json.loads(text), kind))
        return variable.handle, variable
    kind = tf.as_dtype(argument.type) if argument.type else tf.float32
    value = tf.constant(json.loads(text), kind)
    return ([value] if argument.number_attr or argument.type_list_attr else value), None


@pytest.mark.parametrize("name, arguments, flags, outputs", EXAMPLES, ids=[e[0] for e in EXAMPLES])
def test_worked_shape_is_what_the_op_returns(name, arguments, flags, outputs):
    definition = OPS[name]
    doc = " ".join(definition.description.split())
    for text in arguments.values():
        assert text in doc
    function = getattr(ops, "candsamp" + re.sub("([A-Z])", r"_\1", name).lower())
    # A new graph has kernels of its own: their random state is that of a first execution.
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        values = {key: _value(definition, key, text) for key, text in arguments.items()}
        variables = {key: v for key, (_, v) in values.items() if v is not None}
        returned = function(**{key: value for key, (value, _) in values.items()}, **flags)
        session.run([v.initializer for v in variables.values()])
        names = [output.name for output in definition.output_arg]
        got = session.run(dict(zip(names, returned, strict=True)) if len(names) > 1 else returned)
        got = got if len(names) > 1 else {names[0]: got} if names else {}
        got.update(session.run({key: v.read_value() for key, v in variables.items()}))
    for key, text in outputs.items():
        assert (f"holds {text}" if key in variables else text) in doc
        value = got[key][0] if isinstance(got[key], list) else got[key]
        np.testing.assert_allclose(value, json.loads(text), atol=6e-4)


def test_reserved_streams_follow_each_other():
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        stream = ops.candsamp_reserve_stream(tf.constant(3, tf.int64), seed=7, seed2=9)
        assert [session.run(stream).tolist() for _ in range(2)] == [[0, 9, 7], [1536, 9, 7]]
    assert "[1536, 9, 7]" in " ".join(OPS["ReserveStream"].description.split())


def test_vocabulary_is_read_as_its_doc_says(tmp_path):
    assert 'For a file of the lines "the,5", "of,3", "" and "7": unigrams [5, 3, 7].' in (
        OPS["ReadVocabulary"].description
    )
    (tmp_path / "counts").write_text("the,5\nof,3\n\n7\n")
    assert ops.candsamp_read_vocabulary(str(tmp_path / "counts")).numpy().tolist() == [5, 3, 7]
