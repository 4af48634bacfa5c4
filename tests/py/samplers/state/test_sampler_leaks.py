# SPDX-License-Identifier: Apache-2.0
"""Samplers leak nothing: resident memory stays where it was."""

import gc
import os
import pathlib
import weakref

import numpy as np
import pytest
import sampler_cases as spc
import tensorflow as tf
from calls import MODES

import tf_candsamp as tfcs


def resident_bytes():
    gc.collect()
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def growth(function, times, warm_up):
    for _ in range(warm_up):
        function()
    before = resident_bytes()
    for _ in range(times):
        function()
    return resident_bytes() - before


@pytest.mark.parametrize("global_seed", [None, 1])
@pytest.mark.parametrize("mode", MODES)
def test_calls_leak_nothing(mode, global_seed):
    tf.random.set_seed(global_seed)
    samplers = [spc.sampler(kind, 1000, seed=1) for kind in spc.OBJECTS]

    def call():
        for sampler in samplers:
            sampler.sample(20, [[1], [2]])
            sampler.sample_ragged([5, 5], [1, 2], exclude_true=True)
            sampler.probability([3])
        samplers[-1].update([1, 2])
        tfcs.learned_unigram_candidate_sampler([[1]], 1, 5, True, 1000, name="leak")

    # A kilobyte for each of 14 ops would be 8 MB.
    assert growth(MODES[mode](call), times=600, warm_up=150) < 5e6


def test_dropped_samplers_are_freed():
    weights = np.ones(200_000, np.float32)

    def use():
        learned, fixed = tfcs.LearnedUnigramSampler(200_000), tfcs.FixedUnigramSampler(weights)
        for sampler in (learned, fixed):
            sampler.sample(5, [[1]])
            tf.function(lambda s=sampler: s.sample(5, [[1]]))()
        del learned, fixed, sampler
        gc.collect()  # functions are cycles

    gc.collect()
    gc.freeze()  # what other tests have left is not to be looked at each time
    try:
        # Each time variables and tables of some 8 MB.
        assert growth(use, times=30, warm_up=5) < 60e6
    finally:
        gc.unfreeze()


def test_counting_while_counts_are_read_keeps_no_copies():
    sampler = tfcs.LearnedUnigramSampler(500_000)
    held = []

    def use():
        held[:] = [sampler.counts.read_value()]
        sampler.update([1])

    assert growth(use, times=100, warm_up=20) < 40e6  # of 400 MB in 4 MB copies


def test_functional_sampler_lets_go_of_its_graph():
    graph = tf.Graph()
    with graph.as_default():
        tfcs.learned_unigram_candidate_sampler([[1]], 1, 5, True, 1000)
    alive = weakref.ref(graph)
    del graph
    gc.collect()
    assert alive() is None
