# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: a restored sampler continues where the saved one was."""

import signal

import numpy as np
import processes
import pytest
import sampler_cases as spc
import sampler_training
import tensorflow as tf

RANGES = [1, 50, 1000, 100_000]


def assert_continues(sampler, path, want):
    """Restored from a checkpoint after three steps, the sampler draws what is wanted."""
    tf.train.Checkpoint(sampler=sampler).restore(path).assert_consumed()
    spc.assert_equal(spc.draws(sampler, first=3), want)


@pytest.mark.parametrize("unique", [False, True])
@pytest.mark.parametrize("classes", RANGES)
@pytest.mark.parametrize("kind", spc.OBJECTS)
def test_restored_sampler_continues(kind, classes, unique, tmp_path):
    sampler, other = spc.pair(kind, classes, unique=unique)
    spc.draws(sampler)
    path = tf.train.Checkpoint(sampler=sampler).save(tmp_path / "c")
    want = spc.draws(sampler, first=3)
    assert_continues(other, path, want)


@pytest.mark.parametrize("kind", spc.OBJECTS)
def test_restore_into_a_sampler_that_was_used_since(kind, tmp_path):
    sampler, other = spc.pair(kind, 50)
    spc.draws(sampler)
    checkpoint = tf.train.Checkpoint(sampler=sampler)
    path = checkpoint.save(tmp_path / "c")
    want = spc.draws(sampler, first=3)
    for _ in range(2):
        spc.draws(sampler, steps=10)
        checkpoint.restore(path).assert_consumed()
        spc.assert_equal(spc.draws(sampler, first=3), want)
    spc.draws(other, steps=10)
    assert_continues(other, path, want)


@pytest.mark.parametrize("kind", spc.OBJECTS)
def test_restore_before_the_sampler_is_attached(kind, tmp_path):
    sampler, other = spc.pair(kind, 50)
    spc.draws(sampler)
    path = tf.train.Checkpoint(model=tf.train.Checkpoint(sampler=sampler)).save(tmp_path / "c")
    model = tf.Module()
    status = tf.train.Checkpoint(model=model).restore(path)
    spc.draws(other)
    model.sampler = other
    status.assert_consumed()
    spc.assert_equal(spc.draws(model.sampler, first=3), spc.draws(sampler, first=3))


@pytest.mark.parametrize("kind", spc.OBJECTS)
def test_checkpoint_manager(kind, tmp_path):
    sampler, other = spc.pair(kind, 50)
    manager = tf.train.CheckpointManager(tf.train.Checkpoint(s=sampler), tmp_path, max_to_keep=2)
    drawn = []
    for step in range(4):
        manager.save()
        drawn.append(spc.draws(sampler, steps=1, first=step))
    restored = tf.train.Checkpoint(s=other)
    manager = tf.train.CheckpointManager(restored, tmp_path, max_to_keep=2)
    manager.restore_or_initialize()
    spc.assert_equal(spc.draws(other, steps=1, first=3), drawn[3])
    restored.restore(manager.checkpoints[0])
    spc.assert_equal(spc.draws(other, steps=1, first=2), drawn[2])


def test_asynchronous_checkpoint(tmp_path):
    sampler, other = spc.pair("learned_unigram", 50)
    spc.draws(sampler)
    options = tf.train.CheckpointOptions(experimental_enable_async_checkpoint=True)
    checkpoint = tf.train.Checkpoint(sampler=sampler)
    path = checkpoint.save(tmp_path / "c", options=options)
    want = spc.draws(sampler, first=3)  # while it is being written
    checkpoint.sync()
    assert_continues(other, path, want)


@pytest.mark.parametrize("deferred", [False, True])
@pytest.mark.parametrize(
    ("kind", "classes"), [("uniform", 50), ("fixed_unigram", 50), ("learned_unigram", 51)]
)
def test_checkpoint_of_another_sampler_is_refused(kind, classes, deferred, tmp_path):
    saved, _ = spc.pair("learned_unigram", 50)
    spc.draws(saved)
    path = tf.train.Checkpoint(sampler=saved).save(tmp_path / "c")
    sampler, same = (spc.sampler(kind, classes, seed=3) for _ in range(2))
    checkpoint = tf.train.Checkpoint()
    if not deferred:
        checkpoint.sampler = sampler
    with pytest.raises(ValueError, match="learned-unigram sampler of range 50, which cannot"):
        checkpoint.restore(path)
        checkpoint.sampler = sampler
    spc.assert_equal(spc.draws(sampler), spc.draws(same))


def test_killed_training_continues(tmp_path):
    """A process is killed in the middle of a step; another one goes on from the checkpoint."""
    training = sampler_training.Training(tmp_path)
    training.manager.save()  # so that the other process starts with the same random states
    process = processes.start("sampler_training.py", tmp_path, "")
    try:
        drawn = [training.step() for _ in range(sampler_training.STEPS)]
        assert process.stdout.readline() == "saved\n"
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    result = tmp_path / "result.npz"
    processes.run("sampler_training.py", tmp_path, result)
    want = [a for step in drawn[sampler_training.KILLED_AFTER :] for a in step]
    with np.load(result) as arrays:
        got = list(arrays.values())
    spc.assert_equal(got[: len(want)], want)
    # A GPU adds the updates of a row in any order.
    on_gpu = "GPU" in training.models[0].weights.device
    for a, b in zip(got[len(want) :], training.state(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4 if on_gpu else 0)
