# SPDX-License-Identifier: Apache-2.0
"""The losses' gradient functions name the ops' inputs and outputs as the ops declare them."""

import pytest
import tensorflow as tf

import tf_candsamp as tfcs
from tf_candsamp import ragged_losses, sampled_losses
from tf_candsamp._losses import gradients

WEIGHTS, BIASES, INPUTS = tf.ones([5, 2]), tf.zeros([5]), tf.ones([1, 2])

CALLS = {
    "sampled_softmax": lambda: tfcs.sampled_softmax_loss(WEIGHTS, BIASES, [[1]], INPUTS, 3, 5),
    "nce": lambda: tfcs.nce_loss(WEIGHTS, BIASES, [[1]], INPUTS, 3, 5),
    "ragged_sampled_softmax": lambda: tfcs.ragged_sampled_softmax_loss(
        WEIGHTS, BIASES, [1], INPUTS, [[2, 3]], label_log_q=[0.0], candidate_log_q=[[0.0, 0.0]]
    ),
    "ragged_nce": lambda: tfcs.ragged_nce_loss(WEIGHTS, BIASES, [1], INPUTS, [[2, 3]]),
    "logits": lambda: tfcs.ragged_candidate_logits(WEIGHTS, BIASES, INPUTS, [[2, 3]]),
}
NAMES = {
    "sampled_softmax": (sampled_losses._INPUTS, sampled_losses._KEPT),
    "nce": (sampled_losses._INPUTS, sampled_losses._KEPT),
    "ragged_sampled_softmax": (ragged_losses._LOSS_INPUTS, ragged_losses._LOSS_KEPT),
    "ragged_nce": (ragged_losses._LOSS_INPUTS, ragged_losses._LOSS_KEPT),
    "logits": (ragged_losses._LOGITS_INPUTS, ragged_losses._LOGITS_KEPT),
}


def definition(call):
    """What the only loss op in a graph of the call declares."""
    operations = tf.function(call).get_concrete_function().graph.get_operations()
    losses = [op for op in operations if "Loss" in op.type or "Logits" in op.type]
    (op,) = losses
    return op.op_def


@pytest.mark.parametrize("name", CALLS)
def test_names_of_inputs_and_outputs(name):
    declared = definition(CALLS[name])
    inputs, kept = NAMES[name]
    assert [argument.name for argument in declared.input_arg] == list(inputs)
    assert [argument.name for argument in declared.output_arg][1:] == list(kept)


@pytest.mark.parametrize("name", CALLS)
def test_attributes_of_lengths(name):
    for argument in definition(CALLS[name]).input_arg:
        length = argument.type_list_attr or argument.number_attr or None
        assert gradients._LENGTHS.get(argument.name) == length
