# SPDX-License-Identifier: Apache-2.0
"""Trains the model of examples/estimator: estimator_training.py CACHE MODEL_DIR STEPS [KILLED_AT].

With KILLED_AT the process ends as a machine does that is switched off, before that step. Prints all
variables of the last checkpoint, hashed.
"""

import hashlib
import json
import os
import pathlib
import signal
import sys

import corpus
import language_model
import tensorflow as tf


class Killed(tf.estimator.SessionRunHook):
    def __init__(self, step):
        self.step = step

    def before_run(self, run_context):
        return tf.estimator.SessionRunArgs(tf.compat.v1.train.get_global_step())

    def after_run(self, run_context, run_values):
        if run_values.results >= self.step:
            os.kill(os.getpid(), signal.SIGKILL)


def main():
    cache, model_dir, steps, *killed_at = sys.argv[1:]
    text, _, cached = corpus.load(pathlib.Path(cache))
    assert cached
    setting = language_model.Setting(text, num_sampled=20, seed=5)
    estimator = language_model.estimator(setting, pathlib.Path(model_dir), save_every=10)
    batches = language_model.training_input(setting, 32, int(steps), pathlib.Path(model_dir))
    estimator.train(batches, max_steps=int(steps), hooks=[Killed(int(k)) for k in killed_at])
    values = {name: estimator.get_variable_value(name) for name in estimator.get_variable_names()}
    print(
        json.dumps(
            {
                "sha": {n: hashlib.sha256(v.tobytes()).hexdigest() for n, v in values.items()},
                "counted": int(values["sampler/counts"].sum()),
                "step": int(values["global_step"]),
            }
        )
    )


if __name__ == "__main__":
    main()
