import numpy as np
import pandas as pd
import pytest
from conftest import ANIMALS, COLOURS
from sklearn.metrics import r2_score

from sktransformers import BertRegressor, load


def counted(n_rows, seed=0):
    """Texts, and how many of their six words are animals."""
    rng = np.random.RandomState(seed)
    animals = rng.randint(0, 7, n_rows)
    texts = [
        " ".join(rng.permutation([*rng.choice(ANIMALS, n), *rng.choice(COLOURS, 6 - n)]))
        for n in animals
    ]
    return texts, animals.astype(float)


X, Y = counted(160)
NEW, NEW_Y = counted(60, seed=1)


@pytest.fixture
def make(tiny_bert):
    settings = {
        "max_epochs": 15,
        "learning_rate": 2e-3,
        "batch_size": 16,
        "precision": "float32",
        "device": "cpu",
        "random_state": 0,
    }
    return lambda **params: BertRegressor(tiny_bert, **{**settings, **params})


def test_it_learns(make):
    fitted = make().fit(X, Y)
    assert fitted.score(NEW, NEW_Y) > 0.8
    assert fitted.predict(NEW).shape == (60,)
    assert fitted.predict(NEW).dtype == np.float64
    assert fitted.target_mean_ == pytest.approx(Y.mean())
    assert fitted.target_scale_ == pytest.approx(Y.std())


def test_units_do_not_matter(make):
    plain = make(max_epochs=3).fit(X, Y).predict(NEW)
    scaled = make(max_epochs=3).fit(X, 1e6 * Y - 3e7).predict(NEW)
    np.testing.assert_allclose((scaled + 3e7) / 1e6, plain, atol=1e-4)


def test_several_outputs(make, tmp_path):
    both = np.c_[Y, 1000 - 100 * Y]
    fitted = make().fit(X, both, X_val=NEW, y_val=np.c_[NEW_Y, 1000 - 100 * NEW_Y])
    predicted = fitted.predict(NEW)
    assert predicted.shape == (60, 2)
    assert r2_score(np.c_[NEW_Y, 1000 - 100 * NEW_Y], predicted) > 0.7
    fitted.save(tmp_path / "model")
    np.testing.assert_array_equal(load(tmp_path / "model").predict(NEW), predicted)
    column = make(max_epochs=1).fit(X, Y[:, None])
    assert column.predict(NEW).shape == (60, 1)


@pytest.mark.parametrize(
    "kind",
    [list, pd.Series, lambda y: pd.Series(y, dtype="Float64"), lambda y: y.astype(int).tolist()],
)
def test_containers_of_numbers_change_no_bit(make, kind):
    expected = make(max_epochs=1).fit(X, Y).predict(NEW)
    np.testing.assert_array_equal(make(max_epochs=1).fit(X, kind(Y)).predict(NEW), expected)


def test_mean_and_scale_are_weighted(make):
    weights = np.arange(160.0)
    fitted = make(max_epochs=1).fit(X, Y, sample_weight=weights)
    mean = np.average(Y, weights=weights)
    assert fitted.target_mean_ == pytest.approx(mean)
    assert fitted.target_scale_ == pytest.approx(
        np.sqrt(np.average((Y - mean) ** 2, weights=weights))
    )
    even = make(max_epochs=2).fit(X, Y, sample_weight=np.full(160, 3.0)).predict(NEW)
    np.testing.assert_array_equal(even, make(max_epochs=2).fit(X, Y).predict(NEW))


def test_constant_targets_are_predicted(make):
    fitted = make().fit(X, np.full(160, 7.0))
    np.testing.assert_allclose(fitted.predict(NEW), 7.0, atol=0.2)


@pytest.mark.parametrize("learn", ["fit", "partial_fit"])
def test_constants_that_floats_cannot_hold_are_learnt(make, learn):
    y = np.full(24, 0.1)
    fitted = make(max_epochs=1, warm_start=True)
    for _ in range(2):
        getattr(fitted, learn)(X[:24], y, sample_weight=np.arange(1.0, 25))
        assert fitted.target_scale_ == 1
        np.testing.assert_allclose(fitted.predict(NEW), 0.1, atol=2)
    both = getattr(make(max_epochs=1), learn)(X[:24], np.c_[y, Y[:24]])
    assert both.target_scale_[0] == 1 < both.target_scale_[1]
    np.testing.assert_allclose(both.predict(NEW)[:, 0], 0.1, atol=2)


@pytest.mark.parametrize("unit", [1e160, 1e-170])
def test_units_of_any_size_do_not_matter(make, unit):
    plain = make(max_epochs=2).fit(X, Y).predict(NEW)
    scaled = make(max_epochs=2).fit(X, Y * unit).predict(NEW)
    np.testing.assert_allclose(scaled / unit, plain, atol=1e-4)


@pytest.mark.parametrize("scoring", [None, "loss", "r2"])
@pytest.mark.parametrize(
    ("y", "y_val"),
    [(Y, Y[:, None]), (Y, np.c_[Y, Y]), (Y[:, None], Y), (np.c_[Y, Y], Y[:, None])],
)
def test_validation_targets_of_another_shape_are_refused(make, scoring, y, y_val):
    with pytest.raises(ValueError, match="y_val must have .* as y had in fit, but it has"):
        make(max_epochs=1, scoring=scoring).fit(X, y, X_val=X, y_val=y_val)


@pytest.mark.parametrize("bad", [np.nan, np.inf, None])
def test_missing_numbers_are_named(make, bad):
    y = Y.astype(object)
    y[3] = bad
    with pytest.raises(ValueError, match="y must hold a finite number in every row, but row 3"):
        make().fit(X, y)


def test_words_are_no_numbers(make):
    with pytest.raises(
        ValueError, match="y must hold a finite number in every row, but row 0 is 'many'"
    ):
        make().fit(X, ["many"] * 160)
    with pytest.raises(ValueError, match="BertRegressor requires y to be passed"):
        make().fit(X)


def test_early_stopping_by_r2(make):
    fitted = make(early_stopping=True, validation_fraction=0.25).fit(X, Y)
    assert fitted.best_score_ == fitted.history_["valid_score"].max()
    losses = fitted.history_["valid_loss"]
    assert losses.idxmin() == fitted.best_epoch_ or fitted.best_score_ < 1
    assert fitted.n_iter_ == len(fitted.history_)


def test_parts_and_warm_start_keep_the_scale(make):
    fitted = make(warm_start=True).partial_fit(X[:80], Y[:80])
    mean = fitted.target_mean_
    for _ in range(10):
        fitted.partial_fit(X[80:], Y[80:]).partial_fit(X[:80], Y[:80])
    assert fitted.target_mean_ == mean
    assert fitted.score(NEW, NEW_Y) > 0.5
    with pytest.raises(
        ValueError, match="y must have one dimension, .* two dimensions, with 2 col"
    ):
        fitted.fit(X, np.c_[Y, Y])
    with pytest.raises(ValueError, match="one dimension, .* it has two dimensions, with 1 column"):
        fitted.partial_fit(X, Y[:, None])


def test_pairs_and_windows(make):
    pairs = list(zip(X, X[::-1]))
    assert make(max_epochs=1).fit(pairs, Y).predict(pairs).shape == (160,)
    windowed = make(max_epochs=1, max_length=6, stride=1).fit(X, Y)
    assert windowed.predict(NEW).shape == (60,)
