"""Token lists become examples: every word stands somewhere, and all of a row is read.

A tokenizer's own bookkeeping (``word_ids``) drops words that have no pieces, and truncation drops
the rest of a long row: tags then belong to other words. Here each distinct word is encoded by
itself, as if behind a space, and a word without pieces gets the unknown one.
"""

from dataclasses import dataclass
from itertools import chain, pairwise

import numpy as np

from .examples import Examples, Words
from .pieces import CHUNK, Frame, pieces

__all__ = ["TokenLists", "tokenise_words"]


@dataclass(frozen=True)
class TokenLists:
    """Rows of words.

    Parameters
    ----------
    rows : list of list of str
    """

    rows: list

    are_pairs = False
    second = None

    def __len__(self):
        return len(self.rows)

    @property
    def first(self):
        """The rows as texts, for what learns a vocabulary."""
        return [" ".join(row) for row in self.rows]

    @property
    def lengths(self):
        """Words of each row: ndarray of shape (n_rows,)."""
        return np.fromiter(map(len, self.rows), dtype=np.int64, count=len(self.rows))

    def as_list(self):
        """The rows, as a user would write them."""
        return self.rows

    def part(self, start, stop):
        """The rows from start to stop."""
        return TokenLists(self.rows[start:stop])

    def distinct(self):
        """Rows that differ, and for each row the place of its like among them."""
        known = {}
        places = [known.setdefault(tuple(row), len(known)) for row in self.rows]
        return TokenLists([list(row) for row in known]), np.array(places)

    def where(self, mask):
        """The rows for which a mask is true."""
        return type(self)([row for row, kept in zip(self.rows, mask, strict=True) if kept])


def tokenise_words(tokenizer, tokens, max_length, stride=None):
    """Turn rows of words into examples of at most ``max_length`` tokens.

    Longer rows become overlapping windows, cut between words. Each word is decided by one window:
    of two that hold it, the one with more of the row on its poorer side.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerBase
    tokens : TokenLists
    max_length : int
        Special tokens included.
    stride : int or None
        How many tokens windows share, about; None is a quarter of what a window holds.

    Returns
    -------
    examples : Examples
        With ``words``.
    cut : ndarray of shape (n_rows,), bool
        Which rows hold words of more pieces than half a window: those lose the rest.
    """
    frame = Frame.of(tokenizer)
    room = frame.room(max_length, least=2)
    stride = room // 4 if stride is None else stride
    if stride >= room:
        raise ValueError(
            f"stride must be smaller than what a window holds, which is {room} tokens here, but "
            f"stride={stride}. Use a smaller stride or a larger max_length."
        )
    bounds = np.concatenate([[0], np.cumsum(tokens.lengths)])  # rows, counted in words
    flat, starts, cut = _pieces_of_words(tokenizer, tokens, room // 2)

    first, last, decided, rows = [], [], [], []
    n_pieces = np.diff(starts[bounds])
    for row, (begin, end) in enumerate(zip(bounds[:-1].tolist(), bounds[1:].tolist())):
        windows = [(begin, end)]
        if n_pieces[row] > room:
            windows = _windows(starts, begin, end, room, stride)
        first += [begin for begin, _ in windows]
        last += [end for _, end in windows]
        rows += [row] * len(windows)
        decided += _decided(starts, windows)
    return _lay_out(frame, max_length, flat, starts, bounds, first, last, decided, rows), cut


def _pieces_of_words(tokenizer, tokens, most):
    """Piece ids of all words in order, where each word starts, and which rows were cut."""
    known = {}
    codes = np.fromiter(
        (known.setdefault(word, len(known)) for word in chain.from_iterable(tokens.rows)),
        dtype=np.int64,
        count=int(tokens.lengths.sum()),
    )
    # Behind a space a word looks as it does in a text, where the tokenizer minds at all.
    words = [" " + word for word in known] if _minds_spaces(tokenizer) else list(known)
    unknown = tokenizer.unk_token_id
    unknown = [tokenizer.pad_token_id if unknown is None else unknown]
    lists, too_long = [], []
    for start in range(0, len(words), CHUNK):
        for ids in pieces(tokenizer, words[start : start + CHUNK], most):
            too_long.append(len(ids) > most)
            lists.append(ids[:most] or unknown)
    lengths = np.fromiter(map(len, lists), dtype=np.int64, count=len(lists))
    places = np.concatenate([[0], np.cumsum(lengths)])
    distinct = np.fromiter(chain.from_iterable(lists), dtype=np.int32, count=places[-1])
    starts = np.concatenate([[0], np.cumsum(lengths[codes])]).astype(np.int64)
    shift = np.repeat(places[codes] - starts[:-1], lengths[codes])
    flat = distinct[np.arange(starts[-1]) + shift]
    row_of_word = np.repeat(np.arange(len(tokens)), tokens.lengths)
    cut = np.zeros(len(tokens), dtype=bool)
    cut[row_of_word[np.array(too_long, dtype=bool)[codes]]] = True
    return flat, starts, cut


def _minds_spaces(tokenizer):
    bare, spaced = pieces(tokenizer, ["a", " a"])
    return bare != spaced


def _windows(starts, begin, end, room, stride):
    """Ranges of words that cover those of a row, each of at most ``room`` pieces."""
    windows = []
    while True:
        stop = int(np.searchsorted(starts, starts[begin] + room, side="right")) - 1
        if stop >= end:
            # The last window reaches back as far as it can.
            begin = int(np.searchsorted(starts, starts[end] - room))
            return [*windows, (begin, end)]
        windows.append((begin, stop))
        shared = int(np.searchsorted(starts, starts[stop] - stride))
        begin = min(max(begin + 1, shared), stop)


def _decided(starts, windows):
    """The words that each window decides: it loses them where the next one sees more around."""
    cuts = [windows[0][0]]
    for (_, stop), (begin, _) in pairwise(windows):
        middle = (starts[begin] + starts[stop]) / 2
        cuts.append(int(np.clip(np.searchsorted(starts, middle), begin, stop)))
    return list(zip(cuts, [*cuts[1:], windows[-1][1]]))


def _lay_out(frame, max_length, flat, starts, bounds, first, last, decided, rows):
    """Examples from windows, given as ranges of words."""
    first, last = np.array(first), np.array(last)
    before, after = np.array(frame.before, np.int32), np.array(frame.after, np.int32)
    parts = []
    for begin, end in zip(starts[first].tolist(), starts[last].tolist()):
        parts += [before, flat[begin:end], after]
    sizes = starts[last] - starts[first] + len(frame)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    # From a place among all pieces to one among the examples' tokens.
    counts = np.array([end - begin for begin, end in decided])
    shift = np.repeat(offsets[:-1] + len(before) - starts[first], counts)
    words = Words(starts[:-1] + shift, starts[1:] + shift, bounds)
    ids = np.concatenate(parts).astype(np.int32)
    return Examples(ids, offsets, max_length, rows=np.array(rows), words=words)
