# SPDX-License-Identifier: Apache-2.0
"""Valid arguments of the samplers, to make one mistake in."""

import numpy as np
import sampler_cases as spc
import tensorflow as tf
from calls import in_shape_mode, of_unknown_rank
from internals import random_state

import tf_candsamp as tfcs

V = 10
WEIGHTS = [1.0 + k for k in range(V)]
LABELS = [[1], [2]]

# Functions with the labels first and the arguments num_true, num_sampled, unique and range_max.
FUNCTIONS = {kind: functions.ours for kind, functions in spc.KINDS.items()}
FUNCTIONS["learned_unigram"] = tfcs.learned_unigram_candidate_sampler
FUNCTIONS |= {f"stateless_{kind}": functions.stateless for kind, functions in spc.KINDS.items()}
STATELESS = tuple(kind for kind in FUNCTIONS if "stateless" in kind)
FIXED = ("fixed_unigram", "stateless_fixed_unigram", "object")


def call(kind, labels=LABELS, **changes):
    """A function's sample of valid arguments, but for the changes."""
    options = {"num_true": 1, "num_sampled": 4, "unique": True, "range_max": V}
    if "stateless" in kind:
        options["seed"] = [1, 2]
    if "fixed" in kind:
        options["unigrams"] = WEIGHTS
    options |= changes
    return FUNCTIONS[kind](labels, **options)


def in_rank_mode(mode, function, value):
    """function(value) in a mode of `SHAPE_MODES`, the unknown shape without a rank."""
    return in_shape_mode(mode, function, tf.convert_to_tensor(value), of_unknown_rank)


def state_of(sampler):
    """Everything that a checkpoint saves of a sampler, its random state first."""
    random = random_state(sampler)
    return [random.numpy(), *(v.numpy() for v in sampler.variables if v is not random)]


def assert_state(sampler, state):
    for got, want in zip(state_of(sampler), state, strict=True):
        np.testing.assert_array_equal(got, want)
