import copy
import gc
import shutil

import numpy as np
import pytest
import torch
from conftest import make_texts
from sklearn.model_selection import GridSearchCV

from sktransformers import BertClassifier, BertEmbedder, bases, pretrained

X, Y = make_texts(24, seed=2)


@pytest.fixture
def loaded(monkeypatch):
    """Folders that a model was read from."""
    monkeypatch.setattr(bases, "_kept", type(bases._kept)())
    folders, load = [], pretrained.load_model

    def counted(folder, *args):
        folders.append(str(folder))
        return load(folder, *args)

    monkeypatch.setattr(pretrained, "load_model", counted)
    return folders


def test_a_search_reads_the_weights_once(tiny_bert, loaded):
    model = BertClassifier(tiny_bert, max_epochs=1, random_state=0)
    GridSearchCV(model, {"learning_rate": [1e-3, 1e-2]}, cv=2).fit(X, Y)
    assert loaded == [tiny_bert]


def test_a_fit_does_not_change_what_others_start_from(tiny_bert, loaded):
    model = BertClassifier(tiny_bert, max_epochs=1, learning_rate=1e-2, random_state=0)
    first = model.fit(X, Y).predict_proba(X)
    with torch.no_grad():
        for parameter in model.model_.parameters():
            parameter.zero_()
    model.tokenizer_.add_tokens(["cat"])
    assert np.array_equal(model.fit(X, Y).predict_proba(X), first)
    assert loaded == [tiny_bert]


def test_only_untouched_copies_have_an_origin(tiny_bert, loaded):
    first, second = (BertEmbedder(tiny_bert).fit(X).model_ for _ in range(2))
    assert bases.origin_of(first) is None  # read, not copied
    assert bases.origin_of(second)[0][0] == tiny_bert
    assert bases.origin_of(copy.deepcopy(second)) is None


def test_changed_files_are_read_anew(tiny_bert, loaded, tmp_path):
    folder = shutil.copytree(tiny_bert, tmp_path / "bert")
    before = BertEmbedder(folder).fit_transform(X)
    changed = BertEmbedder(tiny_bert).fit(X)
    with torch.no_grad():
        changed.model_.embeddings.word_embeddings.weight.mul_(2.0)
    changed.model_.save_pretrained(folder)
    assert not np.allclose(BertEmbedder(folder).fit_transform(X), before)
    assert len(loaded) == 3


def test_only_some_are_held(tiny_bert, loaded, tmp_path):
    for name in "abcd":
        BertEmbedder(shutil.copytree(tiny_bert, tmp_path / name)).fit(X)
    assert len(bases._kept) == bases._MOST
    BertEmbedder(tmp_path / "d").fit(X)
    assert len(loaded) == 4


def test_seeds_give_the_same_whether_read_or_copied(tiny_bert, loaded):
    first, second = (
        BertClassifier(tiny_bert, max_epochs=1, random_state=0).fit(X, Y).predict_proba(X)
        for _ in range(2)
    )
    assert np.array_equal(first, second)


@pytest.mark.slow
def test_memory_stays_flat_over_fifty_candidates(tiny_bert):
    import resource

    model = BertClassifier(tiny_bert, max_epochs=1, random_state=0)
    rates = np.geomspace(1e-4, 1e-2, 25).tolist()
    sizes = []

    def resident():
        gc.collect()
        with open("/proc/self/statm") as numbers:
            return int(numbers.read().split()[1]) * resource.getpagesize()

    for _ in range(3):  # the first one warms up
        GridSearchCV(model, {"learning_rate": rates}, cv=2).fit(X, Y)
        sizes.append(resident())
    assert sizes[2] < 1.05 * sizes[0]
