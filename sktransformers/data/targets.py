"""Targets in whatever a user holds them: read, and refused where some are missing."""

import math

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.validation import column_or_1d

from .inputs import as_list, has_names, is_frame, is_missing, only_column

__all__ = [
    "as_classes",
    "as_indicator",
    "as_labels",
    "as_tag_lists",
    "check_rows",
    "is_indicator",
    "without_arrow",
]


def without_arrow(y, name="y"):
    """A pyarrow table as a frame of pandas, a pyarrow array as a list, others as they are.

    A frame in which two columns have one name is refused.

    Parameters
    ----------
    y : object
        As a user gave it.
    name : str, default="y"
        How messages call it.
    """
    if has_names(y, name) and hasattr(y, "column_names"):
        import pandas as pd

        return pd.DataFrame({n: y.column(n).to_pylist() for n in y.column_names})
    return y.to_pylist() if hasattr(y, "to_pylist") else y


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
    y = without_arrow(y, name)
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
    _refuse_masks(y, name)
    if len(column.shape) == 0:
        raise ValueError(f"{name} should be a 1d array, got an array of shape () instead.")
    check_rows(column, n_rows, name)
    column = _plain_array(column)
    _refuse_sets(column, name)
    column = column_or_1d(column, warn=True)
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


def as_classes(classes, *, in_order=False):
    """Read all labels that will ever come, which are as many as they are.

    Parameters
    ----------
    classes : array-like of shape (n_classes,)
    in_order : bool, default=False
        Whether to leave them as they are: those of an indicator are not sorted.

    Returns
    -------
    ndarray of shape (n_classes,)
    """
    classes = without_arrow(classes, "classes")
    is_bare = isinstance(classes, (str, bytes)) or getattr(classes, "shape", None) == ()
    if is_bare or not hasattr(classes, "__len__"):
        raise ValueError(
            f"classes must be a list of all labels, but {classes!r} ({type(classes).__name__}) "
            "came. Pass every label that will ever come, once."
        )
    if len(classes) == 0:
        raise ValueError(
            "classes must be a list of all labels, but it is empty. Pass every label that will "
            "ever come, once."
        )
    labels = as_labels(classes, len(classes), "classes")
    return labels if in_order else np.unique(labels)


def _unknown_kind(name, came):
    return (
        f"Unknown label type: {name} must hold str, int, bool or whole float labels, but {came} "
        "came. Turn labels into strings: [str(label) for label in y]."
    )


def _refuse_masks(y, name):
    if isinstance(y, np.ma.MaskedArray):
        raise ValueError(f"{name} must not be a masked array. Drop masked rows, and pass a list.")


def _refuse_other_names(columns, name):
    for place, column in enumerate(columns):
        plain = column.item() if isinstance(column, np.generic) else column
        if type(plain) not in (str, int, float, bool) or is_missing(plain):
            raise ValueError(
                f"{name} must have columns named by str, int, bool or float, but column {place} "
                f"is {column!r} ({type(column).__name__}). Rename columns: "
                f"{name}.columns = [str(column) for column in {name}.columns]."
            )


def _refuse_sets(column, name):
    """Refuse several labels a row; a single column is none of these."""
    if column.ndim == 2:
        one = column.shape[1] == 1
        column = column[:, 0] if one else np.fromiter(column.tolist(), dtype=object)
    for row, value in enumerate(column if column.ndim == 1 and column.dtype == object else ()):
        if isinstance(value, (list, tuple, set, frozenset, np.ndarray)):
            raise ValueError(
                f"{name} must hold one label a row, but row {row} is {value!r}. For several "
                "labels a text pass an indicator matrix: "
                "sklearn.preprocessing.MultiLabelBinarizer makes it."
            )


def _plain_array(column):
    """An ndarray without extension types: categories become values, nullable ones objects."""
    if isinstance(column, np.ndarray):
        return column
    if hasattr(column, "to_list") and len(column.shape) == 1:
        return np.fromiter(column.to_list(), dtype=object)
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

    y = without_arrow(y, name)
    _refuse_masks(y, name)
    if isinstance(y, (list, tuple)):
        y = np.asarray(y)
    columns = range(y.shape[1])
    if hasattr(y, "columns"):
        columns = [*y.columns]
        _refuse_other_names(columns, name)
    if issparse(y):
        y = y.toarray()
    elif hasattr(y, "to_numpy"):
        y = y.to_numpy()
    check_rows(y, n_rows, name)
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
    check_rows(y, len(lengths), name)
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


def check_rows(y, n_rows, name):
    """Refuse targets that are more or fewer than the rows of X."""
    n = y.shape[0] if hasattr(y, "shape") and len(y.shape) else len(y)
    if n != n_rows:
        raise ValueError(
            f"X and {name} must have as many rows as each other, but X has {n_rows} and {name} "
            f"has {n}. Pass one target for each text."
        )
