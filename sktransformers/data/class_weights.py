"""Weights of labels, joined with those of rows."""

from numbers import Real

import numpy as np
from sklearn.utils.class_weight import compute_class_weight

__all__ = ["check_class_weight", "label_weights"]


def check_class_weight(class_weight):
    """Refuse weights that are negative or not finite."""
    for label, weight in class_weight.items() if isinstance(class_weight, dict) else ():
        if not (isinstance(weight, Real) and np.isfinite(weight) and weight >= 0):
            raise ValueError(
                "class_weight must hold finite weights of zero or more, but it holds "
                f"{weight!r} for {label!r}. Give each class a positive weight."
            )


def label_weights(class_weight, classes, labels, weights, counted, counted_weights):
    """Multiply the weights of rows, or of words, by those of their labels.

    Parameters
    ----------
    class_weight : dict or "balanced"
    classes : ndarray
        All labels that are known.
    labels : ndarray of shape (n,)
    weights : ndarray of shape (n,) or None
    counted : ndarray of shape (m,)
        The labels that "balanced" counts: those that are learnt from.
    counted_weights : ndarray of shape (m,) or None

    Returns
    -------
    ndarray of shape (n,), float64
        With mean 1.
    """
    check_class_weight(class_weight)
    if isinstance(class_weight, dict):
        known = {label: class_weight.get(label, 1.0) for label in classes.tolist()}
    else:
        present = np.unique(counted)
        each = compute_class_weight(
            class_weight, classes=present, y=counted, sample_weight=counted_weights
        )
        known = dict(zip(present.tolist(), each))
    found = np.array([known.get(label, 1.0) for label in labels.tolist()])
    if weights is not None:
        found = found * weights
    if len(labels) == len(counted) and not found.any():
        raise ValueError(
            "class_weight must leave some rows a weight, but it is zero for every class in y. "
            "Give each class a positive weight."
        )
    return found / (found.mean() or 1.0)
