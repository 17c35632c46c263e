import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.datasets import make_classification

from sktransformers.tasks import probing
from sktransformers.tasks.probing import probed_head


def blobs(n_classes, flip=0.0, n_rows=300):
    X, y = make_classification(
        n_rows, 40, n_informative=10, n_classes=n_classes, flip_y=flip, class_sep=2, random_state=0
    )
    return X * 0.03 + 0.05, y  # the size and the mean of what a BERT pooler gives


@pytest.mark.parametrize("n_classes", [2, 5])
def test_the_head_predicts_unseen_rows(n_classes):
    X, y = blobs(n_classes)
    weight, bias = probed_head(X[:200], y[:200], np.ones(200), n_classes)
    assert weight.shape == (n_classes, 40)
    assert bias.shape == (n_classes,)
    assert ((X[200:] @ weight.T + bias).argmax(1) == y[200:]).mean() > 0.7


def test_it_is_no_surer_of_its_rows_than_right_about_others():
    X, y = blobs(3, flip=0.3)
    weight, bias = probed_head(X[:200], y[:200], np.ones(200), 3)

    def loss(rows):
        logits = log_softmax(X[rows] @ weight.T + bias, axis=1)
        return -logits[np.arange(len(rows)), y[rows]].mean()

    seen, unseen = loss(np.arange(200)), loss(np.arange(200, 300))
    assert seen > 0.8 * unseen  # at full strength it is a third
    assert unseen < np.log(3)


def test_a_feature_that_dropout_shakes_more_than_it_says_counts_little(monkeypatch):
    X, y = blobs(2)
    X = X + 5
    dropped = X * (np.random.RandomState(0).random_sample(X.shape) > 0.1) / 0.9

    def shaken():
        weight, _ = probed_head(X, y, np.ones(300), 2)
        return ((dropped - X) @ (weight[1] - weight[0])).std()

    with_care = shaken()
    monkeypatch.setattr(probing, "_DROPOUT", 0.0)
    assert with_care < 0.2 * shaken()


def test_only_the_ratios_of_weights_count():
    X, y = blobs(2, n_rows=60)
    weights = np.random.RandomState(0).randint(1, 4, 60).astype(float)
    small, large = probed_head(X, y, weights, 2), probed_head(X, y, 100 * weights, 2)
    np.testing.assert_allclose(small[0], large[0], rtol=1e-9)
    even = probed_head(X, y, np.ones(60), 2)
    assert not np.allclose(small[0], even[0])


def test_no_head_without_skill_or_with_too_few_rows():
    rng = np.random.RandomState(0)
    for _ in range(5):
        X = rng.randn(200, 40)
        head = probed_head(X, rng.randint(2, size=200), np.ones(200), 2)
        assert head is None or np.abs(X @ head[0].T).max() < 0.3  # by chance, and then hardly one
    assert probed_head(rng.randn(4, 40), np.array([0, 0, 1, 1]), np.ones(4), 2) is None
    assert probed_head(rng.randn(20, 40), np.zeros(20, int), np.ones(20), 2) is None
