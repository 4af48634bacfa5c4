# SPDX-License-Identifier: Apache-2.0
"""The corpus: word forms as ids by descending frequency, the split, the batches, the cache.

All documents lie in one stream of ids. Each is preceded by WINDOW ends, so that the window before
any of its words looks at nothing but the document itself:

    END ... END the first document END ... END the second one END ... END

What is predicted is each word and the END after the last one.
"""

import hashlib
import os
import re
import tempfile
import zlib
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sources
from sources import Document

WINDOW = 6  # words that a prediction looks at
END = "</s>"
_WORD = re.compile(r"[a-z]+(?:['-][a-z]+)*|[0-9]+")


@dataclass(frozen=True)
class Corpus:
    """A stream of ids, and which of its positions are to be predicted."""

    words: np.ndarray  # str [V]: the most frequent one first
    counts: np.ndarray  # int64 [V]: how often each is predicted in the training documents
    stream: np.ndarray  # int32 [N]
    training: np.ndarray  # int32: positions in the training documents, in their order
    held_out: np.ndarray  # int32: positions in the held-out documents
    packages: np.ndarray  # str: where the text is from

    def windows(self, positions: np.ndarray) -> np.ndarray:
        """int32 [..., WINDOW + 1]: the words before each position and its own."""
        return self.stream[positions[..., None] + np.arange(-WINDOW, 1, dtype=np.int32)]

    def batches(self, size: int, steps: int, seed: int) -> np.ndarray:
        """int32 [steps, size]: training positions, each once before any comes again."""
        rng = np.random.default_rng(seed)
        epochs = -(-steps * size // len(self.training))
        order = np.concatenate([rng.permutation(self.training) for _ in range(epochs)])
        return order[: steps * size].reshape(steps, size)

    def held_out_sample(self, size: int) -> np.ndarray:
        """Held-out positions drawn at random, the same each time; all where there are fewer."""
        return np.sort(np.random.default_rng(0).permutation(self.held_out)[:size])


def tokenise(text: str) -> list[str]:
    """Words in lower case, compounds and contractions as one, and numbers."""
    return _WORD.findall(text.lower())


def is_held_out(headword: str) -> bool:
    """Whether the documents of a headword are held out: one headword in twenty, whole."""
    return zlib.crc32(headword.encode()) % 20 == 0


def build(documents: Iterable[Document], packages: Iterable[str] = ()) -> Corpus:
    """The corpus of some documents."""
    first_seen = {END: 0}
    stream = array("i")
    starts, held_out = [], []
    for document in documents:
        if words := tokenise(document.text):
            stream.extend([0] * WINDOW)
            starts.append(len(stream))
            held_out.append(is_held_out(document.headword))
            stream.extend([first_seen.setdefault(word, len(first_seen)) for word in words])
    starts = np.array([*starts, len(stream) + WINDOW])
    stream = np.concatenate([np.array(stream, np.int32), np.zeros(WINDOW, np.int32)])

    document_of = np.repeat(np.arange(len(starts)), np.diff(starts, prepend=0)) - 1
    in_document = np.arange(len(stream)) - starts[document_of]
    length = np.diff(starts, append=0)[document_of] - WINDOW
    predicted = (document_of >= 0) & (in_document <= length)  # the first END after it, too
    test = np.array([*held_out, False])[document_of]
    training = np.flatnonzero(predicted & ~test).astype(np.int32)

    counts = np.bincount(stream[training], minlength=len(first_seen))
    order = np.argsort(-counts, kind="stable")
    new_id = np.empty_like(order)
    new_id[order] = np.arange(len(order))
    return Corpus(
        words=np.array(list(first_seen))[order],
        counts=counts[order],
        stream=new_id[stream].astype(np.int32),
        training=training,
        held_out=np.flatnonzero(predicted & test).astype(np.int32),
        packages=np.array(list(packages), str),
    )


def load(cache: Path) -> tuple[Corpus, Path, bool]:
    """The corpus, its file in the cache folder, and whether it was there already."""
    path = file_in(cache)
    if path.exists():
        with np.load(path) as arrays:
            return Corpus(**arrays), path, True
    corpus = build(*sources.documents())
    save(corpus, path)
    return corpus, path, False


def save(corpus: Corpus, path: Path) -> None:
    """Writes the file that `load` reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        np.savez(file, **vars(corpus))
    os.replace(file.name, path)  # a reader sees all of it or nothing


def default_cache() -> Path:
    """Where the corpus is kept unless told otherwise."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "tf_candsamp" / "words"


def file_in(cache: Path) -> Path:
    """The file of the corpus; its name changes with whatever decides what is in it."""
    digest = hashlib.sha256()
    for module in (sources.__file__, __file__):
        digest.update(Path(module).read_bytes())
    return cache / f"corpus-{digest.hexdigest()[:12]}.npz"
