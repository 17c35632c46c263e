import numpy as np
import pytest
from conftest import make_texts

from sktransformers import BertClassifier, BertRegressor
from sktransformers.engine import shapes

X, Y = make_texts(24, seed=4)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("model", [None, "tiny"])
def test_a_text_alone_has_the_bits_that_it_has_among_others(precision, model, tiny_bert):
    params = {"max_epochs": 1, "precision": precision, "random_state": 0, "freeze": "backbone"}
    if model:
        params["model"] = tiny_bert
    texts = X + [" ".join(X[:n]) for n in (2, 3, 5)]
    classifier = BertClassifier(**params).fit(X, Y)
    regressor = BertRegressor(**params).fit(X, np.arange(24.0))
    for predict in (classifier.predict_proba, regressor.predict):
        together = predict(texts)
        for n in (1, 2, 4):
            for start in range(0, len(texts) - n, 5):
                assert np.array_equal(
                    predict(texts[start : start + n]), together[start : start + n]
                )


def test_where_fewer_rows_change_bits_all_are_computed(tiny_bert, monkeypatch):
    sizes, seen = [], shapes._seen

    def other(model, task, inputs, precision):
        sizes.append(len(inputs["input_ids"]))
        found = seen(model, task, inputs, precision)
        return found if len(sizes) % 2 else [values + 1e-7 for values in found]

    classifier = BertClassifier(tiny_bert, max_epochs=1, random_state=0).fit(X, Y)
    first = classifier.predict_proba(X)[:1]
    monkeypatch.setattr(shapes, "_seen", other)
    for _ in range(3):
        assert np.array_equal(classifier.predict_proba(X[:1]), first)
    assert len(sizes) == 2  # tried once
    assert sizes[0] > sizes[1] == 1
