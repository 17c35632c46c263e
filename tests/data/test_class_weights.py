import numpy as np
import pandas as pd
import pytest
from sklearn.utils.class_weight import compute_class_weight

from sktransformers.data.class_weights import cell_weights, label_weights

LABELS = np.array(["a", "b", "b", "c"], dtype=object)
CELLS = pd.DataFrame({"a": [1, 0, 0, 0], "b": [0, 1, 1, 0], "c": [0, 0, 0, 1]})
CLASSES = np.array(["a", "b", "c"], dtype=object)


def of_labels(class_weight, weights=None):
    return label_weights(class_weight, CLASSES, LABELS, weights, LABELS, weights)


def of_cells(class_weight, weights=None):
    return cell_weights(class_weight, CELLS, weights, CELLS, weights)


@pytest.mark.parametrize(
    "class_weight",
    [
        {},
        {"a": 2},
        {"a": 2, "b": 1, "c": 3},
        {"a": 2, "b": 1, "c": 3, "d": 9},
    ],
)
def test_dicts_weigh_as_in_scikit_learn(class_weight):
    each = compute_class_weight(class_weight, classes=CLASSES, y=LABELS)
    wanted = each[np.searchsorted(CLASSES.tolist(), LABELS.tolist())]
    np.testing.assert_allclose(of_labels(class_weight), wanted / wanted.mean())
    np.testing.assert_allclose(of_cells(class_weight), [each / each.mean()] * 4)


@pytest.mark.parametrize("weigh", [of_labels, of_cells])
@pytest.mark.parametrize("class_weight", [{"d": 5}, {"a": 2, "d": 5}, {"a": 2, "b": 1, "d": 5}])
def test_unknown_labels_are_refused_as_in_scikit_learn(weigh, class_weight):
    with pytest.raises(ValueError, match="are not in class_weight"):
        compute_class_weight(class_weight, classes=CLASSES, y=LABELS)
    with pytest.raises(ValueError, match="names 'd', which y does not hold, and not '[abc]'"):
        weigh(class_weight)


@pytest.mark.parametrize("weigh", [of_labels, of_cells])
@pytest.mark.parametrize("weights", [None, np.array([0.5, 1.5, 1.0, 1.0])])
def test_some_class_must_keep_a_weight(weigh, weights):
    with pytest.raises(ValueError, match="class_weight must leave some rows a weight, but it is"):
        weigh(dict.fromkeys("abc", 0), weights)
    assert weigh({"a": 0}, weights).mean() == pytest.approx(1)


def test_balanced_columns_weigh_their_zeros_and_ones_the_same():
    weights = np.array([1.0, 2.0, 3.0, 4.0])
    found = of_cells("balanced", weights)
    ones = (found * CELLS.to_numpy()).sum(axis=0)
    np.testing.assert_allclose(ones, found.sum(axis=0) / 2)
