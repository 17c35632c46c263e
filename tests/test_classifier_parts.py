"""Any number of labels for each text, and rows that come in parts."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from conftest import ANIMALS, COLOURS, make_texts
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.preprocessing import MultiLabelBinarizer
from skorch.callbacks import Callback

from sktransformers import load

X, Y = make_texts(64)
NEW, NEW_Y = make_texts(60, seed=1)
WANTED = ["cat", "dog", "red"]
INDICATOR = np.array([[word in text.split() for word in WANTED] for text in X]).astype(int)


@pytest.fixture
def make(make_classifier):
    return make_classifier


def test_labels_are_learnt_each_for_itself(make):
    words = np.array(ANIMALS[:4] + COLOURS[:4])
    rng = np.random.RandomState(0)
    texts = [" ".join(rng.choice(words, 4)) for _ in range(300)]
    y = np.array([[w in t.split() for w in WANTED] for t in texts]).astype(int)
    fitted = make(max_epochs=20).fit(texts[:250], y[:250])
    predicted = fitted.predict(texts[250:])
    assert predicted.shape == (50, 3)
    assert set(np.unique(predicted)) <= {0, 1}
    assert f1_score(y[250:], predicted, average="micro") > 0.8
    probabilities = fitted.predict_proba(texts[250:])
    assert ((probabilities > 0.5) == predicted).all()
    np.testing.assert_allclose(np.exp(fitted.predict_log_proba(texts[250:])), probabilities)
    assert ((fitted.decision_function(texts[250:]) > 0) == predicted).all()
    assert fitted.score(texts[250:], y[250:]) == accuracy_score(y[250:], predicted)
    assert fitted.classes_.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "kind",
    [
        scipy.sparse.csr_matrix,
        scipy.sparse.coo_array,
        lambda y: y.astype(bool),
        lambda y: y.tolist(),
        lambda y: y.astype(float),
        lambda y: pd.DataFrame(y, columns=WANTED),
    ],
)
def test_containers_of_indicators_change_no_bit(make, kind, tmp_path):
    expected = make(max_epochs=1).fit(X, INDICATOR).predict_proba(NEW)
    fitted = make(max_epochs=1).fit(X, kind(INDICATOR))
    np.testing.assert_array_equal(fitted.predict_proba(NEW), expected)
    fitted.save(tmp_path / "model")
    again = load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict_proba(NEW), expected)
    assert again.classes_.tolist() == fitted.classes_.tolist()


def test_columns_of_a_frame_name_the_classes(make):
    frame = pd.DataFrame(INDICATOR, columns=WANTED)
    fitted = make(max_epochs=2).fit(X, frame, X_val=X, y_val=frame)
    assert fitted.classes_.tolist() == WANTED
    assert fitted.history_["valid_score"].iloc[-1] == fitted.score(X, frame)
    with pytest.raises(ValueError, match=r"y_val must have the columns \['cat', 'dog', 'red'\]"):
        make().fit(X, frame, X_val=X, y_val=frame[["dog", "cat", "red"]])


def test_sklearns_tools_for_several_labels(make):
    predicted = cross_val_predict(make(max_epochs=1), X, INDICATOR, cv=2)
    assert predicted.shape == INDICATOR.shape
    search = GridSearchCV(make(max_epochs=1), {"batch_size": [8]}, cv=2, scoring="f1_micro")
    assert search.fit(X, INDICATOR).best_score_ >= 0
    early = make(early_stopping=True, scoring="f1_micro").fit(X, INDICATOR)
    assert early.best_epoch_ >= 1


def test_class_weights_weigh_columns(make):
    frame = pd.DataFrame(INDICATOR, columns=WANTED)
    plain = make(max_epochs=6).fit(X, frame).predict_proba(NEW)
    even = make(max_epochs=6, class_weight=dict.fromkeys(WANTED, 2.0)).fit(X, frame)
    np.testing.assert_allclose(even.predict_proba(NEW), plain, atol=1e-6)
    balanced = make(max_epochs=6, class_weight="balanced").fit(X, frame).predict_proba(NEW)
    assert (balanced.mean(0) > plain.mean(0) + 0.1).all()  # 0s are far more frequent than 1s


def test_sets_of_labels_and_other_numbers_are_refused(make):
    with pytest.raises(ValueError, match=r"row 0 is \['a'\].*MultiLabelBinarizer"):
        make().fit(X, [["a"], ["a", "b"]] * 32)
    with pytest.raises(ValueError, match=r"row 0 is \('a', 'b'\).*MultiLabelBinarizer"):
        make().fit(["x", "y"], [("a", "b"), ("b",)])
    bad = INDICATOR.copy()
    bad[3, 1] = 2
    with pytest.raises(ValueError, match="0 or 1 in every cell, but row 3, column 1 is .*2"):
        make().fit(X, bad)
    made = MultiLabelBinarizer().fit_transform([("a", "b"), ("b",)] * 32)
    assert make(max_epochs=1).fit(X, made).predict(NEW).shape == (60, 2)


CLASSES = ["animals", "colours"]


def in_parts(estimator, n_passes=8, size=16, **params):
    for _ in range(n_passes):
        for start in range(0, 64, size):
            part = slice(start, start + size)
            estimator.partial_fit(X[part], Y[part], classes=CLASSES, **params)
    return estimator


def test_parts_are_learnt(make):
    fitted = in_parts(make(learning_rate=1e-3))
    assert fitted.score(NEW, NEW_Y) > 0.85
    assert fitted.n_iter_ == 32
    assert fitted.history_.index.tolist() == list(range(1, 33))
    assert (fitted.history_["learning_rate"] == 1e-3).all()


def test_moments_live_between_calls_and_are_left_out_of_pickles(make, tmp_path):
    first = make(learning_rate=3e-3).partial_fit(X, Y, classes=CLASSES)
    size = len(pickle.dumps(first))
    back = pickle.loads(pickle.dumps(first))
    first.save(tmp_path / "model")
    assert size < 1.2 * len(pickle.dumps(make(max_epochs=1).fit(X, Y)))
    with_moments = first.partial_fit(X, Y).predict_proba(NEW)
    without = back.partial_fit(X, Y).predict_proba(NEW)
    assert not np.allclose(with_moments, without, atol=1e-4)
    again = load(tmp_path / "model").partial_fit(X, Y).predict_proba(NEW)
    np.testing.assert_array_equal(again, without)


def test_a_call_that_fails_leaves_the_moments_alone(make):
    class Stop(Callback):
        def on_batch_end(self, net, **kwargs):
            if len(net.history[-1, "batches"]) == 2:
                raise RuntimeError("in a callback")

    one, other = (make(learning_rate=3e-3).partial_fit(X, Y, classes=CLASSES) for _ in range(2))
    with pytest.raises(RuntimeError, match="in a callback"):
        one.set_params(callbacks=[Stop()], batch_size=8).partial_fit(X, Y)
    one.set_params(callbacks=None, batch_size=other.batch_size)
    after = [model.partial_fit(X, Y).predict_proba(NEW) for model in (one, other)]
    np.testing.assert_array_equal(*after)


def test_the_same_calls_give_the_same_bits(make):
    one, other = (in_parts(make(), n_passes=1).predict_proba(NEW) for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_it_goes_on_from_fit(make):
    fitted = make().fit(X, Y)
    before, model = fitted.score(NEW, NEW_Y), fitted.model_
    fitted.set_params(learning_rate=1e-5).partial_fit(X[:16], Y[:16])
    assert fitted.score(NEW, NEW_Y) >= before - 0.05
    assert fitted.model_ is not model
    assert fitted.n_iter_ == 13


def test_what_scikit_learn_asks_of_partial_fit(make):
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        make().partial_fit(X, Y)
    fitted = make().partial_fit(X[:8], Y[:8], classes=CLASSES)
    with pytest.raises(ValueError, match="classes must be .*as in the call before"):
        fitted.partial_fit(X, Y, classes=["other", "classes"])
    before = fitted.predict_proba(NEW)
    with pytest.raises(ValueError, match="row 0 holds 'zebra'"):
        fitted.partial_fit(["cat"], ["zebra"])
    np.testing.assert_array_equal(fitted.predict_proba(NEW), before)
    fitted.partial_fit(["cat"], ["animals"])  # one class is enough now
    with pytest.raises(ValueError, match="X must hold single texts"):
        fitted.partial_fit([("cat", "dog")], ["animals"])
    with pytest.raises(ValueError, match="early_stopping must be False"):
        make(early_stopping=True).partial_fit(X, Y, classes=CLASSES)
    with pytest.raises(ValueError, match="class_weight must be None or a dict"):
        make(class_weight="balanced").partial_fit(X, Y, classes=CLASSES)
    weighted = make(class_weight={"animals": 9, "colours": 1}).partial_fit(X, Y, classes=CLASSES)
    plain = make().partial_fit(X, Y, classes=CLASSES)
    assert weighted.predict_proba(NEW)[:, 0].mean() > plain.predict_proba(NEW)[:, 0].mean()


def test_parts_with_several_labels(make):
    fitted = make().partial_fit(X[:32], INDICATOR[:32]).partial_fit(X[32:], INDICATOR[32:])
    assert fitted.predict(NEW).shape == (60, 3)
    with pytest.raises(ValueError, match="of the kind that the classifier was fitted on"):
        fitted.partial_fit(X, Y, classes=[0, 1, 2])


@pytest.mark.parametrize(
    ("classes", "came"),
    [
        (["animals"], "needs at least 2 classes in classes, but classes holds only one.*animals"),
        ([0.5, 1.5], "Unknown label type"),
        ([], "classes must be a list of all labels, but it is empty"),
        (5, "classes must be a list of all labels, but 5 "),
    ],
)
def test_classes_of_parts_are_checked(make, classes, came):
    with pytest.raises(ValueError, match=came):
        make().partial_fit(X, Y, classes=classes)


def test_classes_of_parts_with_several_labels_are_the_columns(make):
    frame = pd.DataFrame(INDICATOR, columns=WANTED)
    for classes in (["cat", "dog"], WANTED[::-1], [0, 1, 2]):
        with pytest.raises(ValueError, match=r"classes must be \['cat', .*, the columns of y, but"):
            make().partial_fit(X, frame, classes=classes)
    fitted = make().partial_fit(X, frame, classes=WANTED).partial_fit(X, frame, classes=WANTED)
    assert fitted.classes_.tolist() == WANTED
    assert make().partial_fit(X, INDICATOR, classes=[0, 1, 2]).classes_.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="y must have the columns"):
        fitted.partial_fit(X, frame[WANTED[::-1]])


def test_other_columns_are_not_scored(make):
    frame = pd.DataFrame(INDICATOR, columns=WANTED)
    fitted = make(max_epochs=1).fit(X, frame)
    assert fitted.score(X, frame) == fitted.score(X, INDICATOR)
    for other in (frame[WANTED[::-1]], frame[WANTED[:2]], frame.rename(columns={"cat": "x"})):
        with pytest.raises(ValueError, match=r"y must have the columns \['cat', 'dog', 'red'\]"):
            fitted.score(X, other)
    with pytest.raises(ValueError, match="y must be an indicator matrix, as y was in fit"):
        fitted.score(X, Y)


@pytest.mark.parametrize("scoring", [None, "loss"])
def test_validation_targets_of_another_kind_are_refused(make, scoring):
    frame = pd.DataFrame(INDICATOR, columns=WANTED)
    estimator = make(max_epochs=1, scoring=scoring)
    with pytest.raises(ValueError, match="y_val must hold one label a row, as y did in fit, but"):
        estimator.fit(X, Y, X_val=X, y_val=frame)
    with pytest.raises(ValueError, match="y_val must be an indicator matrix, as y was in fit, but"):
        estimator.fit(X, frame, X_val=X, y_val=Y)


def test_tables_of_pyarrow_change_no_bit(make):
    import pyarrow as pa

    frame = pd.DataFrame(INDICATOR, columns=WANTED)
    expected = make(max_epochs=1).fit(X, frame).predict_proba(NEW)
    fitted = make(max_epochs=1).fit(X, pa.Table.from_pandas(frame))
    assert fitted.classes_.tolist() == WANTED
    np.testing.assert_array_equal(fitted.predict_proba(NEW), expected)
    assert fitted.score(X, pa.Table.from_pandas(frame)) == fitted.score(X, frame)
