"""Targets of a regression in whatever a user holds them: read, and refused where one is none."""

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_array

from .inputs import is_missing
from .targets import check_rows, without_arrow

__all__ = ["as_numbers"]

# What is larger has no room for a scale, and for predictions beyond it.
_LARGEST = 1e300


def as_numbers(y, n_rows, name="y"):
    """Read the targets of a regression: finite numbers, one or several a row.

    Parameters
    ----------
    y : array-like of shape (n_rows,) or (n_rows, n_outputs)
    n_rows : int
        How many rows X has.
    name : str, default="y"
        How messages call it.

    Returns
    -------
    ndarray of shape (n_rows,) or (n_rows, n_outputs), float64
    """
    y = without_arrow(y, name)
    is_container = any(hasattr(y, its) for its in ("__len__", "shape", "__array__"))
    if isinstance(y, (str, bytes)) or not is_container:
        raise ValueError(
            f"{name} must hold a finite number in every row, but {y!r} ({type(y).__name__}) came. "
            "Pass a list."
        )
    if not issparse(y):
        y = _array(y, name)
    check_rows(y, n_rows, name)
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
    large = np.argwhere(np.abs(numbers) > _LARGEST)
    if len(large):
        raise ValueError(
            f"{name} must hold numbers up to {_LARGEST}, but row {large[0][0]} is "
            f"{numbers[tuple(large[0])]}. Divide them by a number of that size."
        )
    return numbers


def _array(y, name):
    """The values as an array of numbers, or of objects that numbers can be made of."""
    if isinstance(y, np.ma.MaskedArray):
        hidden = np.argwhere(np.ma.getmaskarray(y))
        if len(hidden):
            raise ValueError(
                f"{name} must hold a finite number in every row, but row {hidden[0][0]} is masked. "
                "Fill or drop masked rows first."
            )
    if isinstance(y, (list, tuple)):
        # As objects: numpy makes numbers of dates, and of numbers beside text more text.
        array = _of_list(y)
    else:
        array = y.to_numpy() if hasattr(y, "to_numpy") else np.asarray(y)
    if array.dtype.kind in "biufc":
        return array
    array = array.astype(object) if array.dtype.kind not in "mM" else _with_units(array)
    for place in np.ndindex(array.shape):
        _refuse_what_is_no_number(array[place], place[0] if place else 0, name)
    return array


def _of_list(y):
    try:
        return np.asarray(y, dtype=object)
    except ValueError:  # arrays of different lengths
        return np.fromiter(y, dtype=object)


def _with_units(dates):
    """Dates and durations, each with its unit: of nanoseconds ``astype`` would make integers."""
    found = np.empty(dates.shape, dtype=object)
    for place in np.ndindex(dates.shape):
        found[place] = dates[place]
    return found


def _refuse_what_is_no_number(value, row, name):
    came = (
        f"{name} must hold a finite number in every row, but row {row} is {value!r} "
        f"({type(value).__name__})."
    )
    if is_missing(value) or value is np.ma.masked:
        raise ValueError(f"{came} Fill or drop such rows first.")
    if isinstance(value, (np.datetime64, np.timedelta64)) or hasattr(value, "strftime"):
        raise ValueError(f"{came} Turn dates into numbers first, such as days since one of them.")
    try:
        float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{came} Turn values into numbers first, or drop such rows.") from None
