# SPDX-License-Identifier: Apache-2.0
"""What the tests need from inside the package: its private names are here and nowhere else."""

from tf_candsamp import _build_info, _library
from tf_candsamp._arguments import classes, ragged, scalars, tables, tensors
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
