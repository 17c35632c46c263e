"""``BertEmbedder``: vectors from texts."""

import json

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from conftest import ANIMALS, make_texts
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler
from transformers import AutoModel, AutoTokenizer, BertConfig

from sktransformers import BertClassifier, BertEmbedder, load
from sktransformers.engine import infer
from sktransformers.exceptions import TruncationWarning
from sktransformers.hub import DEFAULT_ENCODER, locate

TEXTS, LABELS = make_texts(48)
EXACT = {"precision": "float32", "device": "cpu"}
SETTINGS = {**EXACT, "max_epochs": 6, "learning_rate": 1e-3, "batch_size": 16, "random_state": 0}


@pytest.fixture
def make(tiny_bert):
    return lambda model=tiny_bert, **params: BertEmbedder(model, **{**EXACT, **params})


def states(folder, text, **kwargs):
    model = AutoModel.from_pretrained(folder).eval()
    inputs = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")
    with torch.no_grad():
        return model(**inputs, **kwargs)


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ("auto", lambda out: out.last_hidden_state[0].mean(0)),
        ("mean", lambda out: out.last_hidden_state[0].mean(0)),
        ("cls", lambda out: out.last_hidden_state[0, 0]),
        ("max", lambda out: out.last_hidden_state[0].amax(0)),
        ("last4", lambda out: torch.stack(out.hidden_states[-4:]).mean(0)[0].mean(0)),
    ],
)
def test_pooling(make, tiny_bert, pooling, expected):
    found = make(pooling=pooling).fit_transform(TEXTS)
    assert found.dtype == np.float32
    assert found.shape == (48, 32)
    for row in (0, 7, 30):
        out = states(tiny_bert, TEXTS[row], output_hidden_states=True)
        np.testing.assert_allclose(found[row], expected(out), atol=1e-6)


def test_normalize_truncate_and_prompt(make):
    plain = make().fit_transform(TEXTS)
    lengths = np.linalg.norm(plain, axis=1, keepdims=True)
    np.testing.assert_allclose(
        make(normalize=True).fit_transform(TEXTS), plain / lengths, rtol=1e-5
    )
    np.testing.assert_array_equal(make(truncate_dim=8).fit_transform(TEXTS), plain[:, :8])
    both = make(truncate_dim=8, normalize=True).fit(TEXTS)
    np.testing.assert_allclose(np.linalg.norm(both.transform(TEXTS), axis=1), 1, rtol=1e-6)
    assert both.get_feature_names_out().tolist() == [f"bertembedder{i}" for i in range(8)]
    prompted = make(prompt="red ").fit(TEXTS)
    by_hand = make().fit_transform([f"red {text}" for text in TEXTS])
    np.testing.assert_array_equal(prompted.transform(TEXTS), by_hand)
    prompted.set_params(prompt="blue ")
    np.testing.assert_array_equal(prompted.transform(TEXTS), by_hand)


def test_windows_count_by_their_lengths(make):
    text = " ".join(ANIMALS * 3)
    whole = make(max_length=16, stride=4).fit([text])
    pieces = [text.split()[start : start + 14] for start in (0, 10)] + [text.split()[16:]]
    parts = whole.transform([" ".join(words) for words in pieces])
    np.testing.assert_allclose(whole.transform([text])[0], parts.mean(axis=0), atol=1e-6)
    with pytest.warns(TruncationWarning, match="1 of 2 texts"):
        make(max_length=16).fit(["cat"]).transform([text, "cat"])


def test_fit_loads_and_trains_nothing(make, tiny_bert):
    embedder = make().fit(TEXTS)
    assert embedder.n_iter_ == 0
    assert list(embedder.history_.columns) == [
        "train_loss", "valid_loss", "valid_score", "learning_rate", "seconds", "tokens_per_second",
    ]  # fmt: skip
    weights = AutoModel.from_pretrained(tiny_bert).state_dict()
    assert all(torch.equal(v, weights[k]) for k, v in embedder.model_.state_dict().items())
    again = make(objective="simcse", max_epochs=0).fit(TEXTS)
    np.testing.assert_array_equal(again.transform(TEXTS), embedder.transform(TEXTS))
    with pytest.raises(ValueError, match="early_stopping needs something that is trained"):
        make(early_stopping=True).fit(TEXTS)
    with pytest.raises(ValueError, match="X_val and y_val are for models that are trained"):
        make().fit(TEXTS, LABELS, X_val=TEXTS, y_val=LABELS)


def test_equal_texts_are_computed_once(make, monkeypatch):
    embedder, seen = make().fit(TEXTS), []
    original = infer.pad
    monkeypatch.setattr(
        infer, "pad", lambda e, rows, p: seen.extend(set(rows)) or original(e, rows, p)
    )
    found = embedder.transform(TEXTS[:5] * 20)
    assert len(seen) == 5
    np.testing.assert_array_equal(found, np.tile(found[:5], (20, 1)))


def test_chunks_change_nothing(make, monkeypatch):
    embedder = make().fit(TEXTS)
    order = np.random.RandomState(0).randint(0, len(TEXTS), 500)
    rows = [TEXTS[i] for i in order]
    expected = embedder.transform(TEXTS)[order]
    np.testing.assert_array_equal(embedder.transform(rows), expected)
    monkeypatch.setattr(infer, "_CHUNK", 7)
    np.testing.assert_array_equal(embedder.transform(rows), expected)
    tagged = embedder.token_embeddings([row.split() for row in rows])
    monkeypatch.undo()
    again = embedder.token_embeddings([row.split() for row in rows])
    assert all((a == b).all() for a, b in zip(tagged, again))


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_frames_come_out(make, container):
    embedder = make(truncate_dim=3).set_output(transform=container)
    frame = pd.DataFrame({"text": TEXTS}, index=range(100, 148))
    found = embedder.fit_transform(frame)
    assert list(found.columns) == ["bertembedder0", "bertembedder1", "bertembedder2"]
    if container == "pandas":
        assert found.index.tolist() == list(range(100, 148))
    else:
        assert isinstance(found, pl.DataFrame)
    assert embedder.feature_names_in_.tolist() == ["text"]


def test_in_pipelines(make):
    frame = pd.DataFrame({"text": TEXTS, "number": np.arange(48.0)})
    columns = ColumnTransformer([("t", make(), "text"), ("n", StandardScaler(), ["number"])])
    pipe = make_pipeline(columns, LogisticRegression(max_iter=1000)).fit(frame, LABELS)
    assert pipe.score(frame, LABELS) > 0.8
    assert len(columns.fit(frame).get_feature_names_out()) == 33
    union = FeatureUnion([("mean", make()), ("cls", make(pooling="cls"))])
    assert union.fit_transform(TEXTS).shape == (48, 64)
    search = GridSearchCV(
        make_pipeline(make(), LogisticRegression()), {"logisticregression__C": [0.1, 10]}, cv=2
    )
    assert search.fit(TEXTS, LABELS).best_score_ > 0.6


def test_token_embeddings(make, tiny_bert):
    rows = [["red", "catdog", ""], [], ["cow"] * 90]
    found = make().fit(TEXTS).token_embeddings(rows)
    assert [f.shape for f in found] == [(3, 32), (0, 32), (90, 32)]
    assert found[0].dtype == np.float32
    out = states(tiny_bert, "red catdog [UNK]").last_hidden_state[0]
    np.testing.assert_allclose(found[0][0], out[1], atol=1e-6)
    np.testing.assert_allclose(found[0][1], out[2:-2].mean(0), atol=1e-6)
    np.testing.assert_allclose(found[0][2], out[-2], atol=1e-6)
    with pytest.raises(ValueError, match="row 0 is the text"):
        make().fit(TEXTS).token_embeddings(["red cat"])


def between(vectors, labels):
    """How much nearer texts of one class are than texts of others, in cosine."""
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    alike = np.equal.outer(labels, labels)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, np.nan)
    return np.nanmean(cosines[alike]) - np.nanmean(cosines[~alike])


def test_contrastive_brings_classes_together(make):
    new, new_labels = make_texts(40, seed=1)
    before = make().fit_transform(new)
    settings = {**SETTINGS, "max_epochs": 20, "learning_rate": 3e-3, "objective": "contrastive"}
    trained = make(**settings).fit(TEXTS, LABELS)
    assert between(trained.transform(new), new_labels) > between(before, new_labels) + 0.2
    assert trained.n_iter_ == 20
    assert trained.history_["train_loss"].iloc[-1] < trained.history_["train_loss"].iloc[0]
    again = make(**settings).fit(TEXTS, LABELS)
    np.testing.assert_array_equal(again.transform(new), trained.transform(new))


def test_simcse_spreads_texts(make):
    before, trained = make().fit(TEXTS), make(objective="simcse", **SETTINGS).fit(TEXTS)

    def mean_cosine(embedder):
        vectors = embedder.transform(TEXTS)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return (vectors @ vectors.T)[~np.eye(48, dtype=bool)].mean()

    assert mean_cosine(trained) < mean_cosine(before) - 0.1


@pytest.mark.parametrize("objective", ["simcse", "contrastive"])
def test_early_stopping_by_loss(make, objective):
    settings = {**SETTINGS, "max_epochs": 3, "early_stopping": True, "objective": objective}
    embedder = make(**settings).fit(TEXTS, LABELS)
    assert embedder.best_score_ == -embedder.history_["valid_loss"].min()
    weighted = make(**settings).fit(TEXTS, LABELS, sample_weight=np.arange(48.0))
    assert np.isfinite(weighted.history_["train_loss"]).all()


def test_what_contrastive_needs(make):
    with pytest.raises(ValueError, match="requires y to be passed"):
        make(objective="contrastive").fit(TEXTS)
    with pytest.raises(ValueError, match="at least 2 classes in y"):
        make(objective="contrastive").fit(TEXTS, ["a"] * 48)
    with pytest.raises(ValueError, match="y_val must hold labels that are in y too, but row 0"):
        make(objective="contrastive", **SETTINGS).fit(TEXTS, LABELS, X_val=["cat"], y_val=["b"])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # of its own
def test_vectors_are_those_of_sentence_transformers(tmp_path):
    import sentence_transformers

    folder, _ = locate(DEFAULT_ENCODER)
    texts = [*TEXTS, "", "One more, with a café and 北京.", "word " * 400]
    theirs = sentence_transformers.SentenceTransformer(str(folder), device="cpu").encode(texts)
    embedder = BertEmbedder(**EXACT)
    with pytest.warns(TruncationWarning, match="1 of 51 texts .* max_length=256"):
        ours = embedder.fit(texts).transform(texts)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    others = {"pooling": "cls", "normalize": False}, {"max_length": 20}, {"prompt": "query: "}
    for params in ({}, *others):
        changed = BertEmbedder(**EXACT, **params).fit(TEXTS)
        changed.save(tmp_path / "saved")
        opened = sentence_transformers.SentenceTransformer(str(tmp_path / "saved"), device="cpu")
        np.testing.assert_allclose(opened.encode(TEXTS), changed.transform(TEXTS), atol=1e-5)
        again = BertEmbedder(str(tmp_path / "saved"), **EXACT).fit(TEXTS)
        np.testing.assert_array_equal(again.transform(TEXTS), changed.transform(TEXTS))


def test_saved_loaded_and_started_from(make, tmp_path):
    embedder = make(pooling="cls", normalize=True, truncate_dim=9, prompt="red ").fit(TEXTS)
    embedder.save(tmp_path / "model")
    np.testing.assert_array_equal(
        load(tmp_path / "model").transform(TEXTS), embedder.transform(TEXTS)
    )
    files = {p.relative_to(tmp_path / "model").as_posix() for p in (tmp_path / "model").rglob("*")}
    assert {"modules.json", "1_Pooling/config.json", "sentence_bert_config.json"} <= files
    again = make(str(tmp_path / "model"), truncate_dim=9).fit(TEXTS)
    np.testing.assert_array_equal(again.transform(TEXTS), embedder.transform(TEXTS))
    (tmp_path / "model" / "1_Pooling" / "config.json").write_text("{}")
    with pytest.raises(ValueError, match=r"1_Pooling/config.json' must be as save\(\) wrote it"):
        load(tmp_path / "model")
    # A classifier starts from the encoder that was made better here.
    trained = make(objective="contrastive", **SETTINGS).fit(TEXTS, LABELS)
    trained.save(tmp_path / "trained")
    settings = {**SETTINGS, "max_epochs": 1, "learning_rate": 1e-12}
    model = BertClassifier(str(tmp_path / "trained"), **settings).fit(TEXTS, LABELS)
    learnt = trained.model_.state_dict()
    assert all(
        torch.allclose(v, learnt[k]) for k, v in model.model_.base_model.state_dict().items()
    )


def test_sentence_files_that_cannot_be_followed(make, tiny_bert, tmp_path):
    AutoModel.from_pretrained(tiny_bert).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(tmp_path)
    kinds = ["models.Transformer", "models.Pooling", "models.Dense"]
    modules = [{"type": k, "path": f"{i}_x" if i else ""} for i, k in enumerate(kinds)]
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    (tmp_path / "1_x").mkdir()
    (tmp_path / "1_x" / "config.json").write_text('{"pooling_mode": "lasttoken"}')
    with pytest.raises(ValueError, match=r"files say \['lasttoken', 'Dense'\]. Pass pooling and"):
        make(str(tmp_path)).fit(TEXTS)
    assert make(str(tmp_path), pooling="mean", normalize=False).fit_transform(TEXTS).shape == (
        48,
        32,
    )


def test_from_nothing(make):
    config = BertConfig(
        vocab_size=200,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
    )
    embedder = make(config, objective="simcse", **SETTINGS).fit(TEXTS)
    assert embedder.transform(["cat", "red"]).shape == (2, 16)


def test_the_validation_loss_does_not_depend_on_the_order_of_rows():
    from sktransformers.tasks.embedding import Contrast

    rng = np.random.RandomState(0)
    labels = np.repeat([0, 1], 512)
    outputs = torch.from_numpy(rng.normal(0, 0.05, (1024, 8)) + np.eye(8)[labels])
    task = Contrast("mean", classes=np.array(["a", "b"]))
    weights = torch.ones(1024)
    order = rng.permutation(1024)
    by_class = task.loss(outputs, torch.from_numpy(labels), weights)
    mixed = task.loss(outputs[order], torch.from_numpy(labels[order]), weights)
    flat = task.loss(torch.ones(1024, 8), torch.from_numpy(labels), weights)
    assert float(by_class) == pytest.approx(float(mixed), rel=0.02)
    assert by_class < flat - 0.1


def test_scorers_see_texts_and_labels_as_they_were_given(make):
    seen = []

    def scorer(estimator, X, y):
        seen.append((list(X), list(y)))
        np.testing.assert_allclose(estimator.transform(X), estimator.transform(list(X)), atol=1e-6)
        return 0.0

    settings = {**SETTINGS, "max_epochs": 1, "objective": "simcse", "prompt": "red "}
    make(scoring=scorer, **settings).fit(TEXTS, LABELS, X_val=TEXTS[:9], y_val=LABELS[:9])
    assert seen[0] == (TEXTS[:9], LABELS[:9])
    alone = make(**settings).fit(TEXTS, X_val=TEXTS[:9])  # no labels, nothing to pass
    assert alone.history_["valid_loss"].notna().all()


def test_what_cannot_be_trained(make):
    with pytest.raises(ValueError, match="The 'freeze' parameter of BertEmbedder"):
        make(objective="simcse", freeze="backbone").fit(TEXTS)
    with pytest.raises(ValueError, match="freeze=2 leaves nothing to train"):
        make(objective="simcse", freeze=2).fit(TEXTS)
    for params, texts in (({"batch_size": 1}, TEXTS), ({}, TEXTS[:1])):
        with pytest.raises(ValueError, match="compares texts with others of their batch"):
            make(objective="simcse", **params).fit(texts)
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        make(objective="contrastive").fit(TEXTS, np.linspace(0.1, 0.9, 48))


def test_a_warm_start_needs_no_folder(make, tiny_bert, tmp_path):
    import shutil

    shutil.copytree(tiny_bert, tmp_path / "start")
    settings = {"warm_start": True, "prompt": "red ", "normalize": True}
    embedder = make(str(tmp_path / "start"), **settings).fit(TEXTS)
    embedder.save(tmp_path / "model")
    shutil.rmtree(tmp_path / "start")
    again = load(tmp_path / "model")
    np.testing.assert_array_equal(again.fit(TEXTS).transform(TEXTS), embedder.transform(TEXTS))
