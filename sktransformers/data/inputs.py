"""Users' containers become a plain list of texts; every refusal names row, value and remedy."""

import reprlib

import numpy as np

__all__ = ["as_texts", "is_frame", "is_missing"]


def is_frame(X):
    """Whether X is a table with named columns (pandas, polars, pyarrow)."""
    named = hasattr(X, "columns") or hasattr(X, "column_names")
    return named and len(getattr(X, "shape", ())) == 2


def is_missing(value):
    """Whether a value stands for "nothing here": None, NaN, NaT or ``pandas.NA``.

    ``pandas.NA`` is told by what it does (it has no truth value), so that pandas need not
    be imported to read a list.
    """
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (float, np.floating)) and bool(value != value)


def as_texts(X, name="X"):
    """Read a column of texts from whatever a user holds it in.

    Parameters
    ----------
    X : list, tuple, 1-D array, Series, pyarrow array, (n, 1) array or one-column frame
        One text a row.
    name : str, default="X"
        How messages call it.

    Returns
    -------
    list of str

    Raises
    ------
    TypeError
        If X is not such a container.
    ValueError
        If a row is not a text, or if there are no rows.

    Examples
    --------
    >>> import numpy as np
    >>> as_texts(np.array([["a"], ["b"]], dtype=object))
    ['a', 'b']
    """
    values = _column(X, name)
    if len(values) == 0:
        raise ValueError(f"{name} must hold at least one text, but it has 0 rows. Pass some texts.")
    if set(map(type, values)) == {str}:
        return values
    return [_as_text(value, row, name) for row, value in enumerate(values)]


def _as_text(value, row, name):
    if isinstance(value, str):
        return str(value)  # numpy.str_ and other subclasses become plain
    came = f"{name} must hold texts, but row {row} is {_shown(value)}."
    if is_missing(value):
        raise ValueError(f"{came} Fill or drop missing texts first.")
    if isinstance(value, (bytes, bytearray)):
        raise ValueError(f"{came} Decode bytes first: value.decode('utf-8').")
    if isinstance(value, (list, tuple, np.ndarray)):
        raise ValueError(f"{came} Pass one string a row; join tokens with ' '.join(tokens).")
    raise ValueError(f"{came} Turn values into strings first: str(value).")


def _shown(value):
    return f"{reprlib.repr(value)} ({type(value).__name__})"


def _column(X, name):
    """The single column of X as a list, its values untouched."""
    if isinstance(X, (str, bytes)):
        raise ValueError(
            f"{name} must hold one text a row, but a bare {_shown(X)} came. "
            "Put it into a list: [text]."
        )
    if is_frame(X):
        return _only_column_of_frame(X, name)
    if isinstance(X, (list, tuple)):
        return list(X)
    if hasattr(X, "to_pylist"):  # pyarrow Array and ChunkedArray
        return X.to_pylist()
    if hasattr(X, "to_list"):  # pandas and polars Series
        return X.to_list()
    if hasattr(X, "__array__") and getattr(X, "ndim", None) in (1, 2):
        return _only_column_of_array(np.asarray(X), name)
    raise TypeError(
        f"{name} must be a list, tuple, Series, 1-D array or one-column frame of texts, but "
        f"{_shown(X)} came. Pass list(...) of your texts."
    )


def _only_column_of_frame(X, name):
    if X.shape[1] != 1:
        columns = getattr(X, "column_names", None) or X.columns
        raise ValueError(
            f"{name} must have one column of texts, but it has {X.shape[1]}: "
            f"{reprlib.repr([str(c) for c in columns])}. Select the one to read, as in "
            f"{name}['text']."
        )
    if hasattr(X, "iloc"):
        return X.iloc[:, 0].to_list()
    if hasattr(X, "to_series"):
        return X.to_series(0).to_list()
    return X.column(0).to_pylist()


def _only_column_of_array(X, name):
    if X.ndim == 2 and X.shape[1] != 1:
        raise ValueError(
            f"{name} must have one column of texts, but an array of shape {X.shape} came. "
            f"Select the one to read, as in {name}[:, 0]."
        )
    return X.reshape(-1).tolist()
