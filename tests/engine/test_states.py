import os
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
from conftest import make_texts
from sklearn.model_selection import GridSearchCV

from sktransformers import BertClassifier, BertEmbedder, BertRegressor, BertTagger
from sktransformers.engine import states, store, tensor_files

X, Y = make_texts(48, seed=1)
Z = [len(text) / 10 for text in X]
TOKENS = [text.split() for text in X]
TAGS = [["B-X" if word in ("cat", "dog") else "O" for word in row] for row in TOKENS]
SMALL_STEPS = {"batch_size": 8, "random_state": 0, "precision": "float32"}
KINDS = {
    "classifier": (BertClassifier, X, Y, "predict_proba"),
    "regressor": (BertRegressor, X, Z, "predict"),
    "tagger": (BertTagger, TOKENS, TAGS, "predict_proba"),
}


def outputs(model, verb, X):
    found = getattr(model, verb)(X)
    return np.concatenate(found) if isinstance(found, list) else found


@pytest.fixture(params=KINDS)
def kind(request, tiny_bert):
    cls, rows, targets, verb = KINDS[request.param]

    def fitted(**params):
        model = cls(tiny_bert, max_epochs=2, batch_size=8, random_state=0, **params)
        model.fit(rows, targets)
        return outputs(model, verb, rows)

    return fitted


@pytest.mark.parametrize("freeze", [1, "backbone"])
def test_the_same_bits_with_memory_and_without(kind, freeze, tmp_path, monkeypatch):
    first = kind(freeze=freeze)
    assert np.array_equal(kind(freeze=freeze, memory=tmp_path), first)  # written
    assert np.array_equal(kind(freeze=freeze, memory=tmp_path), first)  # read
    monkeypatch.setattr(states, "_SHARE", 0)
    assert np.array_equal(kind(freeze=freeze), first)  # computed anew for each batch
    assert np.array_equal(kind(freeze=freeze, memory=tmp_path), first)
    monkeypatch.setattr(states, "_SHARE", 1e-6)  # room for some texts
    assert np.array_equal(kind(freeze=freeze), first)


@pytest.mark.parametrize("objective", ["simcse", "contrastive"])
def test_an_embedder_learns_above_states_too(objective, tiny_bert, tmp_path, monkeypatch):
    def vectors(**params):
        model = BertEmbedder(tiny_bert, freeze=1, objective=objective, max_epochs=2, **SMALL_STEPS)
        return model.set_params(**params).fit(X, Y).transform(X)

    first = vectors()
    assert np.array_equal(vectors(memory=tmp_path), first)
    monkeypatch.setattr(states, "_split", lambda *_: None)
    np.testing.assert_allclose(vectors(), first, rtol=0, atol=1e-4)


@pytest.fixture
def computed(monkeypatch):
    """Numbers of texts that went through frozen layers."""
    numbers, compute = [], states._Source.compute

    def counted(self, examples):
        numbers.append(len(examples))
        return compute(self, examples)

    monkeypatch.setattr(states._Source, "compute", counted)
    return numbers


def test_a_text_is_computed_once(tiny_bert, computed, tmp_path):
    params = {"freeze": 1, "max_epochs": 3, "early_stopping": True, "memory": tmp_path}
    distinct = len(set(X))
    model = BertClassifier(tiny_bert, random_state=0, **params).fit(X, Y)
    assert sum(computed) <= distinct
    model.predict(X + X)
    assert sum(computed) == distinct
    BertClassifier(tiny_bert, random_state=1, **params).fit(X, Y).predict(X[:5])
    BertRegressor(tiny_bert, **{**params, "early_stopping": False}).fit(X, Z)
    assert sum(computed) == distinct
    model.predict(["a text that is new"])
    assert sum(computed) == distinct + 1


def test_other_weights_are_other_states(tiny_bert, computed, tmp_path):
    params = {"freeze": 1, "max_epochs": 1, "memory": tmp_path, "random_state": 0}
    model = BertClassifier(tiny_bert, **params).fit(X, Y)
    n = sum(computed)
    import torch

    with torch.no_grad():
        model.model_.bert.embeddings.word_embeddings.weight.mul_(1.1)
    changed = model.predict_proba(X)
    assert sum(computed) == 2 * n
    assert np.array_equal(model.set_params(memory=None).predict_proba(X), changed)


def test_weights_that_were_changed_by_hand_are_other_states(tiny_bert, tmp_path):
    params = {"freeze": "backbone", "memory": tmp_path, "max_epochs": 1, "random_state": 0}
    for _ in range(3):  # the later ones know the fingerprint of what they were copied from
        model = BertClassifier(tiny_bert, **params).fit(X, Y)
    before = model.predict_proba(X)
    model.model_.bert.embeddings.word_embeddings.weight.data[5:] *= 2  # tells no one
    after = model.predict_proba(X)
    assert not np.allclose(after, before)
    assert np.array_equal(model.set_params(memory=None).predict_proba(X), after)
    again = model.set_params(memory=tmp_path, warm_start=True).fit(X, Y).predict_proba(X)
    assert np.array_equal(model.set_params(memory=None).predict_proba(X), again)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_vectors_of_an_untrained_embedder(tiny_bert, computed, tmp_path, pooling):
    vectors = BertEmbedder(tiny_bert, pooling=pooling).fit_transform(X)
    kept = BertEmbedder(tiny_bert, pooling=pooling, memory=tmp_path)
    assert np.array_equal(kept.fit_transform(X), vectors)
    assert np.array_equal(kept.transform(X[::-1]), vectors[::-1])
    assert sum(computed) == len(set(X))


def test_windows_and_pairs(tiny_bert, tmp_path):
    pairs = [(a, b) for a, b in zip(X, X[::-1])]
    for rows, params in ((pairs, {}), ([" ".join(X[:9]), *X[1:]], {"max_length": 16, "stride": 4})):
        found = [
            BertClassifier(tiny_bert, freeze=1, max_epochs=1, random_state=0, memory=m, **params)
            .fit(rows, Y)
            .predict_proba(rows)
            for m in (None, tmp_path, tmp_path)
        ]
        assert np.array_equal(found[0], found[1])
        assert np.array_equal(found[0], found[2])


@pytest.mark.slow
@pytest.mark.parametrize("freeze", [1, "backbone"])
def test_a_search_in_two_processes_shares_the_folder(tiny_bert, tmp_path, freeze):
    def search(**params):
        model = BertClassifier(tiny_bert, max_epochs=2, freeze=freeze, random_state=0, **params)
        grid = {"learning_rate": [1e-4, 1e-3, 1e-2]}
        return GridSearchCV(model, grid, cv=2, n_jobs=2, scoring="neg_log_loss").fit(X, Y)

    with_memory, without = search(memory=str(tmp_path)), search()
    for name in ("split0_test_score", "split1_test_score"):
        assert np.array_equal(with_memory.cv_results_[name], without.cv_results_[name])
    assert list(tmp_path.glob("*/*.safetensors"))
    assert not list(tmp_path.glob("*/*.tmp"))


def test_a_damaged_file_is_told_and_made_anew(tiny_bert, tmp_path, monkeypatch):
    embedder = BertEmbedder(tiny_bert, memory=tmp_path).fit(X)
    vectors = embedder.transform(X)
    (path,) = tmp_path.glob("*/*.safetensors")
    whole = bytearray(path.read_bytes())
    for place in (3, len(whole) // 2, len(whole) - 1):
        damaged = whole.copy()
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.warns(UserWarning, match=f"{path.name}.*damaged.*computed anew"):
            assert np.array_equal(embedder.transform(X), vectors)
        (path,) = tmp_path.glob("*/*.safetensors")


def test_the_folder_is_bounded_and_that_is_told(tiny_bert, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_LARGEST", 5_000)
    embedder = BertEmbedder(tiny_bert, memory=tmp_path).fit(X)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for start in range(0, 48, 8):
            embedder.transform([f"{text} {n}" for n, text in enumerate(X[start : start + 8] * 8)])
    assert len(told) == 1
    assert "what was not used for longest is removed" in str(told[0].message)
    size = sum(path.stat().st_size for path in tmp_path.glob("*/*"))
    assert 0 < size <= 6_000


def test_a_folder_that_cannot_be(tiny_bert, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="memory must be a folder that can be written to"):
        BertEmbedder(tiny_bert, memory=tmp_path / "file").fit(X).transform(X)


def test_a_full_disk_does_not_stop_the_work(tiny_bert, tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tensor_files, "save_file", full)
    embedder = BertEmbedder(tiny_bert, memory=tmp_path).fit(X)
    with pytest.warns(UserWarning, match="could not be written to.*No space left"):
        vectors = embedder.transform(X)
    assert np.array_equal(vectors, BertEmbedder(tiny_bert).fit(X).transform(X))
    assert not list(tmp_path.glob("*/*"))


KILLED = """
import sys
from sktransformers import BertEmbedder
embedder = BertEmbedder(sys.argv[1], memory=sys.argv[2]).fit(["a"])
print("ready", flush=True)
for n in range(10_000):
    embedder.transform([f"cat {n} {i}" for i in range(20)])
"""


@pytest.mark.slow
def test_a_kill_leaves_whole_files(tiny_bert, tmp_path):
    rng = np.random.default_rng(0)
    for _ in range(3):
        command = [sys.executable, "-c", KILLED, tiny_bert, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "ready\n"
            time.sleep(rng.uniform(0.1, 0.6))
            os.kill(process.pid, signal.SIGKILL)
    kept = BertEmbedder(tiny_bert, memory=tmp_path).fit(X)
    texts = [f"cat {n} {i}" for n in range(5) for i in range(20)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vectors = kept.transform(texts)
    assert np.array_equal(vectors, BertEmbedder(tiny_bert).fit(X).transform(texts))
