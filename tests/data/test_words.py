import sys
import unicodedata

import numpy as np
import pytest
from transformers import AutoTokenizer

from sktransformers.data.inputs import as_token_lists
from sktransformers.data.splitting import split_words
from sktransformers.data.words import TokenLists, tokenise_words
from sktransformers.pretrained import load_tokenizer

ODD = ["", " ", "\u200b", "\x00\x01", "\u00ad", "x" * 5000, "👩‍👩‍👧", "e\u0301", "北京", "שלום"]
ODD += ["\ufffd", "[MASK]"]


@pytest.fixture(params=["tiny_bert", "tiny_roberta"])
def tokenizer(request):
    return load_tokenizer(request.getfixturevalue(request.param))


def words_of(examples, tokenizer):
    """Each row's words, decoded from where the record says that they stand."""
    words = examples.words
    found = [
        tokenizer.decode(examples.ids[start:stop]).strip()
        for start, stop in zip(words.starts, words.stops)
    ]
    return [found[a:b] for a, b in zip(words.offsets, words.offsets[1:])]


def test_ids_are_transformers_own(tiny_bert, tiny_roberta):
    rows = [["red", "cat", "catdog"], ["pink"], ["a", "horse"]]
    for folder in (tiny_bert, tiny_roberta):
        tokenizer = load_tokenizer(folder)
        theirs = AutoTokenizer.from_pretrained(folder, add_prefix_space=True)
        examples, cut = tokenise_words(tokenizer, TokenLists(rows), 66)
        assert cut.sum() == 0
        for row, words in enumerate(rows):
            encoded = theirs(words, is_split_into_words=True)
            assert examples[row].tolist() == encoded["input_ids"]
            starts = examples.words.starts[examples.words.offsets[row] :][: len(words)]
            places = (starts - examples.offsets[row]).tolist()
            assert places == [encoded.word_ids().index(word) for word in range(len(words))]


@pytest.mark.parametrize("stride", [None, 0, 3])
def test_long_rows_lose_no_word(tokenizer, stride):
    rng = np.random.RandomState(0)
    names = ["cat", "dog", "catdoghorse", "red", "hen", "cowsheep"]
    rows = [rng.choice(names, n).tolist() for n in (0, 1, 5, 700, 30, 0, 90)]
    examples, cut = tokenise_words(tokenizer, TokenLists(rows), 24, stride)
    assert cut.sum() == 0
    assert examples.lengths.max() <= 24
    assert words_of(examples, tokenizer) == rows
    assert examples.n_rows == len(rows)
    # Every word is decided by one example, and each of them by the one that it lies in.
    words, which, positions = examples.words_in(range(len(examples)))
    assert words.tolist() == list(range(sum(map(len, rows))))
    row_of_word = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    assert (examples.rows[which] == row_of_word).all()
    assert (examples.offsets[which] + positions == examples.words.starts).all()


def test_a_word_is_decided_where_it_has_most_context(tiny_bert):
    tokenizer = load_tokenizer(tiny_bert)
    row = ["cat"] * 100
    room, stride = 16, 6
    examples, _ = tokenise_words(tokenizer, TokenLists([row]), room + 2, stride)
    words, which, positions = examples.words_in(range(len(examples)))
    windows = [(i * (room - stride), i * (room - stride) + room) for i in range(9)]
    windows.append((100 - room, 100))
    assert len(examples) == len(windows)
    for word, window in zip(words, which):

        def context(start, stop, word=word):
            left = 1000 if start == 0 else word - start
            return min(left, 1000 if stop == 100 else stop - 1 - word)

        best = max(context(*w) for w in windows if w[0] <= word < w[1])
        assert context(*windows[window]) >= best - 1
    assert (positions[which == 0] == np.arange(1, (which == 0).sum() + 1)).all()


def test_words_without_pieces_and_words_of_thousands(tokenizer):
    rows = [ODD, ["cat"], ODD[::-1] * 3]
    examples, cut = tokenise_words(tokenizer, TokenLists(rows), 40)
    assert np.diff(examples.words.offsets).tolist() == [len(row) for row in rows]
    assert (examples.words.stops > examples.words.starts).all()
    assert (np.diff(examples.words.starts) > 0).all()
    if tokenizer.unk_token == "[UNK]":
        assert cut.sum() == 0
    else:
        assert cut.sum() == 2


@pytest.mark.slow
def test_every_character_of_unicode(tokenizer):
    by_category = {}
    for code in range(sys.maxunicode + 1):
        by_category.setdefault(unicodedata.category(chr(code)), []).append(chr(code))
    rng = np.random.RandomState(0)
    rows = []
    for characters in by_category.values():
        rows.append([])
        for _ in range(60):
            rows[-1].append("".join(rng.choice(characters, rng.randint(1, 6))))
    everything = [c for characters in by_category.values() for c in characters[:3000]]
    rows += [
        ["".join(rng.choice(everything, rng.randint(0, 9))) for _ in range(rng.randint(0, 80))]
        for _ in range(200)
    ]
    tokens = as_token_lists(rows)
    examples, _ = tokenise_words(tokenizer, tokens, 48)
    assert np.diff(examples.words.offsets).tolist() == [len(row) for row in rows]
    assert (np.diff(examples.words.starts) > 0).all()
    for row in tokens.rows:
        text = " ".join(row)
        covered = "".join(text[start:stop] for start, stop in split_words(text))
        left = [c for c in text if not c.isspace() or c in "\x1c\x1d\x1e\x1f"]
        assert covered == "".join(left)  # those four are white space to Python alone


def test_taking_some_examples_takes_their_words(tiny_bert):
    tokenizer = load_tokenizer(tiny_bert)
    rows = [["red", "catdog"], ["cow"] * 60, [], ["pig", "hen"]]
    examples, _ = tokenise_words(tokenizer, TokenLists(rows), 24)
    last = len(examples) - 1
    taken = examples.take([last, 0])
    assert words_of(taken, tokenizer) == [["pig", "hen"], ["red", "catdog"]]
    assert len(taken) == 2


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"max_length": 3}, "max_length must leave room beside the 2 special tokens"),
        (
            {"max_length": 10, "stride": 8},
            "stride must be smaller than what a window holds, which is 8",
        ),
    ],
)
def test_windows_that_cannot_be(tiny_bert, params, message):
    with pytest.raises(ValueError, match=message):
        tokenise_words(load_tokenizer(tiny_bert), TokenLists([["cat"]]), **params)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" \n\t", []),
        ("Ada's 北京 café-bar!", ["Ada", "'", "s", "北", "京", "café", "-", "bar", "!"]),
        ("e\u0301t !\u0301", ["e\u0301t", "!\u0301"]),
        ("a\u00a0b", ["a", "b"]),
        ("שלום, עולם", ["שלום", ",", "עולם"]),
        ("x\x00y\u200bz", ["x\x00y\u200bz"]),
    ],
)
def test_splitting(text, words):
    assert [text[start:stop] for start, stop in split_words(text)] == words
