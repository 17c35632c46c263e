"""Users' containers become plain lists of texts; every refusal names row, value and remedy."""

import re
import reprlib

import numpy as np

from .texts import Texts
from .words import TokenLists

__all__ = [
    "as_given",
    "as_list",
    "as_texts",
    "as_token_lists",
    "has_names",
    "holds_texts",
    "is_frame",
    "is_missing",
    "only_column",
]

# Lone surrogates are no Unicode text, and the tokenizers library refuses them.
_SURROGATES = re.compile("[\ud800-\udfff]")


def is_frame(X):
    """Whether X is a table with named columns (pandas, polars, pyarrow)."""
    named = hasattr(X, "columns") or hasattr(X, "column_names")
    return named and len(getattr(X, "shape", ())) == 2


def has_names(X, name):
    """Whether X is a table with named columns; one in which two have one name is refused."""
    if not is_frame(X):
        return False
    known = set()
    for column in X.column_names if hasattr(X, "column_names") else X.columns:
        if column in known:
            raise ValueError(
                f"{name} must have columns of different names, but two are called {column!r}. "
                "Rename one, or drop it."
            )
        known.add(column)
    return True


def is_missing(value):
    """Whether a value stands for "nothing here": None, NaN, NaT or ``pandas.NA``.

    ``pandas.NA`` is told by its type's name, so that pandas need not be imported to read a list.
    """
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (float, np.floating)) and bool(value != value)


def as_texts(X, name="X", *, pairs=False):
    """Read texts from whatever a user holds them in.

    Parameters
    ----------
    X : list, tuple, 1-D array, Series, pyarrow array, (n, 1) array or one-column frame
        One text a row. Pairs: an (n, 2) array, a frame with two columns, or a list of tuples or
        lists of two texts.
    name : str, default="X"
        How messages call it.
    pairs : bool, default=False
        Whether pairs are read too.

    Returns
    -------
    Texts

    Raises
    ------
    TypeError
        If X is not such a container.
    ValueError
        If a row is not a text or a pair, or if there are no rows.

    Examples
    --------
    >>> import numpy as np
    >>> as_texts(np.array([["a"], ["b"]], dtype=object))
    Texts(first=['a', 'b'], second=None)
    >>> as_texts([("a", "b")], pairs=True)
    Texts(first=['a'], second=['b'])
    """
    columns = _columns(X, name, most=2 if pairs else 1)
    if len(columns[0]) == 0:
        raise ValueError(f"{name} must hold at least one text, but it has 0 rows. Pass some texts.")
    if pairs and len(columns) == 1 and isinstance(columns[0][0], (tuple, list, np.ndarray)):
        columns = _halves(columns[0], name)
    where = [""] if len(columns) == 1 else ["'s first text", "'s second text"]
    return Texts(*(_all_text(c, name, place) for c, place in zip(columns, where)))


def as_token_lists(X, name="X"):
    """Read rows of tokens from whatever a user holds them in.

    Parameters
    ----------
    X : list, tuple, object array, Series, pyarrow array or one-column frame of lists of str
        Or an array of shape (n_rows, n_tokens), for rows of one length.
    name : str, default="X"
        How messages call it.

    Returns
    -------
    TokenLists

    Examples
    --------
    >>> as_token_lists([("To", "be"), []])
    TokenLists(rows=[['To', 'be'], []])
    """
    if isinstance(X, np.ndarray) and X.ndim == 2 and X.size and isinstance(X[0, 0], str):
        X = X.tolist()
    (rows,) = _columns(X, name, most=1)
    if len(rows) == 0:
        raise ValueError(f"{name} must hold at least one row of tokens, but it has 0 rows.")
    return TokenLists([_as_tokens(row, number, name) for number, row in enumerate(rows)])


def holds_texts(X):
    """Whether X holds texts, and not rows of tokens; told by its first row that is there."""
    if isinstance(X, np.ndarray) and X.ndim == 2 and X.shape[1] != 1:
        return False
    told = [row for row in only_column(X) if not is_missing(row)]
    return not told or isinstance(told[0], str)


def as_given(X):
    """The texts of X as they came, lone surrogates included."""
    return only_column(X)


def only_column(X, name="X"):
    """The values of a container with one column, untouched."""
    return _columns(X, name, most=1)[0]


def as_list(row):
    """An array or a Series as a list; anything else as it is."""
    for method in ("tolist", "to_list"):
        if hasattr(row, method):
            return getattr(row, method)()
    return row


def _as_tokens(row, number, name):
    if isinstance(row, str):
        raise ValueError(
            f"{name} must hold lists of tokens, but row {number} is the text {_shown(row)}. Split "
            "it: text.split(). predict_spans reads texts as they are."
        )
    row = as_list(row)
    if not isinstance(row, (list, tuple)):
        raise ValueError(
            f"{name} must hold lists of tokens, but row {number} is {_shown(row)}. Drop missing "
            "rows; a row without tokens is []."
        )
    if not set(map(type, row)) <= {str}:
        row = [_as_text(token, number, name, f", token {i}") for i, token in enumerate(row)]
    return [t if t.isascii() else _SURROGATES.sub("\ufffd", t) for t in row]


def _halves(rows, name):
    """The first and the second texts of a list of pairs."""
    for row, pair in enumerate(rows):
        if not isinstance(pair, (tuple, list, np.ndarray)) or len(pair) != 2:
            raise ValueError(
                f"{name} must hold two texts in every row, as in row 0, but row {row} is "
                f"{_shown(pair)}. Pass pairs only, or single texts only."
            )
    return [pair[0] for pair in rows], [pair[1] for pair in rows]


def _all_text(values, name, place):
    if set(map(type, values)) != {str}:
        values = [_as_text(value, row, name, place) for row, value in enumerate(values)]
    return [v if v.isascii() else _SURROGATES.sub("\ufffd", v) for v in values]


def _as_text(value, row, name, place):
    if isinstance(value, str):
        return str(value)  # numpy.str_ and other subclasses become plain
    came = f"{name} must hold texts, but row {row}{place} is {_shown(value)}."
    if is_missing(value):
        raise ValueError(f"{came} Fill or drop missing texts first.")
    if isinstance(value, (bytes, bytearray)):
        raise ValueError(f"{came} Decode bytes first: value.decode('utf-8').")
    if isinstance(value, (list, tuple, np.ndarray)):
        raise ValueError(f"{came} Pass one string a row; join tokens with ' '.join(tokens).")
    raise ValueError(f"{came} Turn values into strings first: str(value).")


def _shown(value):
    return f"{reprlib.repr(value)} ({type(value).__name__})"


def _columns(X, name, most):
    """The columns of X as lists, their values untouched."""
    if isinstance(X, (str, bytes)):
        raise ValueError(
            f"{name} must hold one text a row, but a bare {_shown(X)} came. "
            "Put it into a list: [text]."
        )
    if isinstance(X, np.ma.MaskedArray):
        raise ValueError(f"{name} must not be a masked array. Pass {name}.compressed() or a list.")
    if is_frame(X):
        return _columns_of_frame(X, name, most)
    if isinstance(X, (list, tuple)):
        return [list(X)]
    if hasattr(X, "to_pylist"):  # pyarrow Array and ChunkedArray
        return [X.to_pylist()]
    if hasattr(X, "to_list"):  # pandas and polars Series
        return [X.to_list()]
    if hasattr(X, "__array__") and getattr(X, "ndim", None) in (1, 2):
        return _columns_of_array(np.asarray(X), name, most)
    raise TypeError(
        f"{name} must be a list, tuple, Series, 1-D array or one-column frame of texts, but "
        f"{_shown(X)} came. Pass list(...) of your texts."
    )


def _columns_of_frame(X, name, most):
    n = X.shape[1]
    if not 1 <= n <= most:
        columns = getattr(X, "column_names", None) or X.columns
        raise ValueError(
            f"{name} must have {_allowed(most)} of texts, but it has {n}: "
            f"{reprlib.repr([str(c) for c in columns])}. Select what to read, as in {name}['text']."
        )
    if hasattr(X, "iloc"):
        return [X.iloc[:, i].to_list() for i in range(n)]
    if hasattr(X, "to_series"):
        return [X.to_series(i).to_list() for i in range(n)]
    return [X.column(i).to_pylist() for i in range(n)]


def _columns_of_array(X, name, most):
    if X.ndim == 1:
        return [X.tolist()]
    if not 1 <= X.shape[1] <= most:
        raise ValueError(
            f"{name} must have {_allowed(most)} of texts, but an array of shape {X.shape} came. "
            f"Select what to read, as in {name}[:, 0]."
        )
    return [X[:, i].tolist() for i in range(X.shape[1])]


def _allowed(most):
    return "one column" if most == 1 else "one column, or two for pairs,"
