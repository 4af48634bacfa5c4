# SPDX-License-Identifier: Apache-2.0
"""The words example: its text, its corpus, its network and the race of the three losses."""

import itertools
import json

import numpy as np
import processes
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("tqdm")
_EXAMPLE = processes.ROOT / "examples" / "words"

import corpus  # noqa: E402
import network  # noqa: E402
import ngrams  # noqa: E402
import race  # noqa: E402
import sources  # noqa: E402
import tensorflow as tf  # noqa: E402
from corpus import END, WINDOW  # noqa: E402
from network import FULL, OURS, STOCK, WAYS, Network  # noqa: E402
from sources import Document  # noqa: E402


def headwords(held_out, count):
    """Headwords that are all held out, or all not."""
    names = ("".join(letters) for letters in itertools.product("abcdefgh", repeat=5))
    return [next(n for n in names if corpus.is_held_out(n) == held_out) for _ in range(count)]


# The text


def dictionary(*items):
    """The text and the index of a dictionary of (headword, entry)."""

    def digits(n):
        return (digits(n // 64) if n >= 64 else "") + sources._DIGITS[n % 64]

    text, index = "", ""
    for headword, entry in items:
        index += f"{headword}\t{digits(len(text))}\t{digits(len(entry))}\n"
        text += entry + "\n"
    return text, index


def test_entries_are_those_of_the_index():
    items = [("00-database-info", "About.\n" * 20), ("one", "One é\n" * 800), ("two", "Two\n")]
    text, index = dictionary(*items)
    index += index.splitlines()[1].replace("one", "uno") + "\n"  # a second name of the first entry
    assert list(sources.entries(text, index)) == items[1:]


def test_gcide():
    coak = 'Coak \\Co*ak"\\ (k[=o]k), n.\n   A {do*w"el} or "hard" pin. [Obs.]\n   [1913 Webster]\n'
    one = "1 \\1\\ adj.\n   1. used of a single unit.\n\n   Syn: one\n   [WordNet 1.5 +PJC]\n"
    (document,) = sources.gcide_documents(*dictionary(("Coak", coak), ("1", one)))
    assert document.headword == "coak"
    assert corpus.tokenise(document.text) == "coak n a dowel or hard pin obs".split()


def test_wordnet_tells_a_sense_once():
    shared = "keep for\n         later [syn: {hoard},\n         {stash}]\n"
    hoard = f"hoard\n    n 1: a secret store\n    v 1: {shared}    2: get together 3: or more\n"
    stash = f"stash\n    v 1: {shared}"
    found = list(sources.wordnet_documents(*dictionary(("hoard", hoard), ("stash", stash))))
    assert found == [
        ("hoard", "hoard: a secret store"),
        ("hoard", "hoard: keep for later"),
        ("hoard", "hoard: get together 3: or more"),
    ]


@pytest.mark.parametrize("tool", ["nothing", "an apt-get that fails"])
def test_without_apt_get_there_is_one_sentence(tool, tmp_path, monkeypatch):
    if tool != "nothing":
        (tmp_path / "apt-get").write_text("#!/bin/sh\necho E: no network >&2; exit 100\n")
        (tmp_path / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit) as error:
        sources.documents()
    message = str(error.value)
    assert message.startswith("tf_candsamp: ") and message.endswith(".")
    assert "\n" not in message and "dict-gcide and dict-wn" in message
    assert ("E: no network" in message) == (tool != "nothing")


# The corpus


@pytest.mark.parametrize(
    "text, words",
    [
        ("The cat, the CAT's mat.", "the cat the cat's mat"),
        ("well-known -- 'tis x-", "well-known tis x"),
        ("In 1913: 20,000", "in 1913 20 000"),
        ("?!", ""),
    ],
)
def test_tokenise(text, words):
    assert corpus.tokenise(text) == words.split()


def small():
    training, held_out = headwords(False, 3), headwords(True, 2)
    return corpus.build(
        [
            Document(training[0], "b b b a"),
            Document(held_out[0], "z z z z z a"),
            Document(training[1], "?"),
            Document(training[1], "c a b"),
            Document(held_out[1], "b"),
            Document(training[2], "c d b"),
        ],
        ["some_1"],
    )


def test_ids_are_by_descending_training_frequency():
    built = small()
    assert built.words.tolist() == ["b", END, "a", "c", "d", "z"]
    assert built.counts.tolist() == [5, 3, 2, 2, 1, 0]
    assert built.packages.tolist() == ["some_1"]


def test_positions_and_windows():
    """Every word and the end after it is predicted once, from its own document alone."""
    built = small()

    def told(positions):
        return [built.words[window].tolist() for window in built.windows(positions)]

    def wanted(*texts):
        rows = []
        for text in texts:
            words = [*[END] * WINDOW, *text.split(), END]
            rows += [words[i : i + WINDOW + 1] for i in range(len(words) - WINDOW)]
        return rows

    assert told(built.training) == wanted("b b b a", "c a b", "c d b")
    assert told(built.held_out) == wanted("z z z z z a", "b")


def test_a_window_forgets_what_is_far():
    words = [f"{letter}x" for letter in "abcdefghij"]
    built = corpus.build([Document(headwords(False, 1)[0], " ".join(words))])
    last = built.windows(built.training)[-1]
    assert built.words[last].tolist() == [*words[-WINDOW:], END]


def test_split_is_by_headword():
    names = headwords(False, 5) + headwords(True, 5)
    built = corpus.build([Document(n, f"{n} {n} {i}") for i in range(3) for n in names])
    trained, held_out = (
        set(built.words[built.stream[p]]) & set(names) for p in (built.training, built.held_out)
    )
    assert trained == set(names[:5]) and held_out == set(names[5:])
    assert not set(built.training) & set(built.held_out)


def test_one_headword_in_twenty_is_held_out():
    share = np.mean([corpus.is_held_out(f"word {i}") for i in range(20_000)])
    assert 0.04 < share < 0.06


def test_batches():
    built = small()
    batches = built.batches(4, 6, seed=3)
    assert batches.shape == (6, 4)
    first, second = batches.ravel()[:13], batches.ravel()[13:]
    assert sorted(first) == built.training.tolist()  # 13 positions: an epoch
    assert len(set(second)) == len(second) == 11
    assert np.array_equal(batches, built.batches(4, 6, seed=3))
    assert not np.array_equal(batches, built.batches(4, 6, seed=4))
    assert np.array_equal(batches[:2], built.batches(4, 2, seed=3))


def test_held_out_sample():
    built = small()
    assert built.held_out_sample(100).tolist() == built.held_out.tolist()
    some = built.held_out_sample(5)
    assert len(set(some)) == 5 and set(some) < set(built.held_out)
    assert np.array_equal(some, built.held_out_sample(5))


def test_cache(tmp_path, monkeypatch):
    documents = [Document(name, "a b c a") for name in headwords(False, 3)]
    monkeypatch.setattr(sources, "documents", lambda: (documents, ["some_1"]))
    first, path, cached = corpus.load(tmp_path)
    assert not cached and [*tmp_path.iterdir()] == [path]
    monkeypatch.delattr(sources, "documents")  # a second load asks for no text
    second, _, cached = corpus.load(tmp_path)
    assert cached
    for name, value in vars(first).items():
        assert np.array_equal(value, vars(second)[name]), name


# The simple models


def test_unigram():
    built = small()
    np.testing.assert_allclose(ngrams.unigram(built), np.array([6, 4, 3, 3, 2, 1]) / 19)
    nll = ngrams.unigram_nll(built, built.held_out[:1])
    np.testing.assert_allclose(nll, -np.log(1 / 19))


def test_bigram():
    built = small()
    classes = range(len(built.words))
    unigram = ngrams.unigram(built)
    # A stream of every pair: what is predicted at 2 i + 1 is (before, after) = (i // 6, i % 6).
    pairs = np.array([(v, w) for v in classes for w in classes], np.int32).ravel()
    asked = corpus.Corpus(**vars(built) | {"stream": np.concatenate([built.stream, pairs])})
    positions = len(built.stream) + 1 + 2 * np.arange(36)
    p = np.exp(-ngrams.bigram_nll(asked, built.training, positions)).reshape(6, 6)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_allclose(p[5], unigram)  # nothing was seen after z
    # After b came b twice, a once, the end twice.
    b = (np.array([2, 2, 1, 0, 0, 0]) - 0.75).clip(0) / 5 + 0.75 * 3 / 5 * unigram
    np.testing.assert_allclose(p[0], b)


def test_perplexity():
    assert ngrams.perplexity(np.log([2.0, 8.0])) == pytest.approx(4)


# The network


@pytest.fixture(scope="module")
def toy():
    """Documents in which the word before tells the next one, nearly; over 60 words."""
    rng = np.random.default_rng(0)
    names, documents = [a + b for a in "abcdefghij" for b in "klmnop"], []
    for i in range(1200):
        word, text = rng.integers(60), []
        for _ in range(8):
            text.append(names[word])
            word = (7 * word + (rng.random() < 0.2)) % 60
        documents.append(Document(f"h{i}", " ".join(text)))
    return corpus.build(documents)


def started(built, way, seed=1, num_sampled=20, batch=16):
    """A network that has made the first step with a batch of that size.

    TensorFlow's sampler starts its stream anew where it meets batches of another size.
    """
    log_frequency = np.log(ngrams.unigram(built)).astype(np.float32)
    made = Network(way, log_frequency, num_sampled, seed)
    made.start(built.windows(built.batches(batch, 1, seed)[0]))
    return made


def tables_of(made):
    """Embeddings, kernel, offset, weights and biases."""
    return made.model.trainable_variables


@pytest.mark.parametrize("way", WAYS)
def test_nll_is_that_of_the_softmax_over_all_classes(toy, way):
    made = started(toy, way)
    rng = np.random.default_rng(1)
    tables = [rng.normal(size=t.shape, scale=0.15).astype(np.float32) for t in tables_of(made)]
    for table, value in zip(tables_of(made), tables, strict=True):
        table.assign(value)
    windows = toy.windows(toy.held_out[:30])
    embeddings, kernel, offset, weights, biases = tables
    rows = embeddings[windows[:, :WINDOW]].reshape(30, -1)
    logits = np.tanh(rows @ kernel + offset) @ weights.T + biases
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    wanted = -np.log(p[np.arange(30), windows[:, WINDOW]])
    np.testing.assert_allclose(made.nll(windows), wanted, rtol=1e-4)


@pytest.mark.parametrize("way", WAYS)
def test_training_starts_at_the_unigram_and_is_the_same_for_all_ways(toy, way):
    made = started(toy, way)
    windows = toy.windows(toy.held_out)
    np.testing.assert_allclose(made.nll(windows), ngrams.unigram_nll(toy, toy.held_out), rtol=1e-5)
    assert (made.steps, made.seconds) == (0, 0)
    for other, is_same in ((started(toy, FULL), True), (started(toy, way, seed=2), False)):
        assert np.array_equal(tables_of(made)[0], tables_of(other)[0]) == is_same


@pytest.mark.parametrize("way", WAYS)
def test_a_step_sums_what_comes_twice(toy, way):
    """One step is dense Adagrad's, though the gradient of a table is rows, some of them twice."""
    made, same = started(toy, way), started(toy, way)  # the second draws the first one's candidates
    windows = np.repeat(toy.windows(toy.training[:8]), 4, axis=0)
    with tf.GradientTape() as tape:
        same.model(windows, training=True)
        loss = tf.add_n(same.model.losses)
    gradients = tape.gradient(loss, [network.tf_variable(table) for table in tables_of(same)])
    assert isinstance(gradients[0], tf.IndexedSlices)
    before = [table.numpy() for table in tables_of(made)]
    seconds = made.train(windows[None])
    assert made.seconds == seconds > 0 and made.steps == 1
    for table, old, gradient in zip(tables_of(made), before, gradients, strict=True):
        g = tf.convert_to_tensor(gradient).numpy()
        wanted = old - network.LEARNING_RATE * g / np.sqrt(network.FIRST_SUM + g * g)
        np.testing.assert_allclose(table.numpy(), wanted, atol=1e-5)


@pytest.mark.parametrize("way", WAYS)
def test_learns(toy, way):
    made = started(toy, way)
    made.train(np.stack([toy.windows(b) for b in toy.batches(64, 200, 1)]))
    learned = ngrams.perplexity(made.nll(toy.windows(toy.held_out)))
    assert (
        learned < 12
    )  # the unigram has about 60; ends are sure, and 7 words more from a 1-in-60 start
    assert made.loss_seconds(toy.windows(toy.batches(64, 3, 1))) > 0


def test_with_one_seed_the_sampled_ways_draw_the_same_candidates(toy):
    """Then a step is the same but for rounding; with another seed it is not."""
    batches = toy.windows(toy.batches(64, 5, 1))
    stock, ours = (started(toy, way, batch=64) for way in (STOCK, OURS))
    other = started(toy, OURS, seed=2, batch=64)
    for mine, theirs in zip(tables_of(other), tables_of(stock), strict=True):
        mine.assign(theirs)
    for contestant in (stock, ours, other):
        contestant.train(batches)
    biases = [tables_of(n)[-1].numpy() for n in (stock, ours, other)]
    difference = [np.abs(biases[0] - b).max() for b in biases[1:]]
    assert difference[0] < 1e-4 < 0.01 < difference[1]


# The race


class Recorder:
    """Stands in for a network: keeps the batches; its steps take `COST` seconds."""

    COST = {STOCK: 1.0, OURS: 0.5, FULL: 30.0}
    made = []

    def __init__(self, way, log_frequency, num_sampled, seed):
        self.way, self.seed, self.batches, self.seconds, self.steps = way, seed, [], 0.0, 0
        self.evaluated = []
        Recorder.made.append(self)

    def start(self, batch):
        self.first = batch

    def train(self, batches):
        self.batches += list(batches)
        self.steps += len(batches)
        self.seconds += self.COST[self.way] * len(batches)

    def nll(self, windows):
        self.evaluated.append(windows)
        return np.full(len(windows), np.log(100 - self.steps))

    def loss_seconds(self, batches):
        return 0.25


def test_all_ways_get_the_same_batches_in_the_same_order(toy, monkeypatch):
    monkeypatch.setattr(race, "Network", Recorder)
    monkeypatch.setattr(race, "TURN", 10)
    Recorder.made = made = []
    setting = race.Setting(seeds=(3, 4), steps=65, batch=8, num_sampled=5, points=3, held_out=50)
    runs = list(race.race(toy, setting))
    assert [(n.way, n.seed) for n in made] == [(r.way, r.seed) for r in runs]
    assert [(r.way, r.seed) for r in runs] == [
        (STOCK, 3),
        (OURS, 3),
        (FULL, 3),
        (STOCK, 4),
        (OURS, 4),
    ]
    for contestant in made:
        wanted = toy.windows(toy.batches(8, 65, contestant.seed))
        steps = 3 if contestant.way == FULL else 65  # 65 seconds of tf.nn's, 30 a step: 3
        assert contestant.steps == steps
        assert np.array_equal(contestant.batches, wanted[:steps])
        for windows in contestant.evaluated:
            assert np.array_equal(windows, toy.windows(toy.held_out_sample(50)))
    assert not np.array_equal(made[0].batches, made[3].batches)
    stock, ours, full = runs[:3]
    assert stock.steps == ours.steps == [0, 22, 43, 65]
    assert ours.seconds == [0, 11, 21.5, 32.5]
    assert full.steps == [0, 1, 2, 3] and full.seconds == [0, 30, 60, 90]
    np.testing.assert_allclose(stock.perplexity, [100, 78, 57, 35])


def test_main(toy, tmp_path):
    """From a small corpus in the cache to the report."""
    corpus.save(toy, corpus.file_in(tmp_path / "cache"))
    arguments = ["--seeds", "5", "6", "--steps", "120", "--batch", "64", "--sampled", "20"]
    arguments += ["--held-out", "300", "--cache", tmp_path / "cache", "--out", tmp_path / "out"]
    output = processes.run(_EXAMPLE / "main.py", *arguments, cwd=tmp_path)
    found = json.loads((tmp_path / "out/report.json").read_text())
    assert (tmp_path / "out/report.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "out/report.txt").read_text() == output
    assert [(r["way"], r["seed"]) for r in found["runs"]] == [
        (STOCK, 5), (OURS, 5), (FULL, 5), (STOCK, 6), (OURS, 6)
    ]  # fmt: skip
    assert found["about"]["classes"] == len(toy.words)
    ways, baselines = found["ways"], found["baselines"]
    assert ways[STOCK]["steps"] == ways[OURS]["steps"] == 120
    for way in (STOCK, OURS):
        assert ways[way]["perplexity"] < 0.5 * baselines["unigram"]
        assert ways[way]["seeds"] == [5, 6]
    assert ways[OURS]["perplexity"] == pytest.approx(ways[STOCK]["perplexity"], rel=0.1)
    assert f"{ways[OURS]['perplexity']:.1f}" in output
