from itertools import chain

import numpy as np
import pytest
import seqeval.metrics
import seqeval.scheme
from sklearn.metrics import accuracy_score, classification_report
from test_schemes import random_rows

from sktransformers.metrics import entity_f1_score, entity_report, tag_report


def pair(scheme, seed):
    """True and predicted tags that agree in most places."""
    rng = np.random.RandomState(seed)
    true, noise = random_rows(scheme, seed), random_rows(scheme, seed + 1000)
    pool = [tag for row in noise for tag in row]
    pred = [[tag if rng.rand() < 0.8 else rng.choice(pool) for tag in row] for row in true]
    return true, pred


@pytest.mark.parametrize("average", ["micro", "macro", "weighted"])
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("scheme", ["IOB1", "IOB2", "IOE1", "IOE2", "IOBES", "BILOU"])
def test_f1_is_seqevals(scheme, seed, average):
    true, pred = pair(scheme, seed)
    expected = seqeval.metrics.f1_score(
        true, pred, average=average, mode="strict", scheme=getattr(seqeval.scheme, scheme),
        zero_division=0,
    )  # fmt: skip
    found = entity_f1_score(true, pred, scheme=scheme, average=average)
    assert found == pytest.approx(expected, abs=1e-12)
    assert 0 < found < 1
    if scheme != "BILOU":
        expected = seqeval.metrics.f1_score(true, pred, average=average, zero_division=0)
        assert entity_f1_score(true, pred, average=average) == pytest.approx(expected, abs=1e-12)


def test_the_report_is_seqevals():
    true, pred = pair("IOB2", 3)
    expected = seqeval.metrics.classification_report(true, pred, output_dict=True, zero_division=0)
    found = entity_report(true, pred)
    assert list(found.index) == list(expected)
    for name, row in expected.items():
        np.testing.assert_allclose(found.loc[name].to_numpy(float), [*row.values()], atol=1e-12)
    assert found["support"].dtype == int


def test_weights_count_rows():
    true, pred = pair("IOB2", 4)
    weights = np.random.RandomState(0).randint(0, 3, len(true))
    repeated = [np.repeat(np.arange(len(true)), weights)]
    again = [[rows[i] for i in repeated[0]] for rows in (true, pred)]
    weighted = entity_report(true, pred, sample_weight=weights)
    np.testing.assert_allclose(weighted, entity_report(*again).loc[weighted.index], atol=1e-12)
    np.testing.assert_allclose(
        tag_report(true, pred, sample_weight=weights).loc["micro avg", "f1"],
        accuracy_score(*[list(chain.from_iterable(rows)) for rows in again]),
    )


def test_tags_one_by_one():
    rng = np.random.RandomState(0)
    true, pred = ([rng.choice(["N", "V", 3], 7).tolist() for _ in range(20)] for _ in range(2))
    found = tag_report(true, pred)
    flat = [list(chain.from_iterable(rows)) for rows in (true, pred)]
    expected = classification_report(*flat, output_dict=True)
    for name in ("3", "N", "V", "macro avg", "weighted avg"):
        np.testing.assert_allclose(found.loc[name], [*expected[name].values()])
    assert found.loc["micro avg", "f1"] == pytest.approx(expected["accuracy"])


def test_nothing_found_is_nought():
    assert entity_f1_score([["O"], []], [["O"], []]) == 0
    assert entity_f1_score([["B-X"]], [["O"]]) == 0
    assert list(entity_report([["O"]], [["O"]]).index) == [
        "micro avg",
        "macro avg",
        "weighted avg",
    ]


@pytest.mark.parametrize(
    ("true", "pred", "params", "message"),
    [
        ([["O"]], [["O", "O"]], {}, "row 0 has 1 and 2"),
        ([["O"]], [], {}, "inconsistent numbers of samples"),
        ([["NOUN"]], [["B-X"]], {}, "but they hold 'NOUN'. For plain tags use tag_report"),
        ([["B-X"]], [["B-X"]], {"scheme": "IOE2"}, r"must be in IOE2, but some start with \['B'\]"),
        ([["B-X"]], [["B-X"]], {"scheme": "BIO"}, "scheme must be None, 'auto' or one of"),
        ([["B-X"]], [["B-X"]], {"average": "none"}, "average must be"),
        ([["B-X"]], [["B-X"]], {"sample_weight": [1, 2]}, "one weight for each of 1 rows"),
    ],
)
def test_what_cannot_be_scored(true, pred, params, message):
    with pytest.raises(ValueError, match=message):
        entity_f1_score(true, pred, **params)


def test_auto_reads_to_the_letter():
    true, pred = [["B-X", "I-X", "O"], ["B-X"]], [["I-X", "I-X", "O"], ["B-X"]]
    assert entity_f1_score(true, pred) == 1
    assert entity_f1_score(true, pred, scheme="auto") == pytest.approx(2 / 3)
