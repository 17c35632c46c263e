import itertools

import numpy as np
import pytest
from conftest import make_texts

from sktransformers.data.documents import Documents, sentence_pairs
from sktransformers.data.masking import MaskedData, Masker
from sktransformers.data.texts import Texts
from sktransformers.data.tokenization import tokenise
from sktransformers.pretrained import load_tokenizer


@pytest.fixture(params=["tiny_bert", "tiny_roberta"])
def tokenizer(request):
    return load_tokenizer(request.getfixturevalue(request.param))


def masked(tokenizer, texts, probability=0.15, seed=0):
    examples, _ = tokenise(tokenizer, Texts(texts), 66)
    masker = Masker.of(tokenizer, probability)
    return MaskedData(examples, None, None, tokenizer.pad_token_id, masker, seed), masker


def test_the_rule_of_80_10_10(tokenizer):
    data, masker = masked(tokenizer, make_texts(3000)[0])
    inputs, labels, weights = data.__getitems__(range(3000))
    hidden, ids = inputs["hidden"].numpy(), inputs["input_ids"].numpy()
    original = np.zeros_like(ids)
    for row in range(3000):
        own = data.examples[row]
        original[row, : len(own)] = own
    eligible = masker.eligible({**inputs, "input_ids": inputs["input_ids"].new_tensor(original)})
    assert 0.15 < hidden.sum() / eligible.sum() < 0.22  # at least one in each short row
    assert not (hidden & ~eligible).any()
    assert (labels["words"].numpy() == original[hidden]).all()
    assert len(weights["words"]) == hidden.sum()
    assert (ids == original)[~hidden].all()
    now, before = ids[hidden], original[hidden]
    assert np.mean(now == masker.mask_id) == pytest.approx(0.8, abs=0.02)
    assert np.mean(now == before) == pytest.approx(0.1, abs=0.02)
    other = now[(now != masker.mask_id) & (now != before)]
    assert len(other) / len(now) == pytest.approx(0.1, abs=0.02)
    assert not masker.is_special[other].any()


def test_whole_words_are_hidden(tokenizer):
    text = "catdoghorse cow sheepgoat " * 4
    data, _ = masked(tokenizer, [text] * 500, probability=0.3)
    inputs, _, _ = data.__getitems__(range(500))
    pieces = [len(tokenizer(" " + word)["input_ids"]) - 2 for word in text.split()]
    assert max(pieces) > 1
    bounds = np.cumsum([1, *pieces])
    hidden = inputs["hidden"].numpy()
    for start, stop in itertools.pairwise(bounds):
        assert (hidden[:, start:stop].all(axis=1) == hidden[:, start:stop].any(axis=1)).all()
    assert hidden[:, bounds[0]].mean() == pytest.approx(0.3, abs=0.07)


def test_each_row_learns_something_and_each_time_another(tokenizer):
    data, _ = masked(tokenizer, ["cat", "", "red cow"] * 20, probability=0.001)
    first = data.__getitems__(range(60))[0]["hidden"].numpy()
    assert first.any(axis=1).tolist() == [True, False, True] * 20
    data, _ = masked(tokenizer, make_texts(50)[0])
    one, other = (data.__getitems__(range(50))[0]["hidden"] for _ in range(2))
    assert not one.equal(other)
    data.start_again()
    assert data.__getitems__(range(50))[0]["hidden"].equal(one)


@pytest.mark.parametrize("longest", [2, 3, 4, 9])
def test_half_of_the_pairs_are_neighbours_and_all_is_read(longest):
    documents = [[f"{d}-{s}" for s in range(1 + d % longest)] for d in range(400)]
    pairs, is_apart, rows = sentence_pairs(Documents(documents), np.random.default_rng(0))
    assert 0.5 <= is_apart.mean() < (0.78 if longest == 2 else 0.61)
    if longest > 3:
        assert is_apart.mean() == pytest.approx(0.5, abs=0.02)
    for first, second, apart, row in zip(pairs.first, pairs.second, is_apart, rows):
        (a, i), (b, j) = first.split("-"), second.split("-")
        assert int(a) == row
        assert (a != b) if apart else (a == b and int(j) == int(i) + 1)
    assert {*pairs.first, *pairs.second} == {s for document in documents for s in document}


@pytest.mark.parametrize("documents", [[["a", "b"]], [["a"], ["b"]], [["a", "b"], []]])
def test_documents_that_make_no_pairs(documents):
    with pytest.raises(ValueError, match="needs at least two documents .* but X_val holds"):
        sentence_pairs(Documents(documents), np.random.default_rng(0), "X_val")
    with pytest.raises(ValueError, match="needs documents, but X_val holds texts"):
        sentence_pairs(Texts(["a"]), np.random.default_rng(0), "X_val")


def test_a_tokenizer_without_a_mask(tiny_gpt2):
    with pytest.raises(ValueError, match="tokenizer with a mask token"):
        Masker.of(load_tokenizer(tiny_gpt2), 0.15)
