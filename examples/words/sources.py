# SPDX-License-Identifier: Apache-2.0
"""The text: the entries of two dictionaries that Debian packages, each a document.

The packages are downloaded and unpacked, not installed. A dictionary of the DICT protocol is a gzip
file of entries and an index of lines "headword, offset, length".
"""

import gzip
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PACKAGES = {"dict-gcide": "gcide", "dict-wn": "wn"}
_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

_PRONUNCIATION = re.compile(r"\\[^\\\n]+\\|\([^()]*\[[^()]*\)")  # \Co*ag"u*late\ and (k[-o]k)
_PROVENANCE = re.compile(r"\[[^\[\]]*(?:Webster|PJC|Century Dict)[^\[\]]*\]")
_SYLLABLES = re.compile(r"[*`]|(?<=[a-z])\"(?=[a-z])")  # as in {Co*ag"u*la`ted}
_SENSE = re.compile(r"\n +(?:(?:n|v|adj|adv) )?\d+: ")
_RELATED = re.compile(r"\[(?:syn|ant|also): [^\]]*\]")


class Document(NamedTuple):
    """A piece of text that is trained on or held out as a whole."""

    headword: str  # those of one headword stay together
    text: str


def documents() -> tuple[list[Document], list[str]]:
    """All documents, and the packages they are from as "name_version"."""
    with tempfile.TemporaryDirectory() as folder:
        versions = _download(Path(folder))
        root = Path(folder) / "usr/share/dictd"
        gcide = gcide_documents(*_read(root / "gcide"))
        wordnet = wordnet_documents(*_read(root / "wn"))
        return [*gcide, *wordnet], versions


def _download(folder: Path) -> list[str]:
    """Unpacks the packages into `folder`."""

    def run(*command: str) -> subprocess.CompletedProcess:
        return subprocess.run(command, cwd=folder, capture_output=True, text=True)

    fetch = ("apt-get", "download", *PACKAGES)
    try:
        fetched = run(*fetch)
        if fetched.returncode:  # a fresh container has no package lists yet
            run("apt-get", "update")
            fetched = run(*fetch)
        archives = sorted(folder.glob("*.deb"))
        if fetched.returncode or len(archives) < len(PACKAGES):
            raise OSError(fetched.stderr.strip().rpartition("\n")[2])
        for archive in archives:
            subprocess.run(["dpkg-deb", "-x", archive, folder], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(
            f"tf_candsamp: the text is in the Debian packages {' and '.join(PACKAGES)}, which "
            f"'{' '.join(fetch)}' and 'dpkg-deb -x' could not get here ({error}); this needs "
            "Debian or Ubuntu, a network, and package lists ('apt-get update' as root)."
        ) from None
    return [re.sub(r"_[^_]*\.deb$", "", archive.name) for archive in archives]


def _read(path: Path) -> tuple[str, str]:
    """A dictionary and its index; one character a byte, so that offsets are right."""
    with gzip.open(path.with_suffix(".dict.dz"), "rt", encoding="latin-1", newline="\n") as file:
        return file.read(), path.with_suffix(".index").read_text("utf-8")


def entries(text: str, index: str) -> Iterator[tuple[str, str]]:
    """(headword, entry) in the order of the text, each once; those about the file are left out."""

    def number(digits: str) -> int:
        value = 0
        for digit in digits:
            value = 64 * value + _DIGITS.index(digit)
        return value

    spans = {}
    for line in index.splitlines():
        headword, offset, length = line.split("\t")[:3]
        if not headword.startswith("00-"):
            spans.setdefault((number(offset), number(length)), headword)
    for (offset, length), headword in sorted(spans.items()):
        yield headword, text[offset : offset + length]


def gcide_documents(text: str, index: str) -> Iterator[Document]:
    """An entry is a document. Entries with text from WordNet are left out: it is held out there."""
    for headword, entry in entries(text, index):
        if "WordNet" not in entry:
            entry = _PROVENANCE.sub(" ", _PRONUNCIATION.sub(" ", entry))
            yield Document(headword.lower(), _SYLLABLES.sub("", entry))


def wordnet_documents(text: str, index: str) -> Iterator[Document]:
    """A sense is a document.

    WordNet repeats it under each of its synonyms: the first one is kept, lists of synonyms are not.
    """
    seen = set()
    for headword, entry in entries(text, index):
        for sense in _SENSE.split(entry)[1:]:
            gloss = " ".join(_RELATED.sub(" ", sense).split())
            if gloss not in seen:
                seen.add(gloss)
                yield Document(headword.lower(), f"{headword}: {gloss}")
