# SPDX-License-Identifier: Apache-2.0
"""The texts that pages show of results. BLOCKS maps each block's name to what makes it."""

from . import (
    distributed,
    exact,
    examples,
    expected_counts,
    gpu,
    gradient_bias,
    losses,
    machines,
    optimizers,
    ragged,
    ragged_batches,
    sampler_choice,
    samplers,
)

BLOCKS = {
    **machines.BLOCKS,
    **samplers.BLOCKS,
    **expected_counts.BLOCKS,
    **sampler_choice.BLOCKS,
    **gradient_bias.BLOCKS,
    **losses.BLOCKS,
    **ragged.BLOCKS,
    **ragged_batches.BLOCKS,
    **optimizers.BLOCKS,
    **exact.BLOCKS,
    **gpu.BLOCKS,
    **distributed.BLOCKS,
    **examples.BLOCKS,
}
