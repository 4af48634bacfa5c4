# SPDX-License-Identifier: Apache-2.0
"""`tf.random.set_seed` starts every functional sampler anew: same program, same candidates."""

import numpy as np
import pytest
import sampler_cases as spc
import tensorflow as tf

import tf_candsamp as tfcs

CLASSES = 5000
LABELS = np.arange(12).reshape(6, 2)


def sampler(kind, name, **options):
    """A functional sampler; the learned one of a name of its own, whose counts start at zero."""
    if kind == "fixed_unigram":
        options["unigrams"] = (1 / np.arange(1.0, CLASSES + 1)).tolist()
    if kind == "learned_unigram":
        options["name"] = name
    function = getattr(tfcs, f"{kind}_candidate_sampler")
    return lambda size=20: function(LABELS, 2, size, True, CLASSES, **options).sampled_candidates


def program(kind, name):
    """Eager calls with an op seed and without, and a function's, in turns."""
    seeded, unseeded = sampler(kind, name, seed=5), sampler(kind, f"{name}.b")
    compiled = tf.function(sampler(kind, f"{name}.c"), autograph=False)
    drawn = []
    for size in (20, 7, 20):
        drawn += [seeded(size), unseeded(size), compiled()]
    return [candidates.numpy().tolist() for candidates in drawn]


@pytest.mark.parametrize("kind", spc.OBJECTS)
def test_same_seed_same_program_same_candidates(kind):
    runs = []
    for run in range(3):
        tf.random.set_seed(1 + (run == 2))
        runs.append(program(kind, f"same_seed_{run}"))
    first, again, other = runs
    assert again == first
    assert all(a != b for a, b in zip(other, first, strict=True))
    # Within a run nothing is drawn twice.
    assert len({tuple(candidates) for candidates in first}) == len(first)


def test_learned_counts_survive():
    """The stream starts anew, not the counts: frequent classes stay frequent."""
    draw = sampler("learned_unigram", "counts_survive", seed=1)
    tf.random.set_seed(1)
    first = draw(2000)
    for _ in range(2000):
        draw(1)
    tf.random.set_seed(1)
    again = draw(2000)
    true = LABELS.ravel()
    assert np.isin(true, again).all()
    assert not np.isin(true, first).all()


def test_learned_samplers_of_other_names_have_the_stream_of_their_seed():
    tf.random.set_seed(1)
    first = sampler("learned_unigram", "one_name", seed=3)().numpy()
    tf.random.set_seed(1)
    other = sampler("learned_unigram", "another_name", seed=3)().numpy()
    np.testing.assert_array_equal(first, other)


def test_without_any_seed_runs_differ():
    tf.random.set_seed(None)
    draws = [sampler("learned_unigram", f"no_seed_{k}")(10).numpy().tolist() for k in range(3)]
    assert draws[0] != draws[1] != draws[2]


@pytest.mark.parametrize("kind", spc.OBJECTS)
def test_sessions_start_anew(kind):
    drawn = []
    with tf.Graph().as_default():
        candidates = sampler(kind, "sessions", seed=4)()
        for _ in range(2):
            with tf.compat.v1.Session() as session:
                session.run(tf.compat.v1.global_variables_initializer())
                drawn.append(session.run([candidates])[0].tolist())
    assert drawn[0] == drawn[1]
