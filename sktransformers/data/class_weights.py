"""Weights of labels, joined with those of rows."""

import reprlib
from numbers import Real

import numpy as np
from sklearn.utils.class_weight import compute_class_weight

__all__ = ["cell_weights", "label_weights"]


def _check(class_weight, classes):
    """Refuse weights that are negative or not finite, and names that miss their classes."""
    if not isinstance(class_weight, dict):
        return
    for label, weight in class_weight.items():
        if not (isinstance(weight, Real) and np.isfinite(weight) and weight >= 0):
            raise ValueError(
                "class_weight must hold finite weights of zero or more, but it holds "
                f"{weight!r} for {label!r}. Give each class a positive weight."
            )
    unknown = [label for label in class_weight if label not in classes]
    lacking = [label for label in classes if label not in class_weight]
    # As scikit-learn: a class may be left out, or a label too many named, but not both.
    if unknown and lacking:
        raise ValueError(
            f"class_weight must name classes of y, but it names {unknown[0]!r}, which y does not "
            f"hold, and not {lacking[0]!r}. Name only classes, or all of them: "
            f"{reprlib.repr(classes)}."
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
        The labels that "balanced" counts: those that are learnt from, which must keep a weight.
    counted_weights : ndarray of shape (m,) or None

    Returns
    -------
    ndarray of shape (n,), float64
        With mean 1.
    """
    _check(class_weight, classes.tolist())
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
    return _of_mean_one(found, are_counted=labels is counted)


def cell_weights(class_weight, y, weights, counted, counted_weights):
    """Weigh an indicator's cells: by their class, or such that its 0s and 1s weigh the same.

    Parameters
    ----------
    class_weight : dict or "balanced"
    y : DataFrame of shape (n, n_classes)
        The columns are the classes.
    weights : ndarray of shape (n,) or None
    counted : DataFrame of shape (m, n_classes)
        What "balanced" counts: the rows that are learnt from, which must keep a weight.
    counted_weights : ndarray of shape (m,) or None

    Returns
    -------
    ndarray of shape (n, n_classes), float64
        With mean 1.
    """
    _check(class_weight, y.columns.tolist())
    found = np.ones(y.shape)
    for place, name in enumerate(y.columns):
        if isinstance(class_weight, dict):
            found[:, place] = class_weight.get(name, 1.0)
            continue
        known = counted.iloc[:, place].to_numpy()
        present = np.unique(known)
        each = np.ones(2)
        each[present] = compute_class_weight(
            class_weight, classes=present, y=known, sample_weight=counted_weights
        )
        found[:, place] = each[y.iloc[:, place].to_numpy()]
    if weights is not None:
        found *= weights[:, None]
    return _of_mean_one(found, are_counted=y is counted)


def _of_mean_one(found, *, are_counted):
    if are_counted and not found.any():
        raise ValueError(
            "class_weight must leave some rows a weight, but it is zero for every class in y. "
            "Give each class a positive weight."
        )
    return found / (found.mean() or 1.0)
