"""Anything in: every outcome is a result of the right shape, or an error that is a sentence.

A seeded run of some cases; ``make fuzz`` runs many.
"""

import os
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import BertConfig, GPT2Config

import sktransformers as skt

CASES = int(os.environ.get("SKT_FUZZ", 25))
pytestmark = pytest.mark.filterwarnings("ignore")
SETTINGS = settings(
    max_examples=CASES,
    deadline=None,
    derandomize="SKT_FUZZ" not in os.environ,
    suppress_health_check=list(HealthCheck),
)
TINY = BertConfig(
    vocab_size=400,
    hidden_size=16,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=16,
    max_position_embeddings=24,
)
TINY_GPT = GPT2Config(vocab_size=300, n_embd=16, n_layer=1, n_head=2, n_positions=24)

# Documented: what is refused, and how.
REFUSALS = (ValueError, TypeError, FloatingPointError)

texts = st.text(max_size=40) | st.sampled_from(
    [
        "",
        " ",
        "a b c",
        "\ud800",
        "\u200b",
        "\u202eabc",
        "👩‍👩‍👧",
        "中文字",
        "a" * 300,
        "word " * 60,
        "\x00",
    ]
)
odd = st.sampled_from([None, float("nan"), 5, b"bytes", pd.NA, [], ["a"], ("a", "b"), np.nan])
labels = st.sampled_from(
    [
        ["x", "y"],
        [0, 1],
        [True, False],
        [1.0, 2.0],
        ["", "\ud800"],
        [0.5, 1.5],
        ["x", None],
        [0, 1, 2],
        ["a", 1],
    ]
)
containers = st.sampled_from(
    [
        list,
        tuple,
        lambda rows: np.array(rows, dtype=object),
        lambda rows: pd.Series(rows, dtype=object),
        lambda rows: pd.DataFrame({"text": rows}, dtype=object),
        lambda rows: pl.Series(rows, dtype=pl.Object),
    ]
)
params = st.fixed_dictionaries(
    {},
    optional={
        "max_epochs": st.sampled_from([1, 2, 0, -1, "auto", None, 1.5]),
        "batch_size": st.sampled_from([1, 3, 8, 0, "8"]),
        "max_length": st.sampled_from([None, 3, 4, 8, 24, 25, 0]),
        "learning_rate": st.sampled_from([1e-3, 1e-5, 0, -1, 1e12, "fast"]),
        "freeze": st.sampled_from([None, 0, 1, 2, "backbone", "head"]),
        "early_stopping": st.booleans(),
        "precision": st.sampled_from(["auto", "float32", "bfloat16", "float64", "int8"]),
        "warmup_ratio": st.sampled_from([0, 0.5, 1, 2]),
    },
)


@st.composite
def rows_of(draw, elements):
    rows = draw(st.lists(elements, min_size=0, max_size=8))
    if rows and draw(st.integers(0, 9)) == 0:
        rows[draw(st.integers(0, len(rows) - 1))] = draw(odd)
    return rows


def attempt(work):
    """What comes out, or None after a refusal that says something."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return work()
        except REFUSALS as error:
            refused = error
    assert not isinstance(refused, UnicodeError), repr(refused)
    assert len(str(refused)) > 20, repr(refused)
    return None


@SETTINGS
@given(rows_of(texts), labels, containers, params, st.integers(0, 5))
def test_classifier(rows, classes, container, params, seed):
    params = {"max_epochs": 1, **params}
    y = [classes[i % len(classes)] for i in range(len(rows))]

    def work():
        model = skt.BertClassifier(TINY, random_state=seed, **params)
        return model.fit(container(rows), y)

    model = attempt(work)
    if model is None:
        return
    found = model.predict_proba(container(rows))
    assert found.shape == (len(rows), len(model.classes_))
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert set(model.predict(rows).tolist()) <= set(model.classes_.tolist())
    other = attempt(lambda: model.predict(container([*rows, "more"])))
    assert other is None or len(other) == len(rows) + 1


numbers = st.floats(allow_nan=True, allow_infinity=True) | st.integers(-(10**6), 10**6)


@SETTINGS
@given(rows_of(texts), st.lists(numbers, min_size=8, max_size=8), containers, params)
def test_regressor(rows, y, container, params):
    params = {"max_epochs": 1, "random_state": 0, **params}
    model = attempt(lambda: skt.BertRegressor(TINY, **params).fit(container(rows), y[: len(rows)]))
    if model is not None:
        found = model.predict(rows)
        assert found.shape == (len(rows),)
        assert np.isfinite(found).all()


@SETTINGS
@given(st.lists(st.lists(texts, max_size=12), max_size=6), params, st.integers(0, 3))
def test_tagger(rows, params, kind):
    names = [["O", "B-X", "I-X"], ["a", "b"], [0, 1], ["S-X", "B-X", "E-X", "O"]][kind]
    tags = [[names[i % len(names)] for i in range(len(row))] for row in rows]
    params = {"max_epochs": 1, "random_state": 0, **params}
    model = attempt(lambda: skt.BertTagger(TINY, **params).fit(rows, tags))
    if model is None:
        return
    found, shares = model.predict(rows), model.predict_proba(rows)
    assert [len(row) for row in found] == [len(row) for row in rows]
    assert [share.shape for share in shares] == [(len(row), len(model.classes_)) for row in rows]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spans = model.predict_spans([" ".join(row) for row in rows])
    assert list(spans) == ["row", "start", "end", "label", "text", "score"]


@SETTINGS
@given(rows_of(texts), containers, params, st.sampled_from([None, "simcse", "contrastive"]))
def test_embedder(rows, container, params, objective):
    params = {"max_epochs": 1, "random_state": 0, "objective": objective, **params}
    y = [i % 2 for i in range(len(rows))] if objective == "contrastive" else None
    model = attempt(lambda: skt.BertEmbedder(TINY, **params).fit(container(rows), y))
    if model is not None:
        found = model.transform(container(rows))
        assert found.shape == (len(rows), 16)
        assert np.isfinite(found).all()


@SETTINGS
@given(rows_of(texts), containers, params)
def test_masked_lm(rows, container, params):
    params = {"max_epochs": 1, "random_state": 0, **params}
    model = attempt(lambda: skt.BertMaskedLM(TINY, **params).fit(container(rows)))
    if model is not None:
        assert model.score_samples(rows).shape == (len(rows),)
        frame = attempt(lambda: model.fill_mask(["a [MASK]", *rows], top_k=2))
        assert frame is None or set(frame["row"]) >= {0}


@SETTINGS
@given(
    rows_of(texts),
    containers,
    params,
    st.fixed_dictionaries(
        {},
        optional={
            "temperature": st.sampled_from([0.0, 1.0, 1e-300, 1e300, -1]),
            "top_k": st.sampled_from([None, 1, 5, 10**6, 0]),
            "top_p": st.sampled_from([None, 1e-9, 0.5, 1.0, 0.0]),
            "repetition_penalty": st.sampled_from([1.0, 1.3, 1e-30, 0.0]),
            "stop": st.sampled_from([None, "a", ["b", "c"], "", 5]),
            "max_new_tokens": st.sampled_from([1, 5, 100, 0]),
        },
    ),
)
def test_generator(rows, container, params, writing):
    if params.get("max_epochs") == "auto":  # 200 steps add nothing here
        params = {**params, "max_epochs": 1}
    params = {"max_epochs": 1, "random_state": 0, "max_new_tokens": 4, **params, **writing}
    model = attempt(lambda: skt.GptGenerator(TINY_GPT, **params).fit(container(rows)))
    if model is None:
        return
    found = attempt(lambda: model.predict(container(rows)))
    if found is not None:
        assert found.shape == (len(rows),)
        assert all(isinstance(text, str) for text in found)
    assert np.isfinite(model.score_samples(rows)).all()


@pytest.mark.parametrize("name", [n for n in skt.__all__ if n[:3] in ("Ber", "Gpt")])
def test_every_estimator_is_under_fuzz(name):
    short = {
        "BertClassifier": test_classifier,
        "BertRegressor": test_regressor,
        "BertTagger": test_tagger,
        "BertEmbedder": test_embedder,
        "BertMaskedLM": test_masked_lm,
        "GptGenerator": test_generator,
    }
    assert callable(short[name])
