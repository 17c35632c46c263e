import numpy as np
import pytest

from sktransformers.data.rows import Rows, must_come_together
from sktransformers.data.texts import Texts


def rows(n, weights=None):
    return Rows.weighted(Texts([str(i) for i in range(n)]), np.arange(n), weights)


def test_weights_have_mean_one():
    assert rows(3, [2, 2, 2]).weights.tolist() == [1, 1, 1]
    assert rows(3, [0, 1, 2]).weights.tolist() == [0, 1, 2]
    assert rows(3).weights is None


def test_rows_of_weight_zero_do_not_count():
    left = rows(4, [0, 1, 0, 3]).that_count()
    assert left.texts.first == ["1", "3"]
    assert left.y.tolist() == [1, 3]
    assert left.weights.tolist() == [0.5, 1.5]


def test_bad_weights_are_refused():
    with pytest.raises(ValueError, match="zero"):
        rows(2, [0, 0])
    with pytest.raises(ValueError, match="[Nn]egative"):
        rows(2, [1, -1])


@pytest.mark.parametrize("seed", range(5))
def test_validation_rows_keep_the_shares_of_the_classes(seed):
    strata = np.repeat([0, 1, 2, 3], [50, 30, 19, 1])
    _, valid = rows(100).split(0.2, seed, strata)
    counts = np.bincount(strata[valid.y], minlength=4)
    assert counts.sum() == 20
    assert abs(counts[:3] - [10, 6, 3.8]).max() <= 1
    assert counts[3] == 0  # a class with one row stays in training


def test_more_classes_than_validation_rows():
    strata = np.arange(300) // 2
    train, valid = rows(300).split(0.1, 0, strata)
    assert len(valid) == 30
    assert len(np.unique(strata[train.y])) == 150


def test_nothing_to_spare():
    with pytest.raises(ValueError, match="of 3 rows none can be spared"):
        rows(3).split(0.5, 0, np.arange(3))


@pytest.mark.parametrize(
    ("given", "lacking"),
    [((1, None, None), "y_val"), ((None, 1, None), "X_val"), ((None, None, 1), "X_val and y_val")],
)
def test_validation_rows_come_whole(given, lacking):
    with pytest.raises(
        ValueError, match=f"must come together, but only .* came. Pass {lacking} too"
    ):
        must_come_together(*given)
    must_come_together(1, 1, None)
    must_come_together(None, None, None)
