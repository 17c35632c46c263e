"""``BertTagger``: a tag for every token, always."""

import sys
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from conftest import ANIMALS, COLOURS
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV, cross_val_predict
from transformers import BertConfig, RobertaConfig, pipeline

from sktransformers import BertTagger, load
from sktransformers.exceptions import TruncationWarning
from sktransformers.metrics import entity_f1_score
from sktransformers.schemes import SpanTags, is_valid

ODD = ["", " ", "\u200b", "\x00\x01", "\u00ad", "x" * 5000, "👩‍👩‍👧", "e\u0301", "北京", "\ud800"]
SETTINGS = {
    "max_epochs": 20,
    "learning_rate": 2e-3,
    "batch_size": 16,
    "precision": "float32",
    "device": "cpu",
    "random_state": 0,
}


# A colour begins an entity, animals go on with it, and the halves of both lists are two types.
TAGS = {"the": "O", "and": "O"}
for place in range(10):
    kind = "PET" if place < 5 else "FARM"
    TAGS |= {COLOURS[place]: f"B-{kind}", ANIMALS[place]: f"I-{kind}"}


def tags_of(words):
    return [TAGS[word.lower()] for word in words]


def rows_and_tags(n_rows=96, seed=0):
    rng = np.random.RandomState(seed)
    rows = []
    for _ in range(n_rows):
        row = []
        for _ in range(rng.randint(1, 5)):
            half = slice(5) if rng.randint(2) else slice(5, 10)
            phrase = [rng.choice(COLOURS[half]), *rng.choice(ANIMALS[half], rng.randint(0, 3))]
            row += phrase if rng.rand() < 0.6 else rng.choice(["the", "and"], 2).tolist()
        rows.append([str(word) for word in row])
    return rows, [tags_of(row) for row in rows]


X, Y = rows_and_tags()
NEW, NEW_Y = rows_and_tags(40, seed=1)


@pytest.fixture
def make(tiny_bert):
    return lambda model=tiny_bert, **params: BertTagger(model, **{**SETTINGS, **params})


@pytest.fixture(scope="module")
def fitted(tiny_bert):
    return BertTagger(tiny_bert, **SETTINGS).fit(X, Y)


def test_it_learns(fitted):
    assert fitted.scheme_ == "IOB2"
    assert fitted.classes_.tolist() == ["B-FARM", "B-PET", "I-FARM", "I-PET", "O"]
    assert fitted.score(NEW, NEW_Y) > 0.97
    predicted = fitted.predict(NEW)
    assert isinstance(predicted, np.ndarray)
    assert predicted.dtype == object
    assert all(isinstance(tags, list) for tags in predicted)
    assert fitted.score(NEW, NEW_Y) == entity_f1_score(NEW_Y, predicted)


@pytest.mark.parametrize("model", ["tiny_bert", "tiny_roberta"])
def test_one_tag_for_every_token_always(request, make, model):
    tagger = make(request.getfixturevalue(model), max_epochs=1, max_length=48).fit(X, Y)
    rng = np.random.RandomState(0)
    pool = [*TAGS, *ODD, "unheard-of"]
    rows = [rng.choice(pool, n).tolist() for n in (0, 1, 700, 3, 60, 0)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TruncationWarning)
        tags, probabilities = tagger.predict(rows), tagger.predict_proba(rows)
    assert [len(t) for t in tags] == [len(row) for row in rows]
    assert [p.shape for p in probabilities] == [(len(row), 5) for row in rows]
    for p in probabilities:
        assert p.dtype == np.float64
        np.testing.assert_allclose(p.sum(axis=1), 1)


def test_every_row_may_be_empty(fitted):
    assert fitted.predict([[], []]).tolist() == [[], []]
    assert [p.shape for p in fitted.predict_proba([[]])] == [(0, 5)]
    assert len(fitted.predict_spans([[]])) == len(fitted.predict_spans(["", " "])) == 0


def test_long_rows_are_read_to_their_ends(make):
    tagger = make(max_length=16).fit(X, Y)
    long = [word for row in NEW for word in row]
    assert len(long) > 200
    tags = tagger.predict([long])[0]
    assert np.mean(np.array(tags) == np.array(tags_of(long))) > 0.97
    assert np.mean(np.array(tags[-20:]) == np.array(tags_of(long)[-20:])) > 0.9


def test_long_rows_are_learnt_to_their_ends(make):
    # Only the last words of each row tell what "odd" is.
    rows = [["cat"] * 30 + ["odd", "cow"], ["dog"] * 30 + ["cow", "odd"]] * 20
    tags = [["O"] * 30 + ["B-X", "O"], ["O"] * 30 + ["O", "B-X"]] * 20
    tagger = make(max_length=12).fit(rows, tags)
    assert tagger.predict([["cow", "odd", "cow"]]).tolist() == [["O", "B-X", "O"]]


def test_predictions_follow_the_scheme(make):
    for scheme in ("IOB2", "auto"):
        tagger = make(max_epochs=2, scheme=scheme).fit(X, Y)
        tags = tagger.predict(NEW)
        codes = np.searchsorted(tagger.classes_, [t for row in tags for t in row])
        offsets = np.concatenate([[0], np.cumsum([len(row) for row in tags])])
        assert is_valid(SpanTags.of(tagger.classes_.tolist()), codes, offsets, "IOB2")
    free = make(max_epochs=2, constrained=False).fit(X, Y)
    flat = np.concatenate(free.predict_proba(NEW)).argmax(axis=1)
    assert [t for row in free.predict(NEW) for t in row] == free.classes_[flat].tolist()


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        ({"PET": "pet", "FARM": "farm", None: "other"}, "plain"),
        ({"PET": 2, "FARM": 1, None: 0}, "plain"),
        ({"PET": True, "FARM": False, None: False}, "plain"),
    ],
)
def test_tags_of_any_kind_come_back(make, tags, scheme):
    y = [[tags[t[2:] or None] for t in row] for row in Y]
    tagger = make().fit(X, y)
    assert tagger.scheme_ == scheme
    found = tagger.predict(NEW)
    assert {type(t) for row in found for t in row} == {type(next(iter(tags.values())))}
    truth = [[tags[t[2:] or None] for t in row] for row in NEW_Y]
    right = np.mean([a == b for one, two in zip(found, truth) for a, b in zip(one, two)])
    assert tagger.score(NEW, truth) == pytest.approx(right)
    assert right > 0.97


def test_spans_of_token_lists(fitted):
    rows = [["the", "red", "cat", "dog", "pink"], [], ["the"], ["blue", "brown", "pig"]]
    spans = fitted.predict_spans(rows)
    assert list(spans.columns) == ["row", "start", "end", "label", "text", "score"]
    assert spans.drop(columns="score").to_numpy().tolist() == [
        [0, 1, 4, "PET", "red cat dog"],
        [0, 4, 5, "FARM", "pink"],
        [3, 0, 1, "PET", "blue"],
        [3, 1, 3, "FARM", "brown pig"],
    ]
    p = fitted.predict_proba(rows)
    codes = np.searchsorted(fitted.classes_, ["B-PET", "I-PET", "I-PET"])
    assert spans["score"][0] == pytest.approx(p[0][[1, 2, 3], codes].mean())


def test_spans_of_texts_count_characters(fitted):
    texts = ["The red  CAT and\npurple", "", "the the", "👩‍👩‍👧 red\u0301 北red京"]
    for given in (texts, pd.Series(texts), np.array(texts), pd.DataFrame({"text": texts})):
        spans = fitted.predict_spans(given)
        rows = spans[spans["row"] == 0].drop(columns="score").to_numpy().tolist()
        assert rows == [[0, 4, 12, "PET", "red  CAT"], [0, 17, 23, "FARM", "purple"]]
        for span in spans.itertuples():
            assert texts[span.row][span.start : span.end] == span.text
    assert spans["row"].dtype == spans["start"].dtype == int


def test_the_text_of_a_span_is_what_stands_there(make):
    tagger = make(max_epochs=1, max_length=32, constrained=False, scheme="plain").fit(X, Y)
    rng = np.random.RandomState(0)
    pool = [
        *"ab 1.,!?'\"-\n\t\u00a0",
        "é",
        "e\u0301",
        "北",
        "京",
        "ñ",
        "\u200d",
        "\u0301",
        "ﬁ",
        "İ",
    ]
    pool += ["👍🏽", "👩‍👩‍👧", "🇫🇷", "ß", "\ud800", "\x00", "ก็", "क्षि", "العربية", "\u202e"]
    texts = ["".join(rng.choice(pool, rng.randint(0, 60))) for _ in range(300)]
    spans = tagger.predict_spans(texts)
    assert len(spans) > 3000
    for span in spans.itertuples():
        assert texts[span.row][span.start : span.end] == span.text != ""
    for row, own in spans.groupby("row"):
        assert (own["end"].to_numpy()[:-1] <= own["start"].to_numpy()[1:]).all()
        assert "".join(own["text"]) == "".join(
            c for c in texts[row] if not c.isspace() or c in "\x1c\x1d\x1e\x1f"
        )


def test_containers_are_read_alike(fitted):
    expected = fitted.predict_proba(NEW)
    objects = np.empty(len(NEW), dtype=object)
    objects[:] = NEW
    for rows in (
        tuple(map(tuple, NEW)),
        objects,
        objects[:, None],
        pd.Series(NEW),
        pd.Series([np.array(row) for row in NEW]),
        pd.DataFrame({"tokens": NEW}),
        pl.Series(NEW),
        pa.array(NEW),
    ):
        found = fitted.predict_proba(rows)
        assert all((a == b).all() for a, b in zip(found, expected))
    same = np.array([["red", "cat"], ["the", "cow"]])
    assert fitted.predict(same).tolist() == fitted.predict(same.tolist()).tolist()


@pytest.mark.parametrize("wrap", [tuple, pd.Series, pl.Series, pa.array])
def test_tags_in_any_container(make, fitted, wrap):
    again = make().fit(X, wrap(Y))
    assert all((a == b).all() for a, b in zip(again.predict_proba(NEW), fitted.predict_proba(NEW)))


@pytest.mark.parametrize(
    ("rows", "tags", "message"),
    [
        ("red cat", [["O"]], "a bare 'red cat'"),
        (["red cat"], [["O"]], "row 0 is the text 'red cat' .* Split it: text.split()"),
        ([["red"], None], [["O"], ["O"]], "row 1 is None"),
        ([["red"], ["a", 3]], [["O"], ["O", "O"]], "row 1, token 1 is 3"),
        ([["red"], ["a", None]], [["O"], ["O", "O"]], "row 1, token 1 is None .* Fill or drop"),
        ([], [], "at least one row of tokens"),
        ([["red"]], None, "requires y to be passed"),
        ([["red"]], [["O"], ["O"]], "X has 1 and y has 2"),
        ([["red"]], "O", "a str came"),
        ([["red"], ["a"]], [["O"], "O"], "row 1 is 'O'"),
        ([["red"], ["a"]], [["O"], ["O", "O"]], "row 1 has 1 tokens and 2 tags"),
        ([["red"], ["a"]], [["O"], [None]], "row 1, token 0 has None"),
        ([["red"], ["a"]], [["O"], [np.nan]], "row 1, token 0 has nan"),
        ([["red"], ["a"]], [["O"], ["O"]], "at least 2 tags in y, but y holds only one"),
        ([[], []], [[], []], "all of its rows are empty"),
        ([["red"], ["a"]], [["O"], [{}]], "Unknown label type"),
    ],
)
def test_refused(make, rows, tags, message):
    with pytest.raises(ValueError, match=message):
        make().fit(rows, tags)


def test_more_refusals(make, fitted):
    with pytest.raises(ValueError, match="With scheme='IOBES' tags must be 'O' or start"):
        make(scheme="IOBES").fit(X, [["N"] * len(row) for row in X])
    with pytest.raises(ValueError, match="The 'scheme' parameter of BertTagger"):
        make(scheme="BIO").fit(X, Y)
    with pytest.raises(ValueError, match="y_val must hold tags .* row 0 holds 'B-NEW'"):
        make().fit(X, Y, X_val=[["cat"]], y_val=[["B-NEW"]])
    with pytest.raises(ValueError, match="row 0 is the text"):
        fitted.predict(["red cat"])
    with pytest.raises(ValueError, match="must hold texts, but row 1"):
        fitted.predict_spans(["red cat", ["red"]])
    warm = make(max_epochs=1, warm_start=True).fit(X, Y)
    with pytest.raises(ValueError, match="row 0 holds 'B-NEW'"):
        warm.fit([["cat"]], [["B-NEW"]])


def test_words_longer_than_a_window_are_told(make, tiny_roberta):
    tagger = make(tiny_roberta, max_epochs=1, max_length=32).fit(X, Y)
    with pytest.warns(TruncationWarning, match="1 of 3 texts .* hold tokens that fill half"):
        tags = tagger.predict([["cat"], ["dog", "xy" * 900, "dog"], []])
    assert [len(t) for t in tags] == [1, 3, 0]


def test_weights_of_rows_and_of_tags(make):
    wrong = [["O"] * len(tags) for tags in Y]
    weights = np.r_[np.ones(len(X)), np.full(len(X), 1e-6)]
    tagger = make().fit(X + X, Y + wrong, sample_weight=weights)
    assert tagger.score(NEW, NEW_Y) > 0.97
    turned = make().fit(X + X, Y + wrong, sample_weight=weights[::-1])
    assert {t for row in turned.predict(NEW) for t in row} == {"O"}
    none = make().fit(X, Y, sample_weight=np.full(len(X), 7.0))
    assert all(
        (a == b).all() for a, b in zip(none.predict_proba(NEW), make().fit(X, Y).predict_proba(NEW))
    )
    heavy = make(class_weight={"B-PET": 1e4}, max_epochs=3).fit(X, Y)
    assert sum(t == "B-PET" for row in heavy.predict(NEW) for t in row) > sum(
        t == "B-PET" for row in NEW_Y for t in row
    )
    balanced = make(class_weight="balanced").fit(X, Y)
    assert balanced.score(NEW, NEW_Y) > 0.9
    with pytest.raises(ValueError, match="zero for every class"):
        make(class_weight=dict.fromkeys(tagger.classes_, 0)).fit(X, Y)


@pytest.mark.parametrize("scoring", [None, "loss"])
def test_early_stopping(make, scoring):
    tagger = make(max_epochs=40, early_stopping=True, scoring=scoring, n_iter_no_change=2)
    tagger.fit(X, Y, X_val=NEW, y_val=NEW_Y)
    assert tagger.n_iter_ in (40, tagger.best_epoch_ + 2) or scoring is None
    assert tagger.n_iter_ < 40 or scoring == "loss"
    history = tagger.history_
    assert history["valid_score"].notna().all()
    assert tagger.best_score_ == history["valid_score"].max()
    if scoring is None:
        assert tagger.score(NEW, NEW_Y) == tagger.best_score_
    else:
        np.testing.assert_allclose(history["valid_score"], -history["valid_loss"])
    split = make(max_epochs=2, early_stopping=True).fit(X, Y)
    assert split.history_["valid_score"].notna().all()


def test_the_validation_loss_is_that_of_training(make):
    # Without dropout, and with nothing learnt in between, both are the mean over words.
    config = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
             "intermediate_size": 32, "vocab_size": 120, "max_position_embeddings": 40}  # fmt: skip
    tagger = make(BertConfig(**small, **config), learning_rate=1e-12, max_epochs=1)
    tagger.fit(X, Y, X_val=X, y_val=Y)
    np.testing.assert_allclose(
        tagger.history_["train_loss"], tagger.history_["valid_loss"], rtol=1e-5
    )


def test_freeze_and_warm_start(make):
    tagger = make(max_epochs=1, freeze=1, warm_start=True).fit(X, Y)
    weights = {k: v.clone() for k, v in tagger.model_.state_dict().items()}
    tagger.fit(X, Y)
    changed = {k for k, v in tagger.model_.state_dict().items() if not torch.equal(v, weights[k])}
    assert not [k for k in changed if "embeddings" in k or "layer.0" in k]
    assert [k for k in changed if "layer.1" in k]


@pytest.mark.parametrize(
    "config",
    [
        BertConfig(vocab_size=300, hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
                   intermediate_size=64, max_position_embeddings=40),
        RobertaConfig(vocab_size=400, hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
                      intermediate_size=64, max_position_embeddings=40),
    ],
    ids=["bert", "roberta"],
)  # fmt: skip
def test_from_nothing(make, config):
    tagger = make(config, max_epochs=30).fit(X, Y)
    assert tagger.score(NEW, NEW_Y) > 0.9


def test_a_cased_model_sees_case(make, tiny_bert, tmp_path):
    from transformers import AutoModel, BertTokenizerFast

    from sktransformers.pretrained import load_tokenizer

    words = [w for row in X for w in row]
    vocabulary = load_tokenizer(tiny_bert).get_vocab()
    for word in sorted({w.capitalize() for w in words}):
        vocabulary.setdefault(word, len(vocabulary))
    model = AutoModel.from_pretrained(tiny_bert)
    model.resize_token_embeddings(len(vocabulary))
    model.save_pretrained(tmp_path)
    BertTokenizerFast(vocab=vocabulary, do_lower_case=False).save_pretrained(tmp_path)
    rng = np.random.RandomState(0)
    rows = [[w.capitalize() if rng.rand() < 0.5 else w for w in row] for row in X]
    tags = [["big" if w[0].isupper() else "small" for w in row] for row in rows]
    tagger = make(str(tmp_path)).fit(rows, tags)
    assert tagger.score(rows, tags) > 0.99


def test_saved_and_opened_by_transformers(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert isinstance(again, BertTagger)
    assert again.predict(NEW).tolist() == fitted.predict(NEW).tolist()
    assert again.scheme_ == "IOB2"
    find = pipeline("token-classification", model=str(tmp_path / "model"), device="cpu")
    found = {(e["word"], e["entity"]) for e in find("the red cat")}
    assert found == {("red", "B-PET"), ("cat", "I-PET")}


def test_grid_search_with_either_scorer(make):
    grid = {"learning_rate": [2e-3, 1e-9]}
    for scoring in (None, make_scorer(entity_f1_score)):
        search = GridSearchCV(make(max_epochs=5), grid, cv=2, scoring=scoring).fit(X, Y)
        assert search.best_params_ == {"learning_rate": 2e-3}
    found = cross_val_predict(make(max_epochs=1), X, np.array(Y, dtype=object), cv=2)
    assert [len(tags) for tags in found] == [len(row) for row in X]


def test_a_user_class_keeps_what_it_learnt(make, tmp_path):
    free = make(max_epochs=2, constrained=False).fit(X, Y)
    free.save(tmp_path / "model")
    free.set_params(constrained=True)
    assert load(tmp_path / "model").predict(NEW).tolist() == free.predict(NEW).tolist()


@pytest.mark.slow
def test_random_unicode_of_every_category(fitted):
    import unicodedata

    rng = np.random.RandomState(0)
    by_category = {}
    for code in range(0, sys.maxunicode + 1, 3):
        by_category.setdefault(unicodedata.category(chr(code)), []).append(chr(code))
    rows = [
        ["".join(rng.choice(characters, rng.randint(0, 5))) for _ in range(rng.randint(0, 50))]
        for characters in by_category.values()
        for _ in range(8)
    ]
    assert [len(tags) for tags in fitted.predict(rows)] == [len(row) for row in rows]
    texts = [" ".join(row) for row in rows]
    for span in fitted.predict_spans(texts).itertuples():
        assert texts[span.row][span.start : span.end] == span.text


def test_schemes_without_rules_are_read_leniently(make):
    rows = [["red", "cat"], ["the", "dog"], ["blue"]] * 20
    tags = [["B-P", "I-P"], ["O", "O"], ["S-P"]] * 20
    tagger = make().fit(rows, tags)
    assert tagger.scheme_ == "lenient"
    assert tagger.score(rows, tags) == 1
    assert tagger.predict(rows[:3]).tolist() == tags[:3]


def test_early_stopping_waits_while_the_loss_falls(make):
    # The F1 of entities is 0 for some epochs: most words are none.
    rows, tags = [["the"] * 9 + ["red"]] * 48, [["O"] * 9 + ["B-X"]] * 48
    tagger = make(max_epochs=30, early_stopping=True, learning_rate=3e-4).fit(rows, tags)
    scores = tagger.history_["valid_score"].to_numpy()
    assert (scores[:3] == 0).all()
    assert tagger.best_score_ == 1


def test_rare_tags_may_be_weighed(make):
    rows = [["cat", "dog"]] * 19 + [["pig", "cow"]]
    tags = [["O", "B-X"]] * 19 + [["O", "B-RARE"]]
    for seed in (5, 7, 10):
        make(
            max_epochs=1, class_weight={"B-RARE": 5.0}, early_stopping=True, random_state=seed
        ).fit(rows, tags)
    with pytest.raises(ValueError, match="it names 'B-NONE', which y does not hold, and not"):
        make(max_epochs=1, class_weight={"B-NONE": 5.0}).fit(rows, tags)  # as in scikit-learn
    for weight in ("2", None, -1.0):
        with pytest.raises(ValueError, match="class_weight must hold finite weights"):
            make(class_weight={"B-X": weight}).fit(rows, tags)


def test_weights_of_validation_rows_have_mean_one(make):
    config = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
             "intermediate_size": 32, "vocab_size": 120, "max_position_embeddings": 60}  # fmt: skip
    rows, tags = [["cat"], ["the"] * 40], [["B-X"], ["O"] * 40]
    for weights in ([1, 1], [1000, 1], [1, 1000]):
        tagger = make(BertConfig(**small, **config), learning_rate=1e-12, max_epochs=1)
        tagger.fit(
            rows, tags, sample_weight=weights, X_val=rows, y_val=tags, sample_weight_val=weights
        )
        history = tagger.history_
        np.testing.assert_allclose(history["train_loss"], history["valid_loss"], rtol=1e-5)


@pytest.mark.parametrize(
    ("params", "y", "message"),
    [
        ({"scoring": "f1_macro"}, Y, "The 'scoring' parameter of BertTagger"),
        ({}, [[1 if t == "O" else t for t in row] for row in Y], "labels of one kind"),
        ({}, [[0.5 if t == "O" else 1.5 for t in row] for row in Y], "Unknown label type"),
        ({"scheme": "lenient"}, [["N"] * len(row) for row in Y], "With scheme='lenient' tags"),
    ],
)
def test_still_more_refusals(make, params, y, message):
    with pytest.raises(ValueError, match=message):
        make(**params).fit(X, y)


def test_a_warm_start_keeps_the_scheme(make):
    tagger = make(max_epochs=1, warm_start=True).fit(X, Y)
    with pytest.raises(ValueError, match="scheme must be 'IOB2', as in the fit before"):
        tagger.set_params(scheme="plain").fit(X, Y)


def test_enumerations_and_frames_of_tags(make, tmp_path):
    from enum import Enum

    class Kind(str, Enum):  # noqa: UP042
        ONE = "one"
        TWO = "two"

    tagger = make(max_epochs=1).fit(X, [[Kind.ONE if t == "O" else Kind.TWO for t in y] for y in Y])
    tagger.save(tmp_path / "model")
    assert load(tmp_path / "model").classes_.tolist() == ["one", "two"]
    frames = (pd.DataFrame({"y": Y}), pl.DataFrame({"y": Y}), pa.table({"y": Y}))
    expected = make(max_epochs=1).fit(X, Y).predict(NEW).tolist()
    for frame in frames:
        assert make(max_epochs=1).fit(X, frame).predict(NEW).tolist() == expected
    assert tagger.predict([pl.Series(["cat", "red"])]).shape == (1,)


def test_spans_do_not_depend_on_other_rows(fitted):
    rows = NEW * 3
    together = fitted.predict_spans(rows)
    for row in (0, 50, 100):
        alone = fitted.predict_spans([rows[row]])["score"].tolist()
        assert together.loc[together["row"] == row, "score"].tolist() == alone
    assert fitted.predict_spans([[]])["label"].dtype == object
    with pytest.raises(ValueError, match="must hold texts, but row 0 is None"):
        fitted.predict_spans([None, "red cat"])


def test_types_may_be_called_like_averages():
    assert entity_f1_score([["B-micro avg"]], [["B-micro avg"]]) == 1
