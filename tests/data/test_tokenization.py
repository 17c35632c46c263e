import numpy as np
import pytest
from conftest import make_texts

from sktransformers.data.pieces import Frame, pieces
from sktransformers.data.texts import Texts
from sktransformers.data.tokenization import tokenise
from sktransformers.hub import DEFAULT_ENCODER, locate
from sktransformers.pretrained import load_tokenizer


@pytest.fixture(scope="module")
def minilm():
    return load_tokenizer(locate(DEFAULT_ENCODER)[0])


def whole(tokenizer, text):
    return tokenizer(text, truncation=False, padding=False, verbose=False)["input_ids"]


@pytest.mark.parametrize("kind", ["tiny_bert", "tiny_roberta"])
def test_same_as_the_tokenizer_itself(kind, request):
    tokenizer = load_tokenizer(request.getfixturevalue(kind))
    texts, _ = make_texts(50)
    examples, cut = tokenise(tokenizer, Texts(texts), 64)
    assert cut.sum() == 0
    assert [examples[i].tolist() for i in range(50)] == [whole(tokenizer, t) for t in texts]


@pytest.mark.parametrize(
    "asked",
    [{"truncation": True, "max_length": 3}, {"padding": "max_length", "max_length": 30},
     {"split_special_tokens": True}],
)  # fmt: skip
def test_what_a_caller_has_asked_of_the_tokenizer_changes_nothing(minilm, asked):
    texts = ["a longer text than three tokens", "a [SEP] b", "c"]
    expected = [whole(minilm, text)[1:-1] for text in texts]
    minilm(texts, **asked)
    assert pieces(minilm, texts) == expected
    minilm(texts, **asked)
    examples, _ = tokenise(minilm, Texts(texts), 64)
    assert [examples[row].tolist()[1:-1] for row in range(3)] == expected


def test_frames_of_special_tokens(minilm, tiny_roberta, tiny_gpt2):
    assert Frame.of(minilm) == Frame([101], [], [102])
    assert Frame.of(minilm, pairs=True) == Frame([101], [102], [102])
    roberta = load_tokenizer(tiny_roberta)
    cls, sep = roberta.cls_token_id, roberta.sep_token_id
    assert Frame.of(roberta, pairs=True) == Frame([cls], [sep, sep], [sep])
    assert Frame.of(load_tokenizer(tiny_gpt2), pairs=True) == Frame([], [], [])


def test_cut_texts_keep_their_special_tokens_and_are_counted(minilm):
    examples, cut = tokenise(minilm, Texts(["a b c d e f", "a b", "a b c"]), 5)
    assert cut.sum() == 1
    assert examples.lengths.tolist() == [5, 4, 5]
    assert examples[0].tolist() == [*whole(minilm, "a b c"[:5])]


LONG = {
    "words": "the cat sat on the mat and " * 4000,
    "one word": "a" * 60_000,
    "long words": ("b" * 500 + " ") * 400,
    "chinese": "\u4e2d\u6587\u6ca1\u6709\u7a7a\u683c" * 8000,
    "no-break spaces": "word\u00a0" * 20_000,
    "zero width": "\u200b" * 50_000 + "end",
    "combining": "e\u0301" * 30_000,
    "mixed": ("x" * 90 + "\u4e2d y-z " + "q" * 110) * 500,
}


@pytest.mark.parametrize("kind", ["minilm", "tiny_roberta"])
@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_long_texts_give_the_tokens_that_the_whole_text_would(kind, text, request):
    found = request.getfixturevalue(kind)
    tokenizer = load_tokenizer(found) if isinstance(found, str) else found
    examples, cut = tokenise(tokenizer, Texts([text]), 64)
    ids = whole(tokenizer, text)
    kept = ids if len(ids) <= 64 else [*ids[:63], ids[-1]]
    assert examples[0].tolist() == kept
    assert cut.sum() == (len(ids) > 64)


def test_ten_megabytes_cost_what_is_read(minilm, monkeypatch):
    from sktransformers.data import pieces

    seen, encode = [], pieces._encode
    monkeypatch.setattr(pieces, "_encode", lambda t, texts: seen.extend(texts) or encode(t, texts))
    text = "some words of a very long text " * 330_000
    examples, cut = tokenise(minilm, Texts([text]), 128)
    assert sum(map(len, seen)) < 20_000  # of ten million
    assert (cut.sum(), len(examples[0])) == (1, 128)


def test_strange_texts_are_harmless(minilm):
    texts = ["", " ", "\x00\x01", "\u200b", "\ufffd lone", "\U0001f600", "\u0639\u0631\u0628\u064a"]
    examples, _ = tokenise(minilm, Texts(texts), 16)
    assert len(examples) == len(texts)
    assert examples[0].tolist() == [101, 102]
    assert examples[4].tolist() == whole(minilm, texts[4])


def test_room_for_a_token_is_needed(minilm):
    with pytest.raises(
        ValueError, match="beside the 2 special tokens, but max_length=2. Use 3 or more"
    ):
        tokenise(minilm, Texts(["a"]), 2)


@pytest.mark.parametrize("kind", ["tiny_bert", "tiny_roberta"])
def test_pairs_are_as_the_tokenizer_writes_them(kind, request):
    tokenizer = load_tokenizer(request.getfixturevalue(kind))
    first, second = make_texts(20)[0], make_texts(20, seed=1)[0]
    examples, cut = tokenise(tokenizer, Texts(first, second), 66)
    assert cut.sum() == 0
    for row in range(20):
        expected = tokenizer(first[row], second[row])
        assert examples[row].tolist() == expected["input_ids"]
        if "token_type_ids" in tokenizer.model_input_names:
            assert examples.second[row] == expected["token_type_ids"].index(1)
    assert (examples.second is None) == (kind == "tiny_roberta")


@pytest.mark.parametrize(
    ("n_first", "n_second", "kept"),
    [(3, 3, (3, 3)), (9, 3, (9, 3)), (20, 3, (10, 3)), (3, 20, (3, 10)), (20, 20, (7, 6))],
)
def test_of_a_pair_the_longer_text_is_cut_first(minilm, n_first, n_second, kept):
    texts = Texts(["a " * n_first], ["b " * n_second])
    examples, cut = tokenise(minilm, texts, 16)
    a, b = whole(minilm, "a")[1], whole(minilm, "b")[1]
    assert examples[0].tolist() == [101, *[a] * kept[0], 102, *[b] * kept[1], 102]
    assert cut.sum() == (kept != (n_first, n_second))


def test_windows_cover_a_text_and_overlap(minilm):
    text = " ".join(f"{i}" for i in range(100, 150))  # one piece a word
    examples, cut = tokenise(minilm, Texts([text, "short", ""]), 12, stride=4)
    assert cut.sum() == 0
    pieces = whole(minilm, text)[1:-1]
    windows = [examples[i].tolist() for i in np.flatnonzero(examples.rows == 0)]
    assert all(w[0] == 101 and w[-1] == 102 and len(w) == 12 for w in windows)
    assert [w[1:-1] for w in windows] == [pieces[s : s + 10] for s in (*range(0, 40, 6), 40)]
    assert examples.rows.tolist() == [0] * len(windows) + [1, 2]
    assert examples.windows.tolist() == [len(windows), 1, 1]
    assert examples.per_row(np.arange(len(examples))[:, None]).ravel().tolist() == [
        (len(windows) - 1) / 2,
        len(windows),
        len(windows) + 1,
    ]


def test_of_pairs_the_second_text_is_windowed(minilm):
    texts = Texts(["a " * 30, "a"], ["b " * 30, "b"])
    examples, cut = tokenise(minilm, texts, 23, stride=2)
    assert cut.sum() == 1  # the first text of the first row, to half of the room
    assert examples.rows.tolist() == [0, 0, 0, 0, 1]
    assert examples.second.tolist() == [12, 12, 12, 12, 3]
    assert all(len(examples[i]) == 23 for i in range(4))


def test_a_stride_as_long_as_a_window_is_refused(minilm):
    with pytest.raises(
        ValueError, match="smaller than what a window holds, which is 10 .*stride=10"
    ):
        tokenise(minilm, Texts(["a"]), 12, stride=10)


def test_chunks_count_rows_on(minilm, monkeypatch):
    monkeypatch.setattr("sktransformers.data.tokenization.CHUNK", 2)
    examples, _ = tokenise(minilm, Texts(["a " * 20, "b", "c " * 20, "d", "e"]), 12, stride=2)
    assert examples.rows.tolist() == [0, 0, 0, 1, 2, 2, 2, 3, 4]
