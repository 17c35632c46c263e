"""The one record that crosses every border: tokenised texts, flat and unpadded."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

__all__ = ["Examples", "Ragged", "Words"]

# Padded widths are multiples of this: few distinct shapes, and aligned rows for the kernels.
_STEP = 8


@dataclass(frozen=True)
class Ragged:
    """Rows of different lengths in one flat array.

    Parameters
    ----------
    values : ndarray of shape (n_values, ...)
    offsets : ndarray of shape (n_rows + 1,), int64
        Row ``i`` is ``values[offsets[i]:offsets[i + 1]]``.
    """

    values: np.ndarray
    offsets: np.ndarray

    def __len__(self):
        return len(self.offsets) - 1

    def __getitem__(self, row):
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    @classmethod
    def concatenate(cls, parts):
        """Join several, in order."""
        lengths = np.concatenate([np.diff(part.offsets) for part in parts])
        values = np.concatenate([part.values for part in parts])
        return cls(values, np.concatenate([[0], np.cumsum(lengths)]))

    def take(self, rows):
        """The rows at these positions."""
        lengths = np.diff(self.offsets)[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        shift = np.repeat(self.offsets[rows] - offsets[:-1], lengths)
        return Ragged(self.values[np.arange(offsets[-1]) + shift], offsets)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype=dtype, copy=copy)


@dataclass(frozen=True)
class Words:
    """Where the words of token lists stand among the tokens of examples.

    A word may be in several windows of its row; this is the one that decides it.

    Parameters
    ----------
    starts : ndarray of shape (n_words,), int64
        Where a word's first piece is in ``Examples.ids``. Rising.
    stops : ndarray of shape (n_words,), int64
        Where its pieces end.
    offsets : ndarray of shape (n_rows + 1,), int64
        Row ``i`` has the words ``offsets[i]`` to ``offsets[i + 1]``.
    """

    starts: np.ndarray
    stops: np.ndarray
    offsets: np.ndarray


@dataclass(frozen=True)
class Examples:
    """Token ids of many texts in one flat array.

    A list of lists costs some 60 bytes a token, this costs 4; and nothing is padded before a
    batch is made.

    Parameters
    ----------
    ids : ndarray of shape (n_tokens,), int32
        Token ids of all examples, one after the other, special tokens included.
    offsets : ndarray of shape (n_examples + 1,), int64
        Example ``i`` is ``ids[offsets[i]:offsets[i + 1]]``.
    longest : int
        What the examples were cut to, and no padding may go beyond: positions end there.
    rows : ndarray of shape (n_examples,), int64, or None
        The row that each example is a window of, in order; None where a row is one example.
    second : ndarray of shape (n_examples,), int64, or None
        Of pairs, where the second text starts, counted within the example.
    words : Words or None
        Of token lists, where each word stands.
    states : States or None
        What frozen layers give for each example, where that is kept.

    Examples
    --------
    >>> examples = Examples.from_lists([[101, 7592, 102], [101, 102]], longest=512)
    >>> len(examples), examples[0], examples.lengths
    (2, array([ 101, 7592,  102], dtype=int32), array([3, 2]))
    """

    ids: np.ndarray
    offsets: np.ndarray
    longest: int
    rows: np.ndarray | None = None
    second: np.ndarray | None = None
    words: Words | None = None
    states: Any = None

    @classmethod
    def from_lists(cls, lists, longest, rows=None, second=None):
        """Lay lists of token ids end to end."""
        lengths = np.fromiter(map(len, lists), dtype=np.int64, count=len(lists))
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        ids = np.fromiter((i for one in lists for i in one), dtype=np.int32, count=offsets[-1])
        rows, second = (None if a is None else np.asarray(a, np.int64) for a in (rows, second))
        return cls(ids, offsets, longest, rows, second)

    @classmethod
    def concatenate(cls, parts):
        """Join several records into one, in order; the rows of each count on from the last."""
        if len(parts) == 1:
            return parts[0]
        lengths = np.concatenate([part.lengths for part in parts])
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        rows = second = None
        if parts[0].rows is not None:
            starts = np.cumsum([0, *(part.n_rows for part in parts[:-1])])
            rows = np.concatenate([part.rows + start for part, start in zip(parts, starts)])
        if parts[0].second is not None:
            second = np.concatenate([part.second for part in parts])
        ids = np.concatenate([part.ids for part in parts])
        return cls(ids, offsets, parts[0].longest, rows, second)

    def __len__(self):
        return len(self.offsets) - 1

    def __getitem__(self, example):
        return self.ids[self.offsets[example] : self.offsets[example + 1]]

    @property
    def lengths(self):
        """Tokens in each example, special ones included: ndarray of shape (n_examples,)."""
        return np.diff(self.offsets)

    @property
    def widths(self):
        """What each example is padded to: its length rounded up, which depends on it alone."""
        rounded = -(-np.maximum(self.lengths, 1) // _STEP) * _STEP
        return np.minimum(rounded, self.longest)

    @property
    def n_rows(self):
        """Rows that the examples are of."""
        return len(self) if self.rows is None else int(self.rows[-1]) + 1

    @property
    def windows(self):
        """Examples of each row: ndarray of shape (n_rows,), at least 1."""
        return np.ones(len(self), int) if self.rows is None else np.bincount(self.rows)

    def per_example(self, values):
        """Repeat a value of each row for all its examples."""
        return values if self.rows is None else values[self.rows]

    @property
    def n_units(self):
        """How many things have a target and an output: words, or examples."""
        return len(self) if self.words is None else len(self.words.starts)

    def words_in(self, examples):
        """The words that some examples decide, and where they stand in them.

        Returns
        -------
        words, which, positions : ndarray of int
            Number of the word; which of the examples, counted from 0; place of its first piece.
        """
        examples = np.asarray(examples)
        first = np.searchsorted(self.words.starts, self.offsets[examples])
        counts = np.searchsorted(self.words.starts, self.offsets[examples + 1]) - first
        which = np.repeat(np.arange(len(examples)), counts)
        words = np.arange(counts.sum()) + (first - np.cumsum(counts) + counts)[which]
        return words, which, self.words.starts[words] - self.offsets[examples][which]

    def per_row(self, values, *, by_length=False):
        """Bring the outputs of all units together by row.

        Those of a row's windows are averaged, all alike or by their lengths: ndarray of shape
        (n_rows, ...). Those of words stay as they are: Ragged of n_rows.
        """
        if self.words is not None:
            return Ragged(values, self.words.offsets)
        if self.rows is None:
            return values
        starts = np.concatenate([[0], np.cumsum(self.windows)[:-1]])
        shape = (-1, *[1] * (values.ndim - 1))
        weights = (self.lengths if by_length else np.ones(len(self))).astype(values.dtype)
        sums = np.add.reduceat(values * weights.reshape(shape), starts, axis=0)
        return sums / np.add.reduceat(weights, starts).reshape(shape)

    def take(self, examples):
        """The examples at these positions, each a row of its own."""
        lists = [self[example] for example in examples]
        second = None if self.second is None else self.second[examples]
        taken = Examples.from_lists(lists, self.longest, second=second)
        if self.states is not None:
            taken = replace(taken, states=self.states.take(examples))
        if self.words is None:
            return taken
        numbers, which, positions = self.words_in(examples)
        starts = taken.offsets[which] + positions
        stops = starts + (self.words.stops - self.words.starts)[numbers]
        offsets = np.concatenate([[0], np.cumsum(np.bincount(which, minlength=len(taken)))])
        return replace(taken, words=Words(starts, stops, offsets))
