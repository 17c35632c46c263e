"""Real text: what installed libraries say of themselves."""

import ast
import re
import textwrap
import warnings

from .sources import source_files

__all__ = ["load_docstrings"]

_LIBRARIES = ("numpy", "pandas", "python", "sklearn", "torch")

# Names that give a library away; with what follows in a dotted name.
_NAMES = (
    *("numpy", "np", "ndarrays?", "ufuncs?", "scipy"),
    *("pandas", "pd", "dataframes?", "series", "timestamps?", "timedeltas?"),
    *("scikit-learn", "sklearn", "estimators?"),
    *("pytorch", "torch", "tensors?", "aten", "cuda", "autograd", "fx", "inductor", "dynamo"),
    "c?python",
)
_GIVEAWAY = re.compile(
    rf"(?<![A-Za-z])(?:{'|'.join(_NAMES)})(?![A-Za-z])(?:\.[A-Za-z_.]+)?", re.IGNORECASE
)

# Where prose ends: the first numpydoc or Google section, field list, doctest or directive.
_END_OF_PROSE = re.compile(
    r"^\s*(?:[A-Z][A-Za-z ]+\n\s*-{3,}|(?:Args|Arguments|Attributes|Examples?|Returns?|Raises|"
    r"Yields|Keyword arg\w*|Shape|Inputs?|Outputs?|Usage)\s*:|:\w+|>>>|\.\. )",
    re.MULTILINE,
)


def load_docstrings(libraries=None, *, min_words=8, max_rows=None, mask=False):
    """Collect the docstrings of installed libraries: real English, made on the spot.

    The source files are read and never imported. Of each docstring the prose is taken, up to the
    first section, list of fields or code example; texts that occur more than once are left out.

    Parameters
    ----------
    libraries : list of {"numpy", "pandas", "python", "sklearn", "torch"}, default=None
        Where to read; "python" is the standard library. None is all of them.
    min_words : int, default=8
        Shorter texts are left out.
    max_rows : int, default=None
        At most so many rows of each library, evenly spread over its files.
    mask : bool, default=False
        Whether to put "…" for names that give the library away (``np``, ``DataFrame``,
        ``tensor``, ...), so that telling the library from the text is not trivial.

    Returns
    -------
    DataFrame of shape (n_rows, 3)
        Columns ``text``, ``library`` and ``name`` (dotted, such as ``"numpy.ma.core"``), sorted by
        library and name: the same rows in the same order for the same versions.

    Raises
    ------
    ValueError
        If a library is not one of these.
    ModuleNotFoundError
        If a library is not installed.

    Examples
    --------
    >>> from sktransformers.datasets import load_docstrings
    >>> docs = load_docstrings(["numpy"], max_rows=3)
    >>> docs.shape, list(docs.columns)
    ((3, 3), ['text', 'library', 'name'])
    """
    import pandas as pd

    rows = []
    for library in _LIBRARIES if libraries is None else libraries:
        if library not in _LIBRARIES:
            raise ValueError(
                f"libraries must be of {list(_LIBRARIES)}, but {library!r} came. Leave it out."
            )
        rows.extend((text, library, name) for name, text in _docstrings(library))
    docs = pd.DataFrame(rows, columns=["text", "library", "name"])
    if mask:
        docs["text"] = [_GIVEAWAY.sub("…", text) for text in docs["text"]]
    docs = docs[[len(text.split()) >= min_words for text in docs["text"]]]
    docs = docs.drop_duplicates("text", keep=False).sort_values(["library", "name", "text"])
    if max_rows is not None:
        docs = docs[_evenly_spread(docs["library"], max_rows)]
    return docs.reset_index(drop=True)


def _evenly_spread(groups, most):
    """Where a row is kept: of each group at most so many, at equal distances."""
    place = groups.groupby(groups).cumcount()
    size = groups.groupby(groups).transform("size")
    kept = size.clip(upper=most)
    return (place * kept) // size != ((place - 1) * kept) // size


def _docstrings(library):
    """Dotted names and the prose of their docstrings, for all source files of a library."""
    for file, module in source_files(library, "load_docstrings"):
        prefix = module if library == "python" else f"{library}.{module}".strip(".")
        for name, docstring in _documented(file, prefix):
            text = _prose(docstring)
            if text:
                yield name, text


def _documented(file, prefix):
    """Dotted names and docstrings of a file's module, classes and functions."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of invalid escapes in other people's strings
            tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return  # templates and files for other versions of Python
    waiting = [(prefix, tree)]
    while waiting:
        name, node = waiting.pop()
        docstring = ast.get_docstring(node)
        if docstring:
            yield name, docstring
        waiting += [
            (f"{name}.{child.name}", child)
            for child in node.body
            if isinstance(child, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        ]


def _prose(docstring):
    """The description at the start of a docstring, on one line."""
    text = textwrap.dedent(docstring)
    end = _END_OF_PROSE.search(text)
    return " ".join(text[: end.start() if end else len(text)].split())
