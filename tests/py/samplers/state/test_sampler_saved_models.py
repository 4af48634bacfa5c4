# SPDX-License-Identifier: Apache-2.0
"""SavedModels of samplers, and the variables of functions that draw."""

import pytest
import sampler_cases as spc
import tensorflow as tf


class Model(tf.Module):
    def __init__(self):
        super().__init__()
        self.samplers = [spc.sampler(kind, 50, seed=k) for k, kind in enumerate(spc.OBJECTS)]

    @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.int64)])
    def draw(self, labels):
        return [sampler.sample(5, labels) for sampler in self.samplers]

    @tf.function(input_signature=[])
    def counts(self):
        return self.samplers[-1].counts.read_value()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def assign(self, weights):
        self.samplers[2].unigrams.assign(weights)


def draw_model(model, first, steps=3):
    drawn = [model.draw(spc.labels_of(50, step)) for step in range(first, first + steps)]
    return [t.numpy() for t in tf.nest.flatten(drawn)] + [model.counts().numpy()]


def test_saved_model_continues_and_shares_nothing(tmp_path):
    model = Model()
    draw_model(model, 0)
    tf.saved_model.save(model, str(tmp_path))
    loaded = [tf.saved_model.load(str(tmp_path)) for _ in range(2)]
    first = draw_model(loaded[0], 3)
    spc.assert_equal(draw_model(model, 3), first)
    again = draw_model(loaded[0], 6)  # the others did not move it
    spc.assert_equal(draw_model(loaded[1], 3), first)
    spc.assert_equal(draw_model(loaded[1], 6), again)
    spc.assert_equal(draw_model(model, 6), again)


def test_saved_model_of_a_loaded_one(tmp_path):
    model = Model()
    draw_model(model, 0)
    for generation in range(1, 3):
        path = str(tmp_path / str(generation))
        tf.saved_model.save(model, path)
        want = draw_model(model, 3 * generation)
        model = tf.saved_model.load(path)
        spc.assert_equal(draw_model(model, 3 * generation), want)
        model = tf.saved_model.load(path)
        draw_model(model, 3 * generation)


def test_loaded_model_notices_an_assignment(tmp_path):
    tf.saved_model.save(Model(), str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    draw_model(loaded, 0)
    loaded.assign(tf.constant([0.0] * 45 + [1.0] * 5))
    ids = loaded.draw(spc.labels_of(50, 0))[2][0]
    assert sorted(ids.numpy()) == [45, 46, 47, 48, 49]


def test_checkpoint_of_a_loaded_model(tmp_path):
    model = Model()
    tf.saved_model.save(model, str(tmp_path / "model"))
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    draw_model(model, 0)
    path = tf.train.Checkpoint(model).save(tmp_path / "c")
    tf.train.Checkpoint(loaded).restore(path).expect_partial()
    spc.assert_equal(draw_model(loaded, 3), draw_model(model, 3))


def test_saved_model_in_sessions(tmp_path):
    model = Model()
    draw_model(model, 0)

    @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.int64, "labels")])
    def serve(labels):
        return {str(k): t for k, t in enumerate(tf.nest.flatten(model.draw(labels)))}

    tf.saved_model.save(model, str(tmp_path), signatures={"draw": serve})
    want = [draw_model(model, step, steps=1)[:-1] for step in range(3, 6)]
    for _ in range(2):
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(tmp_path))
            signature = loaded.signature_def["draw"]
            outputs = [signature.outputs[str(k)].name for k in range(len(want[0]))]
            for step in range(3):
                feed = {signature.inputs["labels"].name: spc.labels_of(50, step + 3)}
                spc.assert_equal(session.run(outputs, feed), want[step])


@pytest.mark.parametrize("use", ["sample", "sample_ragged", "probability", "update"])
def test_functions_know_their_variables(use):
    """Keras's export, among others, asks a function for them."""
    learned, fixed = (spc.with_variable(kind) for kind in ("learned_unigram", "fixed_unigram"))
    uses = {
        "sample": lambda sampler: sampler.sample(3).sampled_candidates,
        "sample_ragged": lambda sampler: sampler.sample_ragged([3]).candidates.values,
        "probability": lambda sampler: sampler.probability([3]),
        "update": lambda sampler: (sampler.update([3]), tf.zeros([]))[1],
    }
    for sampler, variable in [learned] if use == "update" else [learned, fixed]:
        function = tf.function(lambda s=sampler: uses[use](s)).get_concrete_function()
        assert any(v is variable for v in function.variables)


@pytest.mark.parametrize("kind", spc.OBJECTS)
def test_sampler_made_while_a_function_is_traced(kind):
    """Once, as variables are, and with what variables start with."""
    made = []

    @tf.function
    def step(labels):
        if not made:
            made.append(spc.sampler(kind, 50, seed=1))
        return made[0].sample(5, labels)

    drawn = [step(spc.labels_of(50, 0)) for _ in range(2)]
    same = spc.sampler(kind, 50, seed=1)
    want = [same.sample(5, spc.labels_of(50, 0)) for _ in range(2)]
    spc.assert_equal(tf.nest.flatten(drawn), tf.nest.flatten(want))
    spc.assert_equal(spc.draws(made[0]), spc.draws(same))
