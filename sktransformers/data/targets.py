"""Targets in whatever a user holds them: read, and refused where some are missing."""

import math

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_array
from sklearn.utils.validation import column_or_1d

from .inputs import as_list, is_frame, is_missing, only_column

__all__ = ["as_indicator", "as_labels", "as_numbers", "as_tag_lists", "is_indicator"]


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
    if hasattr(y, "__array__") and not hasattr(y, "shape"):
        y = np.asarray(y)
    if not isinstance(y, (list, tuple)) and not hasattr(y, "shape"):
        raise ValueError(
            f"{name} should be a 1d array, list or Series of labels, but a {type(y).__name__} "
            "came. Pass list(...) of the labels."
        )
    column = y if hasattr(y, "shape") else np.asarray(y, dtype=object)
    if isinstance(y, np.ma.MaskedArray):
        raise ValueError(f"{name} must not be a masked array. Drop masked rows, and pass a list.")
    if len(column.shape) == 0:
        raise ValueError(f"{name} should be a 1d array, got an array of shape () instead.")
    _check_rows(column, n_rows, name)
    _refuse_sets(column, name)
    column = column_or_1d(_plain_array(column), warn=True)
    for row, value in enumerate(column.tolist()):
        if is_missing(value) or (isinstance(value, float) and math.isinf(value)):
            raise ValueError(
                f"{name} must hold a label in every row, but row {row} is {value!r} "
                f"({type(value).__name__}). Fill or drop rows without a label first."
            )
    if column.dtype.kind == "T":
        column = column.astype(object)
    if column.dtype == object:
        # Only now: np.asarray(["a", nan]) would have made a class called 'nan'. Texts stay objects.
        narrowed = np.asarray(column.tolist())
        if narrowed.dtype.kind in "biuf":
            column = narrowed
    if column.dtype.kind not in "biufUO" or (
        column.dtype.itemsize > 8 and column.dtype.kind == "f"
    ):
        raise ValueError(_unknown_kind(name, column.dtype))
    if column.dtype != object:
        return column
    for value in column:
        if not isinstance(value, (str, int, float, bool, np.generic)):
            raise ValueError(_unknown_kind(name, type(value).__name__))
    are_text = [isinstance(value, str) for value in column]
    if any(are_text) and not all(are_text):
        raise ValueError(
            f"{name} must hold labels of one kind, but it holds text and others, such as "
            f"{column[are_text.index(True)]!r} and {column[are_text.index(False)]!r}. Turn labels "
            "into strings: [str(label) for label in y]."
        )
    if all(are_text) and set(map(type, column)) != {str}:
        column = np.array([value[:] for value in column], dtype=object)  # of enumerations too
    return column


def _unknown_kind(name, came):
    return (
        f"Unknown label type: {name} must hold str, int, bool or whole float labels, but {came} "
        "came. Turn labels into strings: [str(label) for label in y]."
    )


def _refuse_sets(column, name):
    first = column[0] if isinstance(column, np.ndarray) and column.ndim == 1 else None
    if isinstance(first, (list, tuple, set, frozenset)):
        raise ValueError(
            f"{name} must hold one label a row, but row 0 is {first!r}. For several labels a text "
            "pass an indicator matrix: sklearn.preprocessing.MultiLabelBinarizer makes it."
        )


def _plain_array(column):
    """An ndarray without extension types: categories become values, nullable ones objects."""
    if isinstance(column, np.ndarray):
        return column
    if hasattr(column, "to_list") and len(column.shape) == 1:
        values = np.empty(len(column), dtype=object)
        values[:] = column.to_list()
        return values
    return np.asarray(column)


def is_indicator(y):
    """Whether y has several columns: one 0/1 column for each label that a text may have."""
    if isinstance(y, (list, tuple)) and len(y) and isinstance(y[0], (list, tuple, np.ndarray)):
        same = {len(row) if hasattr(row, "__len__") else 0 for row in y}
        return len(same) == 1 and max(same) > 1 and {v for row in y for v in row} <= {0, 1}
    shape = getattr(y, "shape", ())
    return len(shape) == 2 and (shape[1] > 1 or issparse(y))


def as_indicator(y, n_rows, name="y"):
    """Read an indicator matrix: which labels each row has.

    Parameters
    ----------
    y : array, sparse matrix or frame of shape (n_rows, n_classes)
        Of 0 and 1, or False and True.
    n_rows : int
    name : str, default="y"

    Returns
    -------
    DataFrame of shape (n_rows, n_classes), int64
        The columns are the classes: those of a frame, else 0, 1, ...
    """
    import pandas as pd

    if isinstance(y, (list, tuple)):
        y = np.asarray(y)
    columns = [*y.columns] if hasattr(y, "columns") else range(y.shape[1])
    if issparse(y):
        y = y.toarray()
    elif hasattr(y, "to_numpy"):
        y = y.to_numpy()
    _check_rows(y, n_rows, name)
    values = np.asarray(y)
    bad = np.argwhere(~np.isin(values, [0, 1]))
    if len(bad):
        row, column = bad[0]
        raise ValueError(
            f"{name} must hold 0 or 1 in every cell, but row {row}, column "
            f"{[*columns][column]!r} is {values[row, column]!r}. NaN is neither; pass one column "
            "for labels of one kind each."
        )
    return pd.DataFrame(values.astype(np.int64), columns=columns)


def as_tag_lists(y, lengths, name="y"):
    """Read a list of tags for each row of tokens.

    Parameters
    ----------
    y : list, object array, Series or one-column frame of lists
    lengths : ndarray of shape (n_rows,)
        How many tokens each row of X has.
    name : str, default="y"

    Returns
    -------
    ndarray of shape (n_rows,), object
        Of lists.
    """
    if is_frame(y):
        y = only_column(y, name)
    for to_list in ("to_pylist", "to_list", "tolist"):
        if hasattr(y, to_list):
            y = getattr(y, to_list)()
    if isinstance(y, (str, bytes)) or not hasattr(y, "__len__"):
        raise ValueError(
            f"{name} must hold a list of tags for each row, but a {type(y).__name__} came. Pass a "
            "list of lists."
        )
    _check_rows(y, len(lengths), name)
    tags = np.empty(len(lengths), dtype=object)
    for row, (given, n) in enumerate(zip(y, lengths.tolist())):
        given = as_list(given)
        if not isinstance(given, (list, tuple)):
            raise ValueError(
                f"{name} must hold a list of tags in every row, but row {row} is {given!r} "
                f"({type(given).__name__}). Pass one tag for each token of X."
            )
        if len(given) != n:
            raise ValueError(
                f"{name} must hold one tag for each token, but row {row} has {n} tokens and "
                f"{len(given)} tags."
            )
        for place, tag in enumerate(given):
            if is_missing(tag):
                raise ValueError(
                    f"{name} must hold a tag for each token, but row {row}, token {place} has "
                    f"{tag!r}. Use a tag of its own for such tokens, or drop the row."
                )
        tags[row] = list(given)
    return tags


def as_numbers(y, n_rows, name="y"):
    """Read the targets of a regression: finite numbers, one or several a row.

    Returns
    -------
    ndarray of shape (n_rows,) or (n_rows, n_outputs), float64
    """
    if hasattr(y, "to_pylist"):
        y = y.to_pylist()
    if hasattr(y, "__array__") and not hasattr(y, "shape"):
        y = np.asarray(y)
    _check_rows(y, n_rows, name)
    numbers = check_array(
        y, dtype=np.float64, ensure_2d=False, ensure_all_finite=False, input_name=name
    )
    bad = np.argwhere(~np.isfinite(numbers))
    if len(bad):
        raise ValueError(
            f"{name} must hold a finite number in every row, but row {bad[0][0]} is "
            f"{numbers[tuple(bad[0])]} (NaN and infinity are none). Fill or drop such rows first."
        )
    if numbers.ndim > 2:
        raise ValueError(f"{name} must have one or two dimensions, but it has {numbers.ndim}.")
    return numbers


def _check_rows(y, n_rows, name):
    n = y.shape[0] if hasattr(y, "shape") and len(y.shape) else len(y)
    if n != n_rows:
        raise ValueError(
            f"X and {name} must have as many rows as each other, but X has {n_rows} and {name} "
            f"has {n}. Pass one target for each text."
        )
