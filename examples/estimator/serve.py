# SPDX-License-Identifier: Apache-2.0
"""Serves an exported language model with TensorFlow alone: says which words may come next.

python examples/estimator/serve.py EXPORTED "some words" ...
"""

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf


def main() -> None:
    folder, *texts = sys.argv[1:]
    words = Path(folder, "assets", "vocabulary.txt").read_text("utf-8").splitlines()
    next_words = tf.saved_model.load(folder).signatures["serving_default"]
    window = next_words.structured_input_signature[1]["context"].shape[1]
    # The vocabulary's first line stands for what is before the first word of a text.
    contexts = [([words[0]] * window + text.lower().split())[-window:] for text in texts]
    found = next_words(context=tf.constant(contexts))
    assert "tf_candsamp" not in sys.modules
    for text, ids, probabilities in zip(
        texts, found["words"].numpy(), found["probabilities"].numpy().tolist(), strict=True
    ):
        print(json.dumps({"text": text, "next": [words[i] for i in ids], "p": probabilities}))


if __name__ == "__main__":
    main()
