# SPDX-License-Identifier: Apache-2.0
"""Samplers in TensorFlow 1's graphs and sessions."""

import numpy as np
import pytest
import sampler_cases as spc
import tensorflow as tf

import tf_candsamp as tfcs


class Graph:
    """All samplers in a graph of TensorFlow 1."""

    def __init__(self, seed, vocabulary=None):
        self.graph = tf.Graph()
        with self.graph.as_default():
            samplers = [spc.sampler(kind, 50, seed=seed + k) for k, kind in enumerate(spc.OBJECTS)]
            if vocabulary:
                samplers.append(tfcs.FixedUnigramSampler(vocabulary, seed=seed))
            self.labels = tf.compat.v1.placeholder(tf.int64, [None, 1])
            # After one another: the order of two uses of a sampler in a run is not given.
            self.draw = [sampler.sample(5, self.labels) for sampler in samplers]
            self.counts = samplers[3].counts.read_value()
            self.update = samplers[3].update(self.labels)
            self.probability = samplers[-1].probability(range(samplers[-1].range_max))
            self.assign = samplers[2].unigrams.assign([0.0] * 45 + [1.0] * 5)
            self.saver = tf.compat.v1.train.Saver()
            self.init = tf.compat.v1.global_variables_initializer()

    def session(self):
        session = tf.compat.v1.Session(graph=self.graph)
        session.run(self.init)
        return session

    def run(self, session, first, steps=3):
        drawn = [
            session.run(self.draw, {self.labels: spc.labels_of(50, step)})
            for step in range(first, first + steps)
        ]
        return tf.nest.flatten(drawn) + [session.run(self.counts)]


def test_saver_in_another_session(tmp_path):
    graph = Graph(seed=1)
    with graph.session() as session:
        graph.run(session, 0)
        path = graph.saver.save(session, str(tmp_path / "c"))
        want = graph.run(session, 3)
        graph.saver.restore(session, path)  # into the session that is in use
        spc.assert_equal(graph.run(session, 3), want)
    for other in (graph, Graph(seed=10)):
        with other.session() as session:
            graph.run(session, 0, steps=1) if other is graph else None
            other.saver.restore(session, path)
            spc.assert_equal(other.run(session, 3), want)


def test_sessions_share_nothing():
    graph = Graph(seed=1)
    with graph.session() as first, graph.session() as second:
        want = graph.run(first, 0, steps=4)
        spc.assert_equal(graph.run(second, 0, steps=4), want)
        first.run(graph.assign)
        more = graph.run(second, 4)
        assert not np.array_equal(graph.run(first, 4)[6], more[6])


def test_counts_accumulate_over_session_runs():
    graph = Graph(seed=1)
    with graph.session() as session:
        for step in range(5):
            np.testing.assert_array_equal(session.run(graph.counts)[:3], [step] * 3)
            session.run(graph.update, {graph.labels: [[0], [1], [2]]})
        session.run(graph.init)
        assert not session.run(graph.counts).any()
        *_, counts = graph.run(session, 0, steps=1)
        np.testing.assert_array_equal(counts, np.bincount(spc.labels_of(50, 0)[:, 0], minlength=50))


def test_assignment_in_a_session_is_noticed():
    graph = Graph(seed=1)
    with graph.session() as session:
        graph.run(session, 0)
        session.run(graph.assign)
        ids = session.run(graph.draw, {graph.labels: [[0]]})[2].sampled_candidates
        assert sorted(ids) == [45, 46, 47, 48, 49]


def test_vocabulary_file_in_a_graph(tmp_path):
    path = tmp_path / "vocabulary.txt"
    path.write_text("a,1\nb,2\n\nc,5\nd,0\ne,2\nf,1\n")
    graph = Graph(seed=1, vocabulary=str(path))
    path.unlink()
    with graph.session() as session:
        probability = session.run(graph.probability)
        np.testing.assert_allclose(probability, np.array([1, 2, 5, 0, 2, 1]) / 11, rtol=1e-6)
        ids = session.run(graph.draw, {graph.labels: [[3]]})[-1].sampled_candidates
        assert sorted(ids) == [0, 1, 2, 4, 5]


def test_uninitialized_variables_are_reported():
    graph = Graph(seed=1)
    with tf.compat.v1.Session(graph=graph.graph) as session:
        for unusable in (graph.probability, graph.update):
            with pytest.raises(tf.errors.FailedPreconditionError, match="not initialized"):
                session.run(unusable, {graph.labels: [[0]]})
        session.run(graph.init)
        session.run(graph.draw, {graph.labels: [[0]]})
