# SPDX-License-Identifier: Apache-2.0
"""What the tests with random arguments share."""

import collections

import loss_cases as lc
import numpy as np
import tensorflow as tf

# Of a part's largest value, or 1: twice what rows of 1,200 classes with logits of 30 cost (112
# epsilons); three quarters of an epsilon in half types, where a result is only rounded.
TOLERANCE = {
    tf.float32: 3e-5,
    tf.float64: 5e-14,
    tf.bfloat16: 1.5 * 2.0**-8,
    tf.float16: 1.5 * 2.0**-11,
}


# A case with its types (inputs, weights), its result and what that was found to be near to.
Right = collections.namedtuple("Right", "kind case types got want tolerance")


def right(rng, kinds, draw_case):
    """A random case of a random kind, whose result is right."""
    kind = rng.choice(kinds)
    types = lc.TYPE_PAIRS[rng.integers(len(lc.TYPE_PAIRS))]
    case = draw_case(rng).rounded(*types)
    tolerance = max(TOLERANCE[dtype] for dtype in types)
    want = lc.expected(kind, case)
    got = lc.evaluate(kind, case, *types, tf.Variable if rng.integers(2) else tf.identity)
    lc.assert_result(got, want, tolerance, floor=1)
    return Right(kind, case, types, got, want, tolerance)


def seed_of(rng):
    """A seed for a case."""
    return int(rng.integers(2**31))


def with_bad_id(rng, ids, classes):
    """A copy of an array of class ids in which one is out of range."""
    ids = np.array(ids)
    bad = [-(2**63), -(2**31), -1, classes, classes + 1, 2**31, 2**32, 2**63 - 1]
    ids.flat[rng.integers(ids.size)] = bad[rng.integers(len(bad))]
    return ids
