# SPDX-License-Identifier: Apache-2.0
"""What the tests need from inside the package: its private names are here and nowhere else."""

from tf_candsamp import _build_info, _library, sampled_losses
from tf_candsamp._arguments import classes, ragged, scalars, tables, tensors
from tf_candsamp._losses import candidates
from tf_candsamp._samplers import keras_state

ops = _library.ops
GPU_CODE, GPU_KERNELS = _build_info.GPU_CODE, _build_info.GPU_KERNELS
TF_VERSION = _build_info.TF_VERSION
keras_layer = keras_state.keras_layer
# The modules whose functions the public ones call where a user's tf.function is traced.
TRACED_MODULES = (classes, ragged, scalars, tables, tensors)
# The method of a sampler that draws a batch.
DRAW = "_draw"


def random_state(sampler):
    """The variable that a sampler's draws advance."""
    return sampler._random_state


def loss_with_hit_ids(kind, tables, labels, inputs, sampled_values, hit_ids, *, recompute=False):
    """A loss whose rows share their candidates, and whose hits are found by `hit_ids`."""
    weights, biases = tables
    batch = sampled_losses._Batch(
        weights, biases, labels, inputs, None, labels.shape[1], None, None
    )
    given = candidates.Candidates(len(sampled_values[0]), sampled_values, None, None, "tf", True)
    return sampled_losses._sampled_loss(
        {"softmax": "sampled_softmax_loss", "nce": "nce_loss"}[kind],
        batch,
        given,
        sampled_losses._Options(True, "div", recompute),
        sampled_losses._HitIds(*hit_ids),
    )
