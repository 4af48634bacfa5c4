# SPDX-License-Identifier: Apache-2.0
"""`update=False`: a sampler that learns draws as ever, but does not count the true classes."""

import numpy as np
import pytest
import sampler_cases as spc
import tensorflow as tf
from calls import MODES, refused

CLASSES = 20
LABELS = np.array([[3], [7], [3]])
DRAWS = {
    "sample": lambda sampler, **options: sampler.sample(5, LABELS, **options),
    "sample_ragged": lambda sampler, **options: sampler.sample_ragged([2, 0, 4], LABELS, **options),
    "exclude_true": lambda sampler, **options: sampler.sample_ragged(
        [2, 0, 4], LABELS, exclude_true=True, **options
    ),
}
every_draw = pytest.mark.parametrize("draw", DRAWS)


@every_draw
@pytest.mark.parametrize(("mode", "no"), [("eager", None), ("eager", False), ("function", False)])
def test_counts_stay_and_draws_are_the_same(mode, no, draw):
    samplers = [spc.sampler("learned_unigram", CLASSES, seed=1) for _ in range(2)]
    for sampler in samplers:
        sampler.update([3, 3, 5])
    before = samplers[0].counts.numpy()
    draws = [
        MODES[mode](lambda s=sampler, u=update: DRAWS[draw](s, update=u))
        for sampler, update in zip(samplers, (no, True), strict=True)
    ]
    for _ in range(3):
        spc.assert_same(*(draw_once() for draw_once in draws))
        np.testing.assert_array_equal(samplers[0].counts, before)
        samplers[1].counts.assign(before)


@every_draw
def test_counts_by_default(draw):
    sampler, told = (spc.sampler("learned_unigram", CLASSES) for _ in range(2))
    DRAWS[draw](sampler)
    DRAWS[draw](told, update=True)
    counts = np.bincount(LABELS[:, 0], minlength=CLASSES)
    np.testing.assert_array_equal(sampler.counts, counts)
    np.testing.assert_array_equal(told.counts, counts)


@every_draw
@pytest.mark.parametrize("kind", ["uniform", "log_uniform", "fixed_unigram"])
def test_without_effect_on_samplers_that_do_not_learn(kind, draw):
    samplers = [spc.sampler(kind, CLASSES, seed=1) for _ in range(2)]
    samples = [DRAWS[draw](s, update=u) for s, u in zip(samplers, (False, True), strict=True)]
    spc.assert_same(*samples)


@every_draw
@pytest.mark.parametrize("update", [1, "no", tf.constant(True)], ids=str)
@pytest.mark.parametrize("kind", spc.OBJECTS)
def test_neither_true_nor_false_is_refused(kind, update, draw):
    sampler = spc.sampler(kind, CLASSES)
    state = [v.numpy() for v in sampler.variables]
    refused("update must be True or False, got", DRAWS[draw], sampler, update=update)
    for variable, value in zip(sampler.variables, state, strict=True):
        np.testing.assert_array_equal(variable, value)
