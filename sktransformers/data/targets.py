"""Targets in whatever a user holds them: read, and refused where some are missing."""

import math

import numpy as np
from sklearn.utils.validation import column_or_1d

from .inputs import is_missing

__all__ = ["as_labels"]


def as_labels(y, n_rows, name="y"):
    """Read a column of labels, refusing missing ones.

    Parameters
    ----------
    y : array-like of shape (n_rows,)
    n_rows : int
        How many rows X has.
    name : str, default="y"
        How messages call it.

    Returns
    -------
    ndarray of shape (n_rows,)
        With the kind of values that came: str, int, bool, float or object.
    """
    if hasattr(y, "to_pylist"):
        y = y.to_pylist()
    if isinstance(y, (str, bytes)):
        raise ValueError(
            f"{name} must hold one label a row, but the bare string {y!r} came. Pass a list."
        )
    column = y if hasattr(y, "shape") else np.asarray(y, dtype=object)
    if len(getattr(column, "shape", ())) == 0:
        raise ValueError(f"{name} should be a 1d array, got an array of shape () instead.")
    if len(column) != n_rows:
        raise ValueError(
            f"X and {name} must have as many rows as each other, but X has {n_rows} and {name} "
            f"has {len(column)}. Pass one label for each text."
        )
    column = column_or_1d(_plain_array(column), warn=True)
    for row, value in enumerate(column.tolist()):
        if is_missing(value) or (isinstance(value, float) and math.isinf(value)):
            raise ValueError(
                f"{name} must hold a label in every row, but row {row} is {value!r} "
                f"({type(value).__name__}). Fill or drop rows without a label first."
            )
    if column.dtype == object:
        # Only now: np.asarray(["a", nan]) would have made a class called 'nan'. Texts stay objects.
        narrowed = np.asarray(column.tolist())
        if narrowed.dtype.kind in "biuf":
            return narrowed
    return column


def _plain_array(column):
    """An ndarray without extension types: categories become values, nullable ones objects."""
    if isinstance(column, np.ndarray):
        return column
    if hasattr(column, "to_list") and len(column.shape) == 1:
        values = np.empty(len(column), dtype=object)
        values[:] = column.to_list()
        return values
    return np.asarray(column)
