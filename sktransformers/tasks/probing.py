"""A classification head that starts from what the pretrained encoder already tells apart.

A head drawn at random has to be learnt first, and with ten rows for each of 77 classes there are
no steps left after that: fine-tuning then loses to logistic regression on frozen vectors. A head
that starts from a linear probe does not ("LP-FT": Kumar et al., 2022, arXiv:2202.10054). But a
probe at full strength fits a few hundred rows perfectly and leaves no gradient to learn from. So
it is made only as sure of its own rows as it is right about rows that it has not seen.
"""

import warnings

import numpy as np
from scipy.optimize import brentq
from scipy.special import log_softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

__all__ = ["probed_head"]

_STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)  # C of the regression, for standardised features
_FOLDS = 3
_DROPOUT = 0.1  # what the heads of BERT and its like drop in training
_RAREST = 1e-6  # the probability of a class that a fold has not seen


def probed_head(features, targets, weights, n_classes):
    """Fit a logistic regression, as sure of its rows as it is right about others.

    Its strength is chosen by log-loss on unseen rows, over three folds. Then its logits are scaled
    down until the log-loss on its own rows is that one.

    Parameters
    ----------
    features : ndarray of shape (n_rows, n_features)
        The inputs of the output layer. Repeated rows would leak between folds: merge them first.
    targets : ndarray of shape (n_rows,), int
    weights : ndarray of shape (n_rows,)
    n_classes : int

    Returns
    -------
    (weight, bias) or None
        Arrays of shape (n_classes, n_features) and (n_classes,). None where the probe has no skill,
        or where rows are too few to tell.
    """
    n_present = len(np.unique(targets))
    if n_present < n_classes or len(targets) < _FOLDS * n_classes:
        return None
    weights = weights / weights.mean()  # the strength then means the same for any size of weights
    mean = np.average(features, axis=0, weights=weights)
    spread = _spread(features, mean, weights)
    standard = (features - mean) / spread

    unseen = _unseen(standard, targets, weights, n_classes)
    losses = {strength: _log_loss(found, targets, weights) for strength, found in unseen.items()}
    strength = min(losses, key=losses.get)
    frequencies = np.bincount(targets, weights, minlength=n_classes) / weights.sum()
    if losses[strength] >= _log_loss(np.log(frequencies)[None], targets, weights):
        return None
    coef, intercept = _regression(standard, targets, weights, strength)
    logits = standard @ coef.T + intercept

    def surplus(scale):
        seen = _log_loss(log_softmax(scale * logits, axis=1), targets, weights)
        return seen - losses[strength]

    scale = 1.0 if surplus(1.0) >= 0 else brentq(surplus, 0.0, 1.0, xtol=1e-4)
    weight = coef * scale / spread
    return weight, intercept * scale - weight @ mean


def _spread(features, mean, weights):
    """Standard deviation of the features as training sees them, dropout's noise included.

    A feature that hardly varies around a large mean would else get a large weight, and then
    dropping it would shake the logits (dropout as a penalty: Wager et al., 2013,
    arXiv:1307.1493).
    """
    variance = np.average((features - mean) ** 2, axis=0, weights=weights)
    noise = np.average(features**2, axis=0, weights=weights) * _DROPOUT / (1 - _DROPOUT)
    return np.sqrt(variance + noise).clip(min=1e-12)


def _folds(targets):
    """A fold for each row, so that each holds its share of every class."""
    order = np.random.RandomState(0).permutation(len(targets))
    order = order[np.argsort(targets[order], kind="stable")]
    fold = np.empty(len(targets), dtype=int)
    fold[order] = np.arange(len(targets)) % _FOLDS
    return fold


def _unseen(standard, targets, weights, n_classes):
    """For each strength, log-probabilities of every row from a regression that has not seen it."""
    shape, fold = (len(targets), n_classes), _folds(targets)
    outputs = {strength: np.full(shape, np.log(_RAREST)) for strength in _STRENGTHS}
    for k in range(_FOLDS):
        train, test = fold != k, fold == k
        classes, codes = np.unique(targets[train], return_inverse=True)
        seen, others, own = standard[train], standard[test], weights[train]
        for strength in _STRENGTHS:
            coef, intercept = _regression(seen, codes, own, strength)
            logits = log_softmax(others @ coef.T + intercept, axis=1)
            outputs[strength][np.ix_(test, classes)] = logits
    return outputs


def _regression(standard, codes, weights, strength):
    """Coefficients and intercepts, one row a class also where there are two."""
    probe = LogisticRegression(C=strength, tol=1e-2, max_iter=100)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a start need not be an optimum
        probe.fit(standard, codes, weights)
    if len(probe.coef_) > 1:
        return probe.coef_, probe.intercept_
    return np.vstack([-probe.coef_, probe.coef_]) / 2, np.array([-0.5, 0.5]) * probe.intercept_


def _log_loss(log_probabilities, targets, weights):
    chosen = np.broadcast_to(log_probabilities, (len(targets), log_probabilities.shape[1]))
    return -np.average(chosen[np.arange(len(targets)), targets], weights=weights)
