"""Tags that mark spans: ``B-PER I-PER O`` and their like, read and checked as flat arrays.

A scheme is three lists of patterns for neighbours: where a span starts, where it goes on, where
it has ended. A pattern such as ``"II!"`` says: ``I`` after ``I``, of another type (``=`` of the
same type, ``*`` of any; ``.`` is any letter). They are those of seqeval's strict mode (Nakayama,
2018, https://github.com/chakki-works/seqeval), and LENIENT is its default mode, which is that of
the CoNLL-2000 evaluation script.
"""

import itertools
import re
from dataclasses import dataclass

import numpy as np

__all__ = [
    "LENIENT",
    "PLAIN",
    "SCHEMES",
    "SpanTags",
    "find_spans",
    "is_valid",
    "recognise",
    "transitions",
]

_LETTERS = "OBIES"  # what the letters of all schemes are read as
_READ_AS = {**{letter: letter for letter in _LETTERS}, "M": "I", "L": "E", "U": "S"}
_TAG = re.compile(r"O|([BIESMLU])(?:-(.+))?", re.DOTALL)

_BEGIN_TO_END = (".B* .S*", "BI= BE= II= IE=", "S.* E.*")
SCHEMES = {
    "IOB1": ("BI", "OI* II! BI* IB= BB=", "BI= II=", "II! IO* IB* BO* BI! BB="),
    "IOB2": ("BI", ".B*", "BI= II=", "IO* II! IB* BO* BI! BB*"),
    "IOE1": ("IE", "OI* II! EI* EE=", "II= IE=", "II! IO* IE! EI= EE="),
    "IOE2": ("IE", "OI* OE* EI* EE* II! IE!", "IE= II=", "E.*"),
    "IOBES": ("BIES", *_BEGIN_TO_END),
    "BMES": ("BMES", *_BEGIN_TO_END),
    "BILOU": ("BILU", *_BEGIN_TO_END),
}
LENIENT = "lenient"
PLAIN = "plain"  # every tag stands for itself
_LENIENT = (
    "BIESMLU",
    ".B* .S* EE* EI* SE* SI* OE* OI* BI! BE! II! IE!",
    "BI= BE= II= IE=",
    "E.* S.* BB* BS* BO* BI! BE! IB* IS* IO* II! IE!",
)


@dataclass(frozen=True)
class SpanTags:
    """Classes that are tags of spans, read.

    Parameters
    ----------
    prefixes : ndarray of shape (n_classes,), int
        Places in "OBIES".
    types : ndarray of shape (n_classes,), int
        Places in ``names``; -1 for ``O``.
    names : list of str
        What spans are of, sorted; a bare ``B`` or ``I`` is of the type "".
    letters : str
        The letters as they were written, without ``O``.
    """

    prefixes: np.ndarray
    types: np.ndarray
    names: list
    letters: str

    @classmethod
    def of(cls, classes):
        """Read the classes; None where one is not a tag of a span."""
        found = [_TAG.fullmatch(tag) if isinstance(tag, str) else None for tag in classes]
        if not found or not all(found):
            return None
        pairs = [(m[1] or "O", m[2] or "") for m in found]
        names = sorted({name for letter, name in pairs if letter != "O"})
        if not names:
            return None
        places = {name: place for place, name in enumerate(names)}
        prefixes = [_LETTERS.index(_READ_AS[letter]) for letter, _ in pairs]
        types = [places[name] if letter != "O" else -1 for letter, name in pairs]
        letters = "".join(sorted({letter for letter, _ in pairs} - {"O"}))
        return cls(np.array(prefixes), np.array(types), names, letters)


def recognise(tags, codes, offsets):
    """Tell which scheme tags are in.

    Parameters
    ----------
    tags : SpanTags or None
    codes : ndarray of shape (n_words,), int
        The tag of each word.
    offsets : ndarray of shape (n_rows + 1,), int

    Returns
    -------
    str or None
        A name of SCHEMES; LENIENT for spans by no such scheme; None for plain tags.
    """
    letters = set(tags.letters) if tags else set()
    if not letters:
        return None
    for name, needed in (("BMES", "M"), ("BILOU", "LU"), ("IOBES", "S")):
        if letters & set(needed) or (name == "IOBES" and {"B", "E"} <= letters):
            if not letters <= set(SCHEMES[name][0]):
                return None
            # Not so of BIOS, which has no E, and of BIOE, which has no S: they have no rules here.
            return name if _all_usable(tags, name) else LENIENT
    likely, other = ("IOE2", "IOE1") if "E" in letters else ("IOB2", "IOB1")
    fits = [name for name in (likely, other) if is_valid(tags, codes, offsets, name)]
    return fits[0] if fits else likely


def _all_usable(tags, scheme):
    """Whether each tag can be part of a row that follows the scheme to the letter."""
    allowed, first, last = transitions(tags, scheme)
    forward, backward = first.copy(), last.copy()
    for _ in range(len(first)):
        forward |= allowed[forward].any(axis=0)
        backward |= allowed[:, backward].any(axis=1)
    return bool((forward & backward).all())


def is_valid(tags, codes, offsets, scheme):
    """Whether all rows follow a scheme to the letter."""
    allowed, first, last = transitions(tags, scheme)
    filled = offsets[1:] > offsets[:-1]
    heads, tails = offsets[:-1][filled], offsets[1:][filled] - 1
    inner = np.ones(len(codes), dtype=bool)
    inner[heads] = False
    after = np.flatnonzero(inner)
    return bool(
        first[codes[heads]].all()
        and last[codes[tails]].all()
        and allowed[codes[after - 1], codes[after]].all()
    )


def transitions(tags, scheme):
    """Which tag may follow which, so that every tag but ``O`` is part of a span.

    Returns
    -------
    allowed : ndarray of shape (n_classes, n_classes), bool
    first, last : ndarray of shape (n_classes,), bool
        Which tags a row may start and end with.
    """
    start, inside, end = _tables(scheme)
    prefixes = np.append(tags.prefixes, 0)  # and what is before and behind a row
    types = np.append(tags.types, -1)
    same = (types[:, None] == types).astype(int)
    before, now = prefixes[:, None], prefixes[None, :]
    ends = (before == 0) | end[before, now, same]
    goes_on = inside[before, now, same] | (start[before, now, same] & ends)
    allowed = np.where(now == 0, ends, goes_on)
    written = np.isin(np.append(tags.prefixes, 0), _places(scheme))
    allowed &= written[:, None] & written
    return allowed[:-1, :-1], allowed[-1, :-1], allowed[:-1, -1]


def find_spans(tags, codes, offsets, scheme=LENIENT):
    """Find the spans that tags mark.

    Parameters
    ----------
    tags : SpanTags
    codes : ndarray of shape (n_words,), int
    offsets : ndarray of shape (n_rows + 1,), int
    scheme : str, default="lenient"

    Returns
    -------
    starts, stops : ndarray of shape (n_spans,), int
        Words, counted over all rows; the stop is behind the last one.
    types : ndarray of shape (n_spans,), int
        Places in ``tags.names``.
    """
    start, inside, end = _tables(scheme)
    # An O behind every row, and so before every row but the first.
    n_rows = len(offsets) - 1
    place = np.arange(len(codes)) + np.repeat(np.arange(n_rows), np.diff(offsets))
    prefixes, types = np.zeros(len(codes) + n_rows, int), np.full(len(codes) + n_rows, -1)
    prefixes[place], types[place] = tags.prefixes[codes], tags.types[codes]
    before = np.concatenate([[0], prefixes[:-1]])
    same = (types == np.concatenate([[-1], types[:-1]])).astype(int)

    inside = inside[before, prefixes, same]
    breaks = np.flatnonzero(~inside)
    starts = np.flatnonzero(start[before, prefixes, same])
    run = np.searchsorted(breaks, starts, side="right")  # of words that go on, one start counts
    _, earliest = np.unique(run, return_index=True)
    starts, run = starts[earliest], run[earliest]
    stops = np.append(breaks, len(prefixes))[run]
    ended = end[prefixes[stops - 1], np.append(prefixes, 0)[stops], _at(same, stops)]
    starts, stops = starts[ended], stops[ended]
    row = np.searchsorted(offsets[1:] + np.arange(n_rows), starts, side="right")
    return starts - row, stops - row, types[starts]


def _at(same, places):
    return np.append(same, 0)[places]


def _places(scheme):
    letters = (_LENIENT if scheme == LENIENT else SCHEMES[scheme])[0]
    return [0, *(_LETTERS.index(_READ_AS[letter]) for letter in letters)]


def _tables(scheme):
    """Start, inside and end patterns as arrays over letter before, letter and same type."""
    tables = []
    for patterns in (_LENIENT if scheme == LENIENT else SCHEMES[scheme])[1:]:
        table = np.zeros((len(_LETTERS), len(_LETTERS), 2), dtype=bool)
        for before, now, relation in patterns.split():
            befores, nows = (_LETTERS if x == "." else x for x in (before, now))
            kinds = {"*": (0, 1), "=": (1,), "!": (0,)}[relation]
            for one, other, kind in itertools.product(befores, nows, kinds):
                table[_LETTERS.index(one), _LETTERS.index(other), kind] = True
        tables.append(table)
    return tables
