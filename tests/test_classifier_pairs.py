"""Pairs of texts, and long texts as windows."""

import warnings

import numpy as np
import pandas as pd
import pytest
from conftest import ANIMALS, COLOURS, make_texts
from scipy.special import softmax

from sktransformers import load

X, Y = make_texts(64)


@pytest.fixture
def make(make_classifier):
    return make_classifier


def make_pairs(n_rows, seed=0):
    """Pairs of words, and whether the second one is of the other kind than the first."""
    rng = np.random.RandomState(seed)
    pairs, labels = [], []
    for _ in range(n_rows):
        first, other = (ANIMALS, COLOURS) if rng.randint(2) else (COLOURS, ANIMALS)
        kind = rng.randint(2)
        pairs.append((rng.choice(first), rng.choice(other if kind else first)))
        labels.append(["same", "other"][kind])
    return pairs, labels


PAIRS, KINDS = make_pairs(64)
NEW_PAIRS, NEW_KINDS = make_pairs(40, seed=1)


def test_pairs_are_learnt(make):
    pairs, kinds = make_pairs(400)
    fitted = make(max_epochs=45, warmup_ratio=0.5).fit(pairs, kinds)
    assert fitted.score(NEW_PAIRS, NEW_KINDS) > 0.8


@pytest.mark.parametrize(
    "kind",
    [
        lambda p: [list(pair) for pair in p],
        lambda p: np.array(p, dtype=object),
        lambda p: pd.DataFrame(p, columns=["a", "b"]),
    ],
)
def test_containers_of_pairs_change_no_bit(make, kind, tmp_path):
    expected = make(max_epochs=1).fit(PAIRS, KINDS).predict_proba(NEW_PAIRS)
    fitted = make(max_epochs=1).fit(kind(PAIRS), KINDS)
    np.testing.assert_array_equal(fitted.predict_proba(kind(NEW_PAIRS)), expected)
    fitted.save(tmp_path / "model")
    again = load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict_proba(kind(NEW_PAIRS)), expected)


def test_the_order_within_a_pair_matters(make):
    fitted = make().fit(PAIRS, KINDS)
    turned = [(b, a) for a, b in NEW_PAIRS]
    assert not np.allclose(fitted.predict_proba(turned), fitted.predict_proba(NEW_PAIRS))


def test_pairs_and_single_texts_are_not_mixed(make):
    fitted = make(max_epochs=1).fit(PAIRS, KINDS)
    with pytest.raises(ValueError, match="X must hold pairs of texts, as X did in fit"):
        fitted.predict(X)
    with pytest.raises(ValueError, match="X_val must hold pairs of texts"):
        make().fit(PAIRS, KINDS, X_val=X[:2], y_val=KINDS[:2])
    single = make(max_epochs=1).fit(X, Y)
    with pytest.raises(ValueError, match="X must hold single texts"):
        single.predict(NEW_PAIRS)


def long_texts(n_rows=48, seed=0):
    """Texts of 40 words of which only the last ten tell the label."""
    rng = np.random.RandomState(seed)
    texts, labels = [], []
    for _ in range(n_rows):
        label = ["animals", "colours"][rng.randint(2)]
        words = [*rng.choice(ANIMALS + COLOURS, 30)]
        texts.append(
            " ".join([*words, *rng.choice(ANIMALS if label == "animals" else COLOURS, 10)])
        )
        labels.append(label)
    return texts, labels


def test_windows_read_what_truncation_cuts(make):
    texts, labels = long_texts(96)
    new, new_labels = long_texts(60, seed=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing is cut, so nothing is told
        windowed = make(max_length=18, stride=4).fit(texts, labels)
        score = windowed.score(new, new_labels)
    with pytest.warns(match="Set stride to read them whole"):
        cut = make(max_length=18).fit(texts, labels)
    with pytest.warns(match="longer than"):
        assert cut.score(new, new_labels) < 0.7
    assert score > 0.8


def test_logits_are_averaged_over_windows(make):
    texts, labels = long_texts()
    fitted = make(max_length=22, stride=0, max_epochs=1).fit(texts, labels)
    halves = [" ".join(texts[0].split()[s : s + 20]) for s in (0, 20)]
    logits = fitted.decision_function(halves)
    assert fitted.decision_function(texts[:1])[0] == pytest.approx(logits.mean(), abs=1e-6)
    three = make(max_length=22, stride=5, max_epochs=1).fit(texts, [i % 3 for i in range(48)])
    np.testing.assert_allclose(
        softmax(three.decision_function(texts), axis=1), three.predict_proba(texts)
    )


def test_a_window_weighs_one_over_the_number_of_windows(make):
    from sktransformers.data.batching import TrainingData
    from sktransformers.data.examples import Examples

    examples = Examples.from_lists([[1]] * 6, 8, rows=[0, 0, 0, 1, 2, 2])
    data = TrainingData(examples, np.array([5, 6, 7]), np.array([1.0, 1.0, 2.0]), 0, None)
    assert data.targets.tolist() == [5, 5, 5, 6, 7, 7]
    np.testing.assert_allclose(data.weights * (4 / 6), [1 / 3, 1 / 3, 1 / 3, 1, 1, 1])
    assert data.weights.mean() == pytest.approx(1)


def test_short_texts_are_the_same_with_and_without_windows(make):
    plain = make(max_epochs=2).fit(X, Y).predict_proba(X)
    windowed = make(max_epochs=2, stride=8).fit(X, Y).predict_proba(X)
    np.testing.assert_array_equal(plain, windowed)


def test_validation_rows_are_whole_rows(make):
    texts, labels = long_texts()
    fitted = make(max_length=18, stride=4, max_epochs=2)
    fitted.fit(texts, labels, X_val=texts, y_val=labels)
    assert fitted.history_["valid_score"].iloc[-1] == fitted.score(texts, labels)
    expected = -np.log(
        fitted.predict_proba(texts)[np.arange(48), np.searchsorted(fitted.classes_, labels)]
    ).mean()
    assert fitted.history_["valid_loss"].iloc[-1] == pytest.approx(expected, rel=1e-5)


def test_columns_of_one_name_are_refused(make):
    frame = pd.DataFrame({"a": ["cat", "red"], "b": ["dog", "blue"]})
    twice = frame.set_axis(["a", "a"], axis=1)
    with pytest.raises(ValueError, match="X must have columns of different names.*'a'. Rename"):
        make().fit(twice, [0, 1])
    fitted = make(max_epochs=1).fit(frame, [0, 1])
    with pytest.raises(ValueError, match="X must have columns of different names"):
        fitted.predict(twice)
    with pytest.raises(ValueError, match="X_val must have columns of different names"):
        make().fit(frame, [0, 1], X_val=twice, y_val=[0, 1])
